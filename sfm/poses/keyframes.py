"""Which frames to map: spaced evenly by image motion, not by time."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from jaxtyping import Float, Int64, UInt8

from flythrough.media.tracking import LucasKanade, corners

from ..config import KeyframesConfig
from .footage import Footage, shrink

TRACKING_PX = 480  # longer side of the pictures that motion is measured on
_WIDEST = 0.2  # motion between neighbouring keyframes, widths, as far as their maximum rate allows
_TRACKER = LucasKanade(window=15)


def picture_motion(footage: Footage) -> Float[np.ndarray, "steps"]:
    """Median motion of corners from each frame to the next, widths of the picture; NaN where none could be tracked."""
    small = [shrink(image, TRACKING_PX / max(image.shape)) for image in footage.gray]
    motion = np.full(len(small) - 1, np.nan)
    points = _corners(small[0])
    for i, (before, after) in enumerate(pairwise(small)):
        if len(points) < 60:
            points = _corners(before)
        if len(points) < 8:
            continue
        moved, kept = _TRACKER.follow(before, after, points)
        if kept.sum() >= 8:
            motion[i] = np.median(np.linalg.norm(moved[kept] - points[kept], axis=-1)) / before.shape[1]
        points = moved[kept] if kept.mean() > 0.5 else _corners(after)
        height, width = after.shape
        inside = ((points > 4) & (points < [width - 4, height - 4])).all(-1)
        points = points[inside]
    return motion


def choose_keyframes(
    motion: Float[np.ndarray, "steps"], times_us: Int64[np.ndarray, "n"], config: KeyframesConfig
) -> Int64[np.ndarray, "k"]:
    """Indices of the keyframes, ascending, with the first and the last frame.

    They are spaced evenly along the path that the picture travels, ``config.motion`` apart, within the limits on their
    number and rate; a long or fast flight may exceed the number so that neighbours overlap. Where tracking failed, the
    picture counts as having moved by ``config.motion``.
    """
    count = len(times_us)
    seconds = (times_us[-1] - times_us[0]) / 1e6
    path = np.concatenate([[0.0], np.cumsum(np.where(np.isnan(motion), config.motion, motion))])
    least = max(config.least, round(config.min_fps * seconds))
    overlapping = round(path[-1] / _WIDEST)
    most = max(least, min(max(config.most, overlapping), round(config.max_fps * seconds)))
    wanted = int(np.clip(round(path[-1] / config.motion) + 1, least, min(most, count)))
    if wanted > 0.6 * count:
        return np.arange(count)
    # A small share of time keeps some keyframes where the picture does not move.
    travelled = path / max(path[-1], 1e-9) + 0.1 * np.linspace(0, 1, count)
    return np.unique(np.searchsorted(travelled, np.linspace(0, travelled[-1], wanted) - 1e-12))


def _corners(image: UInt8[np.ndarray, "h w"]) -> Float[np.ndarray, "n 2"]:
    return corners(image, 300, spacing_px=8)
