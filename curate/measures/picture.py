"""Measures of single frames: sharpness, exposure, and the box inside black bars."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from jaxtyping import UInt8

from .coding import blockiness

BAR_LEVEL = 20  # grey levels; every patch of a bar stays at or below, in every frame
STRIPES = 64  # patches across a row or column
SHARPNESS_WIDTH = 960
BAND = 64  # rows that are blurred at a time


@dataclass(frozen=True)
class Look:
    """Figures of one frame."""

    blur: float  # 0 sharp .. 1 blurred (Crete et al. 2007, "The blur effect")
    brightness: float  # mean luma, 0..1
    dark: float  # share of pixels almost black
    bright: float  # share of pixels almost white
    blockiness: float  # excess of steps at the edges of coding blocks, 0..10
    rows: UInt8[np.ndarray, "h"]  # brightest patch in each row of the full-size frame
    columns: UInt8[np.ndarray, "w"]


def look(luma: UInt8[np.ndarray, "h w"]) -> Look:
    """Measure one full-size frame."""
    import cv2

    height, width = luma.shape
    rows = _brightest([luma[:, left:right] for left, right in _cut(width, STRIPES)], axis=1)
    columns = _brightest([luma[top:bottom] for top, bottom in _cut(height, STRIPES)], axis=0)
    scale = min(1.0, SHARPNESS_WIDTH / max(luma.shape))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    # Averaging over areas is slow unless they are whole pixels; down to a half, interpolation uses all pixels, too.
    middle = cv2.resize(luma, size, interpolation=cv2.INTER_AREA if scale <= 0.5 else cv2.INTER_LINEAR)
    top, left, bottom, right = box_of(rows, columns)
    inner = middle[round(top * scale) : round(bottom * scale), round(left * scale) : round(right * scale)]
    inner = inner if min(inner.shape) >= 16 else middle
    levels = cv2.calcHist([inner], [0], None, [256], [0, 256]).ravel() / inner.size
    return Look(
        blur=blur_effect(inner),
        brightness=float(levels @ np.arange(256)) / 255,
        dark=float(levels[:20].sum()),
        bright=float(levels[246:].sum()),
        blockiness=blockiness(luma, (top, left, bottom, right)),
        rows=rows,
        columns=columns,
    )


def _cut(length: int, count: int) -> Iterator[tuple[int, int]]:
    """Start and end of ``count`` pieces about alike, of at least one line each."""
    return pairwise(np.linspace(0, length, min(count, length) + 1).round().astype(int).tolist())


def _brightest(stripes: list[UInt8[np.ndarray, "_ _"]], axis: int) -> UInt8[np.ndarray, "n"]:
    """The largest of the stripes' means along ``axis``."""
    import cv2

    means = [cv2.reduce(stripe, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F).ravel() for stripe in stripes]
    return np.maximum.reduce(means).round().astype(np.uint8)


def blur_effect(gray: UInt8[np.ndarray, "h w"], size: int = 9) -> float:
    """How little a picture loses when it is blurred again; 0 is sharp, 1 has no detail at all."""
    import cv2

    halo = size // 2 + 1
    ways: list[tuple[Any, Any, tuple[int, int]]] = [
        (np.s_[:-1], np.s_[1:], (1, size)),  # down
        (np.s_[:, :-1], np.s_[:, 1:], (size, 1)),  # right
    ]
    total, kept = np.zeros(2), np.zeros(2)
    # Band by band: for whole pictures, allocating memory for floats costs more than the sums.
    for top, bottom in _cut(len(gray), math.ceil(len(gray) / BAND)):
        above = min(top, halo)
        image = gray[top - above : bottom + halo].astype(np.float32)
        for way, (here, there, kernel) in enumerate(ways):
            part = slice(above, above + bottom - top + (way == 0))
            sharp, blurred = image[part], cv2.blur(image, kernel)[part]
            before = cv2.absdiff(sharp[here], sharp[there])
            after = cv2.absdiff(blurred[here], blurred[there])
            total[way] += cv2.sumElems(before)[0]
            kept[way] += cv2.sumElems(cv2.min(before, after))[0]
    return float(np.divide(kept, total, out=np.ones(2), where=total > 0).max())


def box_of(rows: UInt8[np.ndarray, "h"], columns: UInt8[np.ndarray, "w"]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right (exclusive) of the picture inside black bars; the whole frame if all of it is dark."""
    top, bottom = _lit(rows.astype(np.int32))
    left, right = _lit(columns.astype(np.int32))
    return top, left, bottom, right


def _lit(levels: np.ndarray) -> tuple[int, int]:
    """First and last (exclusive) line inside the bars. A bar ends abruptly; a dark shore that fades in is not a bar."""
    lit = np.flatnonzero(levels > BAR_LEVEL)
    if len(lit) < 8:
        return 0, len(levels)
    start, end = int(lit[0]), int(lit[-1]) + 1
    return _edge(levels, start), len(levels) - _edge(levels[::-1], len(levels) - end)


def _edge(levels: np.ndarray, start: int) -> int:
    """Where a bar that reaches to line ``start`` really ends: compression lets some light bleed over the edge."""
    inside = int(np.median(levels[start + 3 : start + 7]))
    if start == 0 or inside < 2 * BAR_LEVEL:
        return 0
    while levels[start] < 0.4 * inside:
        start += 1
    return start


def picture_measures(looks: list[Look]) -> dict[str, float]:
    """Figures of one shot: medians over its sampled frames.

    Returns:
        ``blur``, ``brightness`` (mean luma), ``dark`` and ``bright`` (shares of pixels below 20 and above 245 of 255),
        all 0..1; ``blockiness``, 0..10.
    """
    names = ("blur", "brightness", "dark", "bright", "blockiness")
    return {name: float(np.median([getattr(one, name) for one in looks])) for name in names}
