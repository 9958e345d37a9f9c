"""Where features must not be taken from: sky, burnt-in graphics, and what moves by itself (water, traffic)."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

_ROWS = 96  # sky is found at this height
_CELLS = (10, 16)  # rows and columns of the grid in which motion is judged
_VOTES = 12  # matches a cell needs before it is judged
_AGREES = 0.3  # share of a cell's matches that must obey the camera's motion


def sky_mask(image: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """Sky as seen in one picture: what can be reached from the top edge through smooth colour.

    A guess from looks alone; smooth water may pass for it. Who needs certainty adds geometry
    (:func:`flythrough.sfm.sky.confirm`).
    """
    height, width = image.shape[:2]
    small = cv2.resize(image, (round(width * _ROWS / height), _ROWS), interpolation=cv2.INTER_AREA)
    lab = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2LAB), (5, 5), 0)
    region = np.zeros((_ROWS + 2, small.shape[1] + 2), np.uint8)
    for x in range(0, small.shape[1], 4):
        if region[1, x + 1] == 0:
            flags = 4 | cv2.FLOODFILL_MASK_ONLY | (255 << 8)
            cv2.floodFill(lab.copy(), region, (x, 0), 0, (2, 2, 2), (2, 2, 2), flags)
    sky = region[1:-1, 1:-1] > 0
    light = lab[..., 0].astype(float)
    if sky.mean() < 0.01 or light[sky].mean() < np.median(light) - 10:
        return np.zeros((height, width), bool)
    closed = cv2.morphologyEx(sky.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return cv2.resize(closed, (width, height), interpolation=cv2.INTER_NEAREST) > 0


def usable_mask(
    image: UInt8[np.ndarray, "h w 3"], overlay: Bool[np.ndarray, "H W"] | None, size: tuple[int, int]
) -> Bool[np.ndarray, "H W"]:
    """Where features may be detected; ``size`` is (W, H). Masks are grown a little, for features have an extent."""
    blocked = cv2.resize(sky_mask(image).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    if overlay is not None:
        blocked |= overlay.astype(np.uint8)
    reach = max(3, size[0] // 80) | 1
    return cv2.dilate(blocked, np.ones((reach, reach), np.uint8)) == 0


def moving_cells(
    votes: Iterable[tuple[Float[np.ndarray, "m 2"], Bool[np.ndarray, "m"]]], size: tuple[int, int]
) -> Bool[np.ndarray, "rows columns"]:
    """Cells of one picture in which most matches disobey the camera's motion.

    Args:
        votes: for each pair that the picture is in, where its matches are (pixels) and which of them
            obey the pair's epipolar geometry.
        size: (width, height) of the picture.
    """
    total, agree = np.zeros(_CELLS), np.zeros(_CELLS)
    for xy, obeys in votes:
        row, column = _cell_of(xy, size)
        np.add.at(total, (row, column), 1)
        np.add.at(agree, (row, column), obeys)
    return (total >= _VOTES) & (agree < _AGREES * total)


def in_cells(
    xy: Float[np.ndarray, "n 2"], cells: Bool[np.ndarray, "rows columns"], size: tuple[int, int]
) -> Bool[np.ndarray, "n"]:
    """Which points lie in marked cells."""
    return cells[_cell_of(xy, size)]


def _cell_of(xy: Float[np.ndarray, "n 2"], size: tuple[int, int]) -> tuple[Int64[np.ndarray, "n"], ...]:
    cell = (xy[:, ::-1] / np.array(size[::-1]) * _CELLS).astype(int)
    return tuple(np.clip(cell, 0, np.array(_CELLS) - 1).T)
