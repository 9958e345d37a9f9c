"""Compression: block edges and bits per pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

BLOCK = 8  # pixels; JPEG, MPEG-2, H.264 and HEVC transform in blocks of 8 or multiples of it, from the upper left
EVERY = 4  # one line in four across an edge is measured: as good as all


def blockiness(luma: UInt8[np.ndarray, "h w"], box: tuple[int, int, int, int]) -> float:
    """Relative strength of steps at the edges of coding blocks, compared with half a block away.

    After Wang, Sheikh and Bovik 2002, but as a ratio: the mean step across the edges over the mean step in the middle
    of blocks, minus one; the median over edges, so that a border or a horizon on one of them does not matter.

    Args:
        luma: a whole frame at the size it was coded in; after resizing, the grid cannot be found.
        box: top, left, bottom, right (exclusive) of what is inside the bars.

    Returns:
        0 without a grid, 1 if steps are twice as strong on it; at most 10. The larger of both directions, as interlaced
        or stretched pictures may have a grid in one of them only.
    """
    top, left, bottom, right = box
    aligned = -(-top // BLOCK) * BLOCK, -(-left // BLOCK) * BLOCK
    inner = luma[aligned[0] : bottom, aligned[1] : right]
    return max(_excess(inner[::EVERY].T), _excess(inner[:, ::EVERY]))


def _excess(lines: UInt8[np.ndarray, "n m"]) -> float:
    """Blockiness across the first axis."""
    count = (len(lines) - 1) // BLOCK
    if count < 3 or not lines.shape[1]:
        return 0.0
    edge, middle = (_steps(lines, BLOCK - 1 + shift, count) for shift in (0, -BLOCK // 2))
    typical = float(np.median(middle))
    return float(np.clip(np.median(edge) / typical - 1, 0.0, 10.0)) if typical > 0.05 else 0.0


def _steps(lines: np.ndarray, first: int, count: int) -> np.ndarray:
    """Mean step, grey levels, from each ``BLOCK``-th line to the next one."""
    here, there = (lines[first + shift :: BLOCK][:count].astype(np.int16) for shift in (0, 1))
    return np.abs(there - here).mean(1)


def bits_a_pixel(coded_bytes: Sequence[int | None], size: tuple[int, int]) -> float | None:
    """Mean bits per pixel of a shot's frames in the file; None if packets cannot be assigned to frames.

    Args:
        coded_bytes: of every frame of the shot.
        size: height and width of the frames.
    """
    known = [value for value in coded_bytes if value is not None]
    if not known or len(known) < len(coded_bytes):
        return None
    return 8 * sum(known) / (len(known) * size[0] * size[1])
