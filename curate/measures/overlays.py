"""Burnt-in text, logos and HUDs: edges that stay in place while the scene moves."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, UInt8

LEAST_SAMPLES, MOST_SAMPLES = 4, 24
LEAST_TRAVEL = 0.15  # picture widths; a scene that hardly moves shows nothing
EDGE = 18.0  # grey levels across an edge
COHERENCE = 0.9  # length of the mean gradient over the mean length: 1 if it never changes
STEADY = 10.0  # grey levels; standard deviation in time


def overlay_mask(
    pictures: Sequence[UInt8[np.ndarray, "h w 3"]], box: tuple[float, float, float, float]
) -> Bool[np.ndarray, "h w"]:
    """Where something is burnt into all pictures of a moving shot.

    Args:
        pictures: RGB, 200 to 400 pixels wide, spread over the shot.
        box: top, left, bottom, right of the picture inside the bars, as fractions; bars have edges, too.
    """
    import cv2

    height, width = pictures[0].shape[:2]
    empty = np.zeros((height, width), bool)
    if len(pictures) < LEAST_SAMPLES:
        return empty
    chosen = np.linspace(0, len(pictures) - 1, min(len(pictures), MOST_SAMPLES)).round().astype(int)
    stack = np.stack([cv2.cvtColor(pictures[i], cv2.COLOR_RGB2GRAY) for i in chosen]).astype(np.float32)
    dx = np.stack([cv2.Sobel(p, cv2.CV_32F, 1, 0, scale=0.25) for p in stack])
    dy = np.stack([cv2.Sobel(p, cv2.CV_32F, 0, 1, scale=0.25) for p in stack])
    mean_x, mean_y = dx.mean(0), dy.mean(0)
    length = np.hypot(mean_x, mean_y)
    still = (length > EDGE) & (length > COHERENCE * np.hypot(dx, dy).mean(0)) & (stack.std(0) < STEADY)
    top, left, bottom, right = (
        round(edge * side) for edge, side in zip(box, (height, width, height, width), strict=True)
    )
    inside = np.zeros_like(still)
    inside[top + 3 : max(top + 3, bottom - 3), left + 3 : max(left + 3, right - 3)] = True
    grown = cv2.morphologyEx((still & inside).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, 11), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(grown)
    mask = empty
    for label in range(1, count):
        here = (labels == label) & still
        if here.sum() >= 10 and stats[label, cv2.CC_STAT_WIDTH] < 0.8 * width and _two_ways(mean_x[here], mean_y[here]):
            mask |= labels == label
    return cv2.dilate(mask.astype(np.uint8), np.ones((5, 5), np.uint8)).astype(bool)


def _two_ways(dx: np.ndarray, dy: np.ndarray) -> bool:
    """Whether edges run in more than one direction: writing does, a horizon does not."""
    tensor = np.array([[dx @ dx, dx @ dy], [dx @ dy, dy @ dy]])
    small, large = np.linalg.eigvalsh(tensor)
    return bool(small > 0.08 * large)
