"""Whether two frames show the same scene, by tracking points from one to the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter

import numpy as np
from jaxtyping import Bool, Float, UInt8

from flythrough.media import tracking

Gray = UInt8[np.ndarray, "h w"]
Points = Float[np.ndarray, "n 2"]

MIN_POINTS = 24  # fewer corners than this are not enough to judge
SIFT_INLIERS = 14  # chance matches between unrelated frames stay below


@dataclass(frozen=True)
class Link:
    """Result of tracking points from one frame to another.

    Attributes:
        share: share of the points in view that were tracked and move by one affine map, 0..1; None if the frames have
            too little texture.
        shift: median distance they moved, picture widths.
    """

    share: float | None
    shift: float


def corners(gray: Gray, count: int = 120) -> Points:
    """Corners of a picture, spread over it."""
    return tracking.corners(gray, count, spacing_px=max(4, gray.shape[1] // 24), block=5)


def follow(
    before: Gray, after: Gray, points: Points, guess: Points | None = None, *, levels: int = 3
) -> tuple[Points, Bool[np.ndarray, "n"]]:
    """Track points into another frame and back, from ``guess`` if there is one; each level doubles the reach.

    Returns:
        Their places there, and which of them returned to within a pixel of where they started.
    """
    tracker = tracking.LucasKanade(window=11, levels=levels, rounds=20, least_step_px=0.03)
    there, found, error = tracker.there_and_back(before, after, points, guess, back_from_start=guess is not None)
    height, width = before.shape
    inside = (there >= 0).all(1) & (there[:, 0] < width) & (there[:, 1] < height)
    return there, found & (error < 1.0) & inside


def link(before: Gray, after: Gray) -> Link:
    """Follow points between two frames of any brightness."""
    import cv2

    before, after = _even(before), _even(after)
    points = corners(before)
    if len(points) < MIN_POINTS or len(corners(after, MIN_POINTS)) < MIN_POINTS:
        return Link(None, 0.0)
    near = _agreement(points, *follow(before, after, points), before.shape)
    if near[0] > 0.5:
        return Link(*near)
    (dx, dy), _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32))
    if np.hypot(dx, dy) < 2:
        return Link(*near)
    far = _agreement(points, *follow(before, after, points, points + np.array([dx, dy], np.float32)), before.shape)
    return Link(*max(near, far, key=itemgetter(0)))


def _agreement(points: Points, there: Points, good: np.ndarray, shape: tuple[int, ...]) -> tuple[float, float]:
    """A link's share and shift: of the points that could still be in view, those that move by one affine map."""
    import cv2

    if good.sum() < 8:
        return 0.0, 0.0
    affine, inliers = cv2.estimateAffine2D(points[good], there[good], ransacReprojThreshold=4.0)
    if affine is None or not 0.3 < abs(np.linalg.det(affine[:, :2])) < 3.3:
        return 0.0, 0.0
    expected = points @ affine[:, :2].T + affine[:, 2]
    height, width = shape
    visible = (expected >= 0).all(1) & (expected[:, 0] < width) & (expected[:, 1] < height)
    kept = inliers.ravel().astype(bool)
    shift = float(np.median(np.linalg.norm(there[good][kept] - points[good][kept], axis=1)))
    enough = max(int(visible.sum()), len(points) // 4)
    return min(1.0, float(kept.sum()) / enough), shift / width


def far_link(before: Gray, after: Gray) -> Link:
    """As :func:`link` for frames that are far apart: matches descriptors instead of tracking; slower."""
    import cv2

    sift = cv2.SIFT.create(nfeatures=400, contrastThreshold=0.02)
    (one, a), (two, b) = sift.detectAndCompute(_even(before), None), sift.detectAndCompute(_even(after), None)
    if a is None or b is None or len(one) < MIN_POINTS or len(two) < MIN_POINTS:
        return Link(None, 0.0)
    pairs = [p for p in cv2.BFMatcher().knnMatch(a, b, k=2) if len(p) == 2 and p[0].distance < 0.75 * p[1].distance]
    if len(pairs) < SIFT_INLIERS:
        return Link(0.0, 0.0)
    start = np.array([one[p[0].queryIdx].pt for p in pairs], np.float32)
    end = np.array([two[p[0].trainIdx].pt for p in pairs], np.float32)
    _, inliers = cv2.findHomography(start, end, cv2.RANSAC, 4.0)
    kept = np.zeros(len(pairs), bool) if inliers is None else inliers.ravel().astype(bool)
    if kept.sum() < SIFT_INLIERS:
        return Link(0.0, 0.0)
    shift = float(np.median(np.linalg.norm(end[kept] - start[kept], axis=1))) / before.shape[1]
    return Link(float(kept.mean()), shift)


def carry(frames: Sequence[Gray], points: Points) -> Float[np.ndarray, "n"]:
    """Follow points of the first frame through all frames to the last.

    Returns:
        How alike each point's surroundings are at both ends (normalised cross-correlation); -1 where it was lost.
    """
    alike = np.full(len(points), -1.0)
    here, alive = points.copy(), np.arange(len(points))
    for before, after in pairwise(frames):
        if len(alive) < 4:
            return alike
        there, good = follow(before, after, here[alive])
        alive = alive[good]
        here[alive] = there[good]
    first, last = patches(frames[0], points[alive]), patches(frames[-1], here[alive])
    alike[alive] = (first * last).sum(1)
    return alike


def patches(gray: Gray, points: Points, size: int = 11) -> Float[np.ndarray, "n pixels"]:
    """Surroundings of points, as zero-mean unit vectors."""
    import cv2

    cut = [cv2.getRectSubPix(gray, (size, size), (float(x), float(y))).ravel() for x, y in points]
    found = np.array(cut, np.float32).reshape(len(points), size * size)
    found -= found.mean(1, keepdims=True)
    return found / (np.linalg.norm(found, axis=1, keepdims=True) + 1e-6)


def _even(gray: Gray) -> Gray:
    """Stretch to a fixed mean and contrast, so that flashes and fades do not hide the scene."""
    mean, spread = float(gray.mean()), float(gray.std())
    gain = min(48 / max(spread, 1.0), 12.0)
    return np.clip((gray.astype(np.float32) - mean) * gain + 128, 0, 255).astype(np.uint8)
