"""One pass over a video: its shots, each with what was measured and a few pictures."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, UInt8

from .boundaries import Arbiter, Transition
from .config import CurateConfig, NatureRule
from .decode import Glimpse, glimpses
from .hashes import shot_hash
from .motion import Step, Tracker, Window, motion_measures
from .overlays import LEAST_TRAVEL, overlay_mask, shrink
from .picture import Look, box_of, look, picture_measures
from .rules import MissingMeasure, judge
from .segment import Segmenter, Span
from .semantics import nature_probability
from .surfaces import sky_and_water

PICTURES_EVERY_S = 0.2
BEHIND_BYTES = 64 * 2**20  # of frames that wait to be measured while boundaries are sought
DIM = 0.12  # mean luma below which a shot's own bars cannot be told from its night


@dataclass
class Shot:
    """A shot with its measures; ``box`` is top, left, bottom, right (exclusive) in displayed pixels.

    ``pictures`` and ``views`` are there only while the shot is handed over, so that memory does not grow with length.
    """

    start_frame: int
    end_frame: int
    start_us: int
    end_us: int
    size: tuple[int, int]  # height and width of the displayed frame
    measures: dict[str, Any]
    pictures: list[UInt8[np.ndarray, "h w 3"]]
    views: list[UInt8[np.ndarray, "h w 3"]] = field(default_factory=list)  # larger, a few a second
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))  # as picture.Look, over the shot
    columns: np.ndarray = field(default_factory=lambda: np.zeros(0, np.uint8))
    box: tuple[int, int, int, int] = (0, 0, 0, 0)
    overlay: Bool[np.ndarray, "h w"] | None = None  # where something is burnt in

    def set_box(self, box: tuple[int, int, int, int]) -> None:
        """Set the picture box, and what is measured of it."""
        self.box = box
        top, left, bottom, right = box
        height, width = self.size
        self.measures["picture_area"] = (bottom - top) * (right - left) / (height * width)
        self.measures["box"] = list(box)


@dataclass
class Scan:
    """What a pass over a video found."""

    shots: list[Shot]
    transitions: list[Transition]
    frame_count: int


@dataclass(frozen=True)
class _Seen:
    """What was measured of a shot's frames."""

    steps: list[Step]
    windows: list[Window]
    looks: list[Look]
    lumas: list[np.ndarray]  # as overlays.shrink makes them
    views: list[np.ndarray]
    pictures: list[np.ndarray]


@dataclass
class _Collector:
    """What was measured of frames whose shot is not known yet."""

    config: CurateConfig
    tracker: Tracker = field(default_factory=Tracker)
    looks: list[tuple[int, Look, np.ndarray, np.ndarray]] = field(default_factory=list)
    pictures: list[tuple[int, np.ndarray]] = field(default_factory=list)
    times_us: dict[int, int] = field(default_factory=dict)
    size: tuple[int, int] = (1, 1)
    _next_track_us: int | None = None
    _next_picture_us: int | None = None

    def add(self, glimpse: Glimpse, gray: UInt8[np.ndarray, "h w"]) -> None:
        if self._next_track_us is None or glimpse.time_us >= self._next_track_us:
            # A quarter of a step of slack, so that 30 frames a second give every second frame exactly.
            self._next_track_us = glimpse.time_us + round(0.75e6 / self.config.track_hz)
            self.tracker.add(gray, glimpse.time_us / 1e6)
        if self._next_picture_us is None or glimpse.time_us >= self._next_picture_us:
            self._next_picture_us = glimpse.time_us + round(PICTURES_EVERY_S * 1e6)
            self.pictures.append((glimpse.time_us, glimpse.small))
        if glimpse.luma is not None and glimpse.view is not None:
            self.size = (glimpse.luma.shape[0], glimpse.luma.shape[1])
            self.looks.append((glimpse.time_us, look(glimpse.luma), shrink(glimpse.luma), glimpse.view))

    def within(self, start_us: int, end_us: int) -> _Seen:
        """What was measured of frames within [start, end)."""
        start_s, end_s = start_us / 1e6, end_us / 1e6
        inside = lambda span: start_s <= span.before_s and span.after_s < end_s  # noqa: E731
        pictures = [p for t, p in self.pictures if start_us <= t < end_us]
        if not pictures and self.pictures:
            pictures = [min(self.pictures, key=lambda p: abs(p[0] - start_us))[1]]
        looks = [x for x in self.looks if start_us <= x[0] < end_us]
        return _Seen(
            steps=[s for s in self.tracker.steps if inside(s)],
            windows=[w for w in self.tracker.windows if inside(w)],
            looks=[one for _, one, _, _ in looks],
            lumas=[luma for _, _, luma, _ in looks],
            views=[view for _, _, _, view in looks],
            pictures=pictures,
        )

    def forget(self, before_us: int) -> None:
        before_s = before_us / 1e6
        self.looks = [x for x in self.looks if x[0] >= before_us]
        self.pictures = [x for x in self.pictures if x[0] >= before_us]
        self.tracker.steps = [s for s in self.tracker.steps if s.before_s >= before_s]
        self.tracker.windows = [w for w in self.tracker.windows if w.before_s >= before_s]


def scan(
    path: Path,
    config: CurateConfig,
    *,
    given_us: Sequence[tuple[int, int]] | None = None,
    hand_over: Callable[[Shot], None] = lambda shot: None,
) -> Scan:
    """Find and measure a video's shots.

    Args:
        path: a local video file.
        config: the stage's settings.
        given_us: first and last presentation time of shots that are known already; boundaries are not sought.
        hand_over: gets each shot as it ends, with its pictures; its box is not final.

    Raises:
        InputError: the video cannot be read to its end.
    """
    import cv2

    cv2.setNumThreads(1)  # the frames are too small to share; the decoder wants the other cores
    segmenter = Segmenter(config.shots, _arbiter(config))
    collector = _Collector(config)
    shots: list[Shot] = []
    end_us = 0
    measuring: deque[tuple[Future[None], int]] = deque()
    waiting = 0  # bytes

    def catch_up(behind_bytes: int = 0) -> None:
        nonlocal waiting
        while measuring and waiting > behind_bytes:
            done, nbytes = measuring.popleft()
            done.result()
            waiting -= nbytes

    def finish(spans: Iterator[Span]) -> None:
        for span in spans:
            catch_up()
            shot = _measure(span, segmenter, collector, config, end_us)
            hand_over(shot)
            shot.pictures, shot.views = [], []
            shots.append(shot)
            if given_us is None:
                collector.forget(shots[-1].end_us)

    with ThreadPoolExecutor(1, thread_name_prefix="measure") as thread:
        for glimpse in glimpses(path, longest=config.working_px, sample_every_s=config.sample_every_s):
            gray = cv2.cvtColor(glimpse.small, cv2.COLOR_RGB2GRAY)
            end_us = glimpse.end_us
            measuring.append((thread.submit(collector.add, glimpse, gray), glimpse.nbytes))
            waiting += glimpse.nbytes
            catch_up(BEHIND_BYTES)
            if given_us is None:
                tiny = cv2.resize(glimpse.small, (48, 27), interpolation=cv2.INTER_AREA)
                finish(segmenter.add(glimpse.time_us, tiny, gray))
            else:
                segmenter.times_us.append(glimpse.time_us)
        finish(segmenter.close() if given_us is None else _given(np.array(segmenter.times_us), given_us))
        catch_up()
        _set_boxes(shots, collector.size)
    return Scan(shots, segmenter.transitions, len(segmenter.times_us))


def find_boundaries(path: Path, config: CurateConfig) -> tuple[list[Transition], Sequence[int]]:
    """Only the transitions between a video's shots, and the time of every frame; nothing is measured.

    Raises:
        InputError: the video cannot be read to its end.
    """
    import cv2

    segmenter = Segmenter(config.shots, _arbiter(config))
    for glimpse in glimpses(path, longest=config.working_px, sample_every_s=1e9):
        tiny = cv2.resize(glimpse.small, (48, 27), interpolation=cv2.INTER_AREA)
        list(segmenter.add(glimpse.time_us, tiny, cv2.cvtColor(glimpse.small, cv2.COLOR_RGB2GRAY)))
    list(segmenter.close())
    return segmenter.transitions, segmenter.times_us


def _arbiter(config: CurateConfig) -> Arbiter | None:
    from . import transnet

    return transnet.Arbiter(config.shots.max_network_share) if config.shots.detector == "cascade" else None


def _given(times_us: np.ndarray, spans_us: Sequence[tuple[int, int]]) -> Iterator[Span]:
    for first, last in spans_us:
        yield Span(int(np.abs(times_us - first).argmin()), int(np.abs(times_us - last).argmin()) + 1)


def _measure(span: Span, segmenter: Segmenter, collector: _Collector, config: CurateConfig, end_us: int) -> Shot:
    times_us = segmenter.times_us
    start_us = times_us[span.start]
    stop_us = times_us[span.end] if span.end < len(times_us) else max(end_us, times_us[-1] + 1)
    seen = collector.within(start_us, stop_us)
    measures: dict[str, Any] = {"length_s": (stop_us - start_us) / 1e6, "frames": span.end - span.start}
    measures |= motion_measures(seen.steps, seen.windows)
    shot = Shot(span.start, span.end, start_us, stop_us, collector.size, measures, seen.pictures, seen.views)
    if seen.looks:
        measures |= picture_measures(seen.looks)
        shot.rows = np.max([one.rows for one in seen.looks], axis=0)
        shot.columns = np.max([one.columns for one in seen.looks], axis=0)
        shot.set_box(box_of(shot.rows, shot.columns))
        _overlay(shot, seen.lumas)
    if seen.pictures:
        measures["hash"] = shot_hash(seen.pictures)
        shares = [sky_and_water(picture) for picture in _inside(shot, shot.pictures, 3)]
        measures["sky"], measures["water"] = (float(v) for v in np.mean(shares, axis=0))
        measures["land"] = 1 - measures["water"] / max(1 - measures["sky"], 0.05)
        if _still_in(measures, config):
            views = _inside(shot, shot.views or shot.pictures, config.nature_frames)
            measures["nature"] = float(np.mean(nature_probability(views)))
    return shot


def _overlay(shot: Shot, lumas: list[np.ndarray]) -> None:
    """Look for what is burnt in; in a shot that hardly moves, nothing is proven to be."""
    shot.measures["overlay_area"] = 0.0
    if shot.measures.get("travel_widths", 0.0) < LEAST_TRAVEL:
        return
    top, left, bottom, right = shot.box
    height, width = len(shot.rows), len(shot.columns)
    mask = overlay_mask(lumas, (top / height, left / width, bottom / height, right / width))
    if mask.any():
        shot.overlay = mask
        shot.measures["overlay_area"] = float(mask.mean()) / shot.measures["picture_area"]


def _still_in(measures: dict[str, Any], config: CurateConfig) -> bool:
    """Whether no enforced rule objects yet, so that the dear measures are wanted."""
    others = config.rules.model_copy(update={"not_nature": NatureRule(mode="off")})
    try:
        return judge(measures, others)[0] is None
    except MissingMeasure:
        return True


def _inside(shot: Shot, pictures: list[np.ndarray], count: int) -> list[np.ndarray]:
    """Pictures spread over the inside of a shot, without its bars."""
    chosen = np.linspace(0, len(pictures) - 1, min(count, len(pictures)) + 2).round().astype(int)[1:-1]
    height, width = pictures[0].shape[:2]
    if not len(shot.rows):
        return [pictures[i] for i in chosen]
    top, left, bottom, right = shot.box
    y, x = height / len(shot.rows), width / len(shot.columns)
    top, bottom, left, right = round(top * y), round(bottom * y), round(left * x), round(right * x)
    return [pictures[i][top : max(bottom, top + 8), left : max(right, left + 8)] for i in chosen]


def _set_boxes(shots: list[Shot], size: tuple[int, int]) -> None:
    """Dark shots and title cards take the box of the whole video, which its other shots have shown."""
    seen = [shot for shot in shots if len(shot.rows)]
    if seen:
        whole = box_of(np.max([s.rows for s in seen], axis=0), np.max([s.columns for s in seen], axis=0))
    else:
        whole = (0, 0, size[0], size[1])
    for shot in shots:
        dim = shot.measures.get("brightness", 0.0) < DIM
        if dim or not len(shot.rows) or shot.measures["picture_area"] < 0.5:
            shot.set_box(whole)
