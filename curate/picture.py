"""What single frames look like: sharpness, exposure, and the box inside black bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

BAR_LEVEL = 20  # grey levels; every patch of a bar stays at or below, in every frame
STRIPES = 64  # patches across a row or column
SHARPNESS_WIDTH = 960


@dataclass(frozen=True)
class Look:
    """Figures of one frame."""

    blur: float  # 0 sharp .. 1 blurred (Crete et al. 2007, "The blur effect")
    brightness: float  # mean luma, 0..1
    dark: float  # share of pixels almost black
    bright: float  # share of pixels almost white
    rows: UInt8[np.ndarray, "h"]  # brightest patch in each row of the full-size frame
    columns: UInt8[np.ndarray, "w"]


def look(luma: UInt8[np.ndarray, "h w"]) -> Look:
    """Measure one full-size frame."""
    import cv2

    height, width = luma.shape
    rows = cv2.resize(luma, (min(STRIPES, width), height), interpolation=cv2.INTER_AREA).max(1)
    columns = cv2.resize(luma, (width, min(STRIPES, height)), interpolation=cv2.INTER_AREA).max(0)
    scale = min(1.0, SHARPNESS_WIDTH / max(luma.shape))
    size = (max(8, round(width * scale)), max(8, round(height * scale)))
    middle = cv2.resize(luma, size, interpolation=cv2.INTER_AREA)
    top, left, bottom, right = box_of(rows, columns)
    inner = middle[round(top * scale) : round(bottom * scale), round(left * scale) : round(right * scale)]
    inner = inner if min(inner.shape) >= 16 else middle
    return Look(
        blur=blur_effect(inner),
        brightness=float(inner.mean()) / 255,
        dark=float((inner < 20).mean()),
        bright=float((inner > 245).mean()),
        rows=rows,
        columns=columns,
    )


def blur_effect(gray: UInt8[np.ndarray, "h w"], size: int = 9) -> float:
    """How little a picture loses when it is blurred again; 0 is sharp, 1 has no detail at all."""
    import cv2

    image = gray.astype(np.float32)
    worst = 0.0
    down, right = (np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])
    for (here, there), kernel in ((down, (1, size)), (right, (size, 1))):
        blurred = cv2.blur(image, kernel)
        before = cv2.absdiff(image[here], image[there])
        after = cv2.absdiff(blurred[here], blurred[there])
        total = cv2.sumElems(before)[0]
        kept = cv2.sumElems(cv2.min(before, after))[0]
        worst = max(worst, 1.0 if total == 0 else kept / total)
    return worst


def box_of(rows: UInt8[np.ndarray, "h"], columns: UInt8[np.ndarray, "w"]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right (exclusive) of what is not black bar; the whole frame if all of it is dark."""
    top, bottom = _lit(rows.astype(np.int32))
    left, right = _lit(columns.astype(np.int32))
    return top, left, bottom, right


def _lit(levels: np.ndarray) -> tuple[int, int]:
    """First and last (exclusive) line inside the bars. A bar ends in a step; a dark shore that fades in is no bar."""
    lit = np.flatnonzero(levels > BAR_LEVEL)
    if len(lit) < 8:
        return 0, len(levels)
    start, end = int(lit[0]), int(lit[-1]) + 1
    return _edge(levels, start), len(levels) - _edge(levels[::-1], len(levels) - end)


def _edge(levels: np.ndarray, start: int) -> int:
    """Where a bar that reaches to line ``start`` really ends: coding lets some light over the edge."""
    inside = int(np.median(levels[start + 3 : start + 7]))
    if start == 0 or inside < 2 * BAR_LEVEL:
        return 0
    while levels[start] < 0.4 * inside:
        start += 1
    return start


def picture_measures(looks: list[Look]) -> dict[str, float]:
    """Figures of one shot: medians over its sampled frames."""
    return {
        "blur": float(np.median([one.blur for one in looks])),
        "brightness": float(np.median([one.brightness for one in looks])),
        "dark": float(np.median([one.dark for one in looks])),
        "bright": float(np.median([one.bright for one in looks])),
    }
