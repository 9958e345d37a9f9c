"""A shot and its measures."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, UInt8

from flythrough.media.sky import sky_and_water
from flythrough.workspace.files import JsonObject

from .boundaries.segment import Span
from .config import CurateConfig
from .duplicates import shot_hash
from .measures.air import haze, night
from .measures.coding import bits_a_pixel
from .measures.collect import Seen
from .measures.motion import motion_measures
from .measures.overlays import LEAST_TRAVEL, overlay_mask
from .measures.pace import pace_measures
from .measures.picture import box_of, picture_measures
from .measures.semantics import Semantics, semantics
from .measures.writing import writing

SURE = 1.0  # sum of nature probabilities that is enough: the mean of four pictures can then not be below 0.25
DIM = 0.12  # mean luma below which a shot's bars cannot be distinguished from a dark scene


@dataclass
class Shot:
    """A shot with its measures; ``box`` is top, left, bottom, right (exclusive) in displayed pixels.

    ``pictures`` and ``views`` exist only while the shot is handed over, so that memory does not grow with length.
    """

    start_frame: int
    end_frame: int
    start_us: int
    end_us: int
    size: tuple[int, int]  # height and width of the displayed frame
    measures: JsonObject
    pictures: list[UInt8[np.ndarray, "h w 3"]]
    views: list[UInt8[np.ndarray, "tall wide 3"]] = field(default_factory=list)  # larger, a few a second
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))  # as picture.Look, over the shot
    columns: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    overlay: Bool[np.ndarray, "h w"] | None = None  # where something is burnt in

    def set_box(self, box: tuple[int, int, int, int]) -> None:
        """Set the picture box and its measures."""
        self.box = box
        top, left, bottom, right = box
        height, width = self.size
        self.measures["picture_area"] = (bottom - top) * (right - left) / (height * width)
        self.measures["box"] = list(box)


def measure_shot(
    span: Span, start_us: int, end_us: int, size: tuple[int, int], seen: Seen, config: CurateConfig
) -> Shot:
    """All measures of a shot, from the measures of its frames."""
    measures: JsonObject = {"length_s": (end_us - start_us) / 1e6, "frames": span.end - span.start}
    measures |= motion_measures(seen.steps, seen.windows) | pace_measures(seen.changes)
    shot = Shot(span.start, span.end, start_us, end_us, size, measures, seen.pictures, seen.views)
    if seen.looks:
        measures |= picture_measures(seen.looks)
        shot.rows = np.max([one.rows for one in seen.looks], axis=0)
        shot.columns = np.max([one.columns for one in seen.looks], axis=0)
        shot.set_box(box_of(shot.rows, shot.columns))
        _overlay(shot, config.writing_frames)
    if seen.pictures:
        measures["hash"] = shot_hash(seen.pictures)
        shares = [sky_and_water(picture) for picture in _inside(shot, shot.pictures, 3)]
        measures["sky"], measures["water"] = (float(v) for v in np.mean(shares, axis=0))
        measures["land"] = 1 - measures["water"] / max(1 - measures["sky"], 0.05)
        # Regardless of the rules, which may change later: then nothing needs to be decoded again.
        views = _inside(shot, shot.views or shot.pictures, config.nature_frames)
        measures |= shown(views)
        two = _spread(views, 2)
        measures["haze"] = float(np.mean([haze(view, sky_and_water(view)[0]) for view in two]))
        measures["night"] = float(np.mean([night(view) for view in two]))
    if (bits := bits_a_pixel(seen.coded_bytes, size)) is not None:
        measures["bits_a_pixel"] = bits
    return shot


def shown(views: list[np.ndarray]) -> dict[str, float]:
    """What pictures show: ``nature``, ``coast``, ``screen``, ``built``, 0..1 each.

    Mean probabilities, of no more pictures than are needed to be sure that they show nature.
    """
    found: list[Semantics] = []
    for view in views:
        found += semantics([view])
        if sum(one.nature for one in found) >= SURE:
            break
    return {
        name: float(np.mean(values)) for name, values in zip(Semantics._fields, zip(*found, strict=True), strict=True)
    }


def _overlay(shot: Shot, writing_frames: int) -> None:
    """Find burnt-in overlays and writing; in a shot that hardly moves, only writing can be found."""
    shot.measures["overlay_area"] = shot.measures["text_area"] = 0.0
    if not shot.views:
        return
    shape = shot.views[0].shape[:2]
    lines = writing(_spread(shot.views, writing_frames))
    top, left, bottom, right = shot.box
    height, width = len(shot.rows), len(shot.columns)
    mask = np.zeros(shape, bool)
    if shot.measures.get("travel_widths", 0.0) >= LEAST_TRAVEL:
        mask = overlay_mask(shot.views, (top / height, left / width, bottom / height, right / width))
    shot.measures["overlay_area"] = float(mask.mean()) / shot.measures["picture_area"]
    # The median: a title shown for a moment is masked, and the shot is kept.
    shot.measures["text_area"] = float(np.median(lines.mean((1, 2)))) / shot.measures["picture_area"]
    mask |= lines.any(0)
    if mask.any():
        shot.overlay = mask


def _inside(shot: Shot, pictures: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Pictures spread over the inside of a shot, without its bars."""
    chosen = _spread(pictures, count)
    height, width = pictures[0].shape[:2]
    if not len(shot.rows):
        return chosen
    top, left, bottom, right = shot.box
    y, x = height / len(shot.rows), width / len(shot.columns)
    top, bottom, left, right = round(top * y), round(bottom * y), round(left * x), round(right * x)
    return [picture[top : max(bottom, top + 8), left : max(right, left + 8)] for picture in chosen]


def _spread(pictures: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Some pictures, evenly chosen, without the first and the last if there are enough."""
    chosen = np.linspace(0, len(pictures) - 1, min(count, len(pictures)) + 2).round().astype(int)[1:-1]
    return [pictures[i] for i in chosen]


def set_boxes(shots: list[Shot], size: tuple[int, int]) -> None:
    """Give dark shots and title cards the box of the whole video, which its other shots determine."""
    seen = [shot for shot in shots if len(shot.rows)]
    if seen:
        whole = box_of(np.max([s.rows for s in seen], axis=0), np.max([s.columns for s in seen], axis=0))
    else:
        whole = (0, 0, size[0], size[1])
    for shot in shots:
        dim = shot.measures.get("brightness", 0.0) < DIM
        if dim or not len(shot.rows) or shot.measures["picture_area"] < 0.5:
            shot.set_box(whole)
