"""Masks for feature detection: no sky, no overlays, no independently moving objects (water, traffic)."""

from __future__ import annotations

from collections.abc import Iterable

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8

from flythrough.media.sky import sky_mask

_CELLS = (10, 16)  # rows and columns of the grid in which motion is judged
_VOTES = 12  # matches a cell needs before it is judged
_AGREES = 0.3  # share of a cell's matches that must be consistent with the camera's motion


def usable_mask(
    image: UInt8[np.ndarray, "h w 3"], overlay: Bool[np.ndarray, "H W"] | None, size: tuple[int, int]
) -> Bool[np.ndarray, "H W"]:
    """Where features may be detected; ``size`` is (W, H). Masks are dilated, since features have an extent."""
    blocked = cv2.resize(sky_mask(image).astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    if overlay is not None:
        blocked |= overlay.astype(np.uint8)
    reach = max(3, size[0] // 80) | 1
    return cv2.dilate(blocked, np.ones((reach, reach), np.uint8)) == 0


def moving_cells(
    votes: Iterable[tuple[Float[np.ndarray, "m 2"], Bool[np.ndarray, "m"]]], size: tuple[int, int]
) -> Bool[np.ndarray, "rows columns"]:
    """Cells of one picture in which most matches contradict the camera's motion.

    Args:
        votes: for each pair that the picture is in, the places of its matches (pixels) and which of them are inliers of
            the pair's epipolar geometry.
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
