"""A shot's pictures, decoded once: gray for matching, colour at the size a clip stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Int64, UInt8

from flythrough.errors import InputError
from flythrough.media import video_reader as video
from flythrough.workspace.files import JsonObject

from ..config import FramesConfig
from ..crop import SIDES

MIN_ROWS, MIN_COLUMNS = 160, 256  # training's picture must fit into a clip's


@dataclass(frozen=True)
class Footage:
    """Decoded frames of a shot, bars cropped away.

    Attributes:
        times_us: presentation times, strictly increasing.
        gray: at working size, for tracking and matching.
        color: RGB at the size that the clip stores.
        overlay: burnt-in graphics at working size, True where they are; None if there are none.
        focal: focal length from metadata, widths of the picture; None if there is none.
        film: whether the frames follow each other in time, as a video's do; photos need not.
    """

    times_us: Int64[np.ndarray, "n"]
    gray: UInt8[np.ndarray, "n H W"]
    color: UInt8[np.ndarray, "n h w 3"]
    overlay: Bool[np.ndarray, "H W"] | None = None
    focal: float | None = None
    film: bool = True

    def __len__(self) -> int:
        return len(self.times_us)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the working pictures."""
        return self.gray.shape[2], self.gray.shape[1]


def read_shot(path: Path, shot: JsonObject, overlay_file: Path | None, config: FramesConfig) -> Footage:
    """Decode a shot's frames, evenly thinned to the rate and number that ``config`` allows.

    Raises:
        InputError: nothing decodes, or the overlay is not a picture.
    """
    left, top, right, bottom = (shot[f"crop_{side}"] for side in SIDES)
    count = shot["end_frame"] - shot["start_frame"]
    fps = count / max(1e-6, (shot["end_us"] - shot["start_us"]) / 1e6)
    stride = max(1, round(fps / config.max_fps), -(-count // config.max_frames))
    sizes: set[tuple[int, int]] = set()

    def pictures() -> Iterator[tuple[int, np.ndarray]]:
        for i, frame in enumerate(video.frames(path, start_us=shot["start_us"], end_us=shot["end_us"])):
            if i % stride == 0:
                sizes.add(frame.image.shape[:2])
                yield frame.time_us, frame.image[top:bottom, left:right]

    footage = gather(pictures(), config, -(-count // stride))
    if overlay_file is None:
        return footage
    overlay = cv2.imread(str(overlay_file), cv2.IMREAD_GRAYSCALE)
    if overlay is None:
        raise InputError(f"{overlay_file} is not a picture", remedy="Run flythrough curate again")
    height, width = sizes.pop()
    overlay = cv2.resize(overlay, (width, height), interpolation=cv2.INTER_NEAREST)[top:bottom, left:right]
    overlay = cv2.resize(overlay, footage.size, interpolation=cv2.INTER_NEAREST)
    return replace(footage, overlay=overlay > 127)


def read_times(
    path: Path, wanted_us: Int64[np.ndarray, "m"], crop: dict[str, int], config: FramesConfig
) -> tuple[Footage, Int64[np.ndarray, "n"]]:
    """Decode the frames nearest to given times, within half a frame; also returns which of the times were found.

    Raises:
        InputError: there is no frame near any of the times.
    """
    index: list[int] = []
    left, top, right, bottom = (crop[f"crop_{side}"] for side in SIDES)
    pictures = ((time, image[top:bottom, left:right]) for time, image in _nearest(path, wanted_us, index))
    footage = gather(pictures, config, len(wanted_us))
    return footage, np.array(index, dtype=np.int64)


def _nearest(path: Path, wanted_us: Int64[np.ndarray, "m"], index: list[int]) -> Iterator[tuple[int, np.ndarray]]:
    """Yield the frame nearest to each wanted time, and append the time's place to ``index``; skip times without one."""
    here, cursor, half = None, 0, 0.0
    start_us, end_us = int(wanted_us[0]) - 1_000_000, int(wanted_us[-1]) + 1_000_000
    for after in chain(video.frames(path, start_us=start_us, end_us=end_us), [None]):
        if here is not None:
            half = (after.time_us - here.time_us) / 2 if after is not None else half
            while cursor < len(wanted_us) and wanted_us[cursor] < here.time_us - half:
                cursor += 1  # between two frames too far apart, or before the first
            if cursor < len(wanted_us) and wanted_us[cursor] <= here.time_us + half:
                index.append(cursor)
                yield here.time_us, here.image
                while cursor < len(wanted_us) and wanted_us[cursor] <= here.time_us + half:
                    cursor += 1
        here = after


def gather(pictures: Iterable[tuple[int, np.ndarray]], config: FramesConfig, most: int) -> Footage:
    """Timed pictures of one size at working and at stored size; no side too small for training.

    Args:
        pictures: presentation time (microseconds) and RGB picture of each frame.
        config: sizes.
        most: expected number of pictures.

    Raises:
        InputError: there are none.
    """
    times, gray, color = [], _Stack(most), _Stack(most)
    for time_us, image in pictures:
        height, width = image.shape[:2]
        times.append(time_us)
        gray.add(cv2.cvtColor(shrink(image, config.work_px / max(height, width)), cv2.COLOR_RGB2GRAY))
        color.add(shrink(image, max(config.rows / height, MIN_COLUMNS / width)))
    if not times:
        raise InputError("The video has no frames within the shot", remedy="Run the earlier stages again")
    return Footage(np.array(times, dtype=np.int64), gray.all(), color.all())


class _Stack:
    """Pictures of one size, each written once into the array that holds them all.

    Args:
        most: number of pictures to reserve room for; unused room takes no memory, more pictures cost a copy.
    """

    def __init__(self, most: int) -> None:
        self._most, self._count = most, 0
        self._pictures: np.ndarray | None = None

    def add(self, picture: UInt8[np.ndarray, "h w *c"]) -> None:
        if self._pictures is None:
            self._pictures = np.empty((self._most, *picture.shape), dtype=np.uint8)
        elif self._count == len(self._pictures):
            self._pictures = np.concatenate([self._pictures, np.empty_like(self._pictures)])
        self._pictures[self._count] = picture
        self._count += 1

    def all(self) -> UInt8[np.ndarray, "n h w *c"]:
        assert self._pictures is not None
        return self._pictures[: self._count]


def taken(pictures: UInt8[np.ndarray, "n ..."], places: Int64[np.ndarray, "m"]) -> UInt8[np.ndarray, "m ..."]:
    """The pictures at increasing places: a view if they are consecutive, as a video's mostly are."""
    first, last = int(places[0]), int(places[-1])
    return pictures[first : last + 1] if last - first + 1 == len(places) else pictures[places]


def shrink(image: UInt8[np.ndarray, "h w *c"], scale: float) -> UInt8[np.ndarray, "h2 w2 *c"]:
    """The picture resized by ``scale``, by area; as it is if ``scale`` is 1 or more."""
    if scale >= 1:
        return image
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)
