"""Which model explains the motion between two frames: rotation and zoom, a plane, or parallax."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from flythrough.scene.turning import fit_turn

FOCALS = (0.5, 0.7, 1.0, 1.4, 2.0)  # widths; 90 to 28 degrees across
LEAST_NOISE = 0.0004  # of the longer side: smallest tracking error, 0.1 pixels of 256
OFF_PLANE = 0.006  # of the longer side; tracking errors are below half of it
ON_EPIPOLAR = 0.003  # likewise, from an epipolar line
FLAT = 0.05  # parallax below which the homography finds movers, as a fundamental matrix can fit a few of them

Points = Float[np.ndarray, "n 2"]  # pixels


class Geometry(NamedTuple):
    """How the points of a rigid scene moved between two frames.

    Attributes:
        translation: residual motion beyond the noise after the best rotation and zoom, at the third of the points that
            fit worst: 0 if the camera only turned, or stood still.
        parallax: share of the points that the best homography does not explain.
        depth_gain: how much better a fundamental matrix explains them than a homography, given its freedom and the
            noise: difference of their GRIC (Torr 1998) per point.
    """

    translation: float
    parallax: float
    depth_gain: float


def geometry(anchor: Points, points: Points, shape: tuple[int, int]) -> Geometry:
    """Fit the three models to at least eight points."""
    size, count = max(shape), len(points)
    way = max(float(np.median(np.linalg.norm(points - anchor, axis=1))), 1e-6)
    from_epipolar = _from_epipolar(anchor, points, ON_EPIPOLAR * size)
    noise = max(LEAST_NOISE * size, 1.4826 * float(np.median(from_epipolar)) * np.sqrt(count / max(1, count - 7)))
    from_plane = _from_plane(anchor, points, OFF_PLANE * size)
    # Two thirds, as a turn can follow the far half of a scene alone; two normal errors reach 1.482 of their spread.
    from_turn = float(np.quantile(_from_turn(anchor, points, shape), 2 / 3))
    translation = np.sqrt(max(0.0, from_turn**2 - (1.482 * noise) ** 2)) / way
    gain = _gric(from_plane, noise, 2, 8) - _gric(from_epipolar, noise, 3, 7)
    on = from_epipolar <= max(ON_EPIPOLAR * size, 3 * noise)
    off = from_plane > max(OFF_PLANE * size, 3 * noise)
    return Geometry(float(translation), float(off[on].mean()) if on.any() else 0.0, float(gain) / count)


def movers(anchor: Points, points: Points, shape: tuple[int, int]) -> tuple[float, int]:
    """Share of points off the epipolar geometry, and how many of them move alone, as people, cars and birds do."""
    import cv2

    size = max(shape)
    _, inliers = cv2.findFundamentalMat(anchor, points, cv2.FM_RANSAC, OFF_PLANE * size, 0.99)
    kept = np.ones(len(points), bool) if inliers is None else inliers.ravel().astype(bool)
    if kept.sum() < 12:
        return 1.0, 0
    off = _from_plane(anchor, points, OFF_PLANE * size, kept) > OFF_PLANE * size
    if off[kept].mean() < FLAT:
        kept = ~off
    return 1 - float(kept.mean()), _alone(anchor, kept)


def _from_turn(anchor: Points, points: Points, shape: tuple[int, int]) -> Float[np.ndarray, "n"]:
    """Distance of each point from where the best rotation and zoom predicts it, pixels."""
    height, width = shape
    a, b = ((x.astype(np.float64) - (width / 2, height / 2)) / width for x in (anchor, points))
    turns = [turn for focal in FOCALS if (turn := fit_turn(a, b, focal, 1.5 * LEAST_NOISE)) is not None]
    if not turns:
        return np.linalg.norm(points - anchor, axis=1)
    return min((turn.errors for turn in turns), key=lambda errors: float(np.median(errors))) * width


def _from_plane(
    anchor: Points, points: Points, tolerance: float, among: np.ndarray | None = None
) -> Float[np.ndarray, "n"]:
    """Distance of each point from where the best homography predicts it, pixels."""
    import cv2

    chosen = np.ones(len(points), bool) if among is None else among
    homography, _ = cv2.findHomography(anchor[chosen], points[chosen], cv2.RANSAC, tolerance)
    if homography is None:
        return np.linalg.norm(points - anchor, axis=1)
    mapped = cv2.perspectiveTransform(anchor[:, None].astype(np.float64), homography)[:, 0]
    return np.linalg.norm(mapped - points, axis=1)


def _from_epipolar(anchor: Points, points: Points, tolerance: float) -> Float[np.ndarray, "n"]:
    """Sampson's distance from the best epipolar geometry, pixels."""
    import cv2

    matrix, _ = cv2.findFundamentalMat(anchor, points, cv2.FM_RANSAC, tolerance, 0.99)
    if matrix is None or matrix.shape != (3, 3):
        return np.linalg.norm(points - anchor, axis=1)
    here, there = (cv2.convertPointsToHomogeneous(x)[:, 0].astype(np.float64) for x in (anchor, points))
    lines, back = here @ matrix.T, there @ matrix
    spread = np.sqrt((lines[:, :2] ** 2).sum(1) + (back[:, :2] ** 2).sum(1))
    return np.abs((there * lines).sum(1)) / np.maximum(spread, 1e-12)


def _gric(errors: Float[np.ndarray, "n"], noise: float, dimension: int, parameters: int) -> float:
    """Torr's geometric robust information criterion for pairs of points, which have four coordinates."""
    count = len(errors)
    clipped = np.minimum((errors / noise) ** 2, 2.0 * (4 - dimension))
    return float(clipped.sum() + np.log(4) * dimension * count + np.log(4 * count) * parameters)


def _alone(points: np.ndarray, kept: np.ndarray) -> int:
    """Number of points off the geometry with at most one other such point among their five neighbours."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    neighbours = np.argsort(distance, axis=1)[:, 1:6]
    return int((~kept & (kept[neighbours].sum(1) >= 4)).sum())
