"""Points tracked through a video at about 15 Hz: each step, and pairs of frames farther apart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

from .links import corners, follow, patches

Gray = UInt8[np.ndarray, "h w"]

LEAST_POINTS = 20  # points that must be tracked directly from a window's first picture to its last
FEW = 24  # points; with fewer, or a quarter of those it began with, the window closes and new ones are detected
READ_S = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)  # ages at which a window is read; after the last it closes
READ_WIDTHS = (0.03, 0.06, 0.12, 0.2, 0.3)  # motion of the picture at which it is read; after the last it closes
PAUSE_S = 0.3  # least time between two reads of one window, except its last
ALIKE = 0.8  # least normalised cross-correlation of a point's surroundings; ground keeps 0.9, waves fall to 0.4
OFF_AFFINE = 0.006  # picture widths a point may lie from where an affine map has it
BORDER = 0.06  # of the longer side; a point lost so near the edge has left the picture


@dataclass(frozen=True)
class Step:
    """Motion of the picture from one tracked frame to the next; lengths in picture widths."""

    before_s: float
    after_s: float
    dx: float  # at the centre; the picture's content moves right
    dy: float
    zoom: float  # natural logarithm of the scale
    roll: float  # radians
    flow: float  # median length of the points' paths
    share: float  # points that were followed and agree, 0..1


@dataclass(frozen=True)
class Window:
    """Points of one picture, and where they are in a later one; windows that open together share ``before_s``."""

    before_s: float
    after_s: float
    set_out: int  # points it began with, without those that have left the picture since
    anchor: Float[np.ndarray, "n 2"]  # pixels
    points: Float[np.ndarray, "n 2"]
    firm: Bool[np.ndarray, "n"]  # looks as it did: neither water nor sky, and followed without drift
    shape: tuple[int, int]  # of the pictures, height and width

    @property
    def shift(self) -> float:
        """Median motion of all its points, picture widths; 0 without points."""
        return _median_way(self.anchor, self.points) / self.shape[1]

    @property
    def firm_shift(self) -> float:
        """Median motion of its firm points, picture widths; 0 without any."""
        return _median_way(self.anchor[self.firm], self.points[self.firm]) / self.shape[1]

    @property
    def firm_way(self) -> float:
        """Mean motion of the middle half of the firm points, picture widths.

        Steadier than their median, which jumps if half of them are near and half far, as over a coast.
        """
        return _middle_way(self.anchor[self.firm], self.points[self.firm]) / self.shape[1]


def _median_way(anchor: np.ndarray, points: np.ndarray) -> float:
    return float(np.median(np.linalg.norm(points - anchor, axis=1))) if len(points) else 0.0


def _middle_way(anchor: np.ndarray, points: np.ndarray) -> float:
    ways = np.sort(np.linalg.norm(points - anchor, axis=1))
    least = len(ways) // 4
    return float(ways[least : len(ways) - least].mean()) if len(ways) else 0.0


class Tracker:
    """Tracks points through a video; give it frames in order and take steps and windows from it.

    A window opens with fresh corners and closes when few of them are left, when the picture has moved far, or when it
    is old. In between it is read at several ages and distances, so that a slow flight shows its whole travel.
    """

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.windows: list[Window] = []
        self._before: Gray | None = None
        self._time_s = 0.0
        self._points = np.zeros((0, 2), np.float32)
        self._anchor = np.zeros((0, 2), np.float32)  # where the points were when the window opened
        self._opening: Gray | None = None  # the picture that they were in
        self._opened_s = 0.0
        self._read_s = 0.0  # when the window was last read
        self._set_out = self._left = 0  # points at its opening; of these, those that have left the picture
        self._passed = 0  # how many of READ_S and READ_WIDTHS the window has passed

    def add(self, gray: Gray, time_s: float) -> None:
        """The next frame to follow points into."""
        if self._before is not None:
            if not len(self._points):
                self._open(self._before, self._time_s)
            self._advance(self._before, gray, time_s)
        self._before, self._time_s = gray, time_s

    def _open(self, gray: Gray, time_s: float) -> None:
        self._points = corners(gray)
        self._anchor, self._opening, self._opened_s, self._read_s = self._points, gray, time_s, time_s
        self._set_out, self._left, self._passed = len(self._points), 0, 0

    def _advance(self, before: Gray, gray: Gray, time_s: float) -> None:
        points, anchor = self._points, self._anchor
        there, good = _follow_far(before, gray, points) if len(points) else (points, np.zeros(0, bool))
        self.steps.append(_step(points, there, good, gray.shape, self._time_s, time_s))
        self._left += _near_border(points[~good], gray.shape)
        self._points, self._anchor = there[good], anchor[good]
        shift = _median_way(self._anchor, self._points) / gray.shape[1]
        age_s = time_s - self._opened_s + 1e-6
        closes = len(self._points) < max(FEW, 0.25 * self._set_out) or shift >= READ_WIDTHS[-1] or age_s >= READ_S[-1]
        passed = sum(age_s >= age for age in READ_S) + sum(shift >= way for way in READ_WIDTHS)
        if closes or (passed > self._passed and time_s - self._read_s >= PAUSE_S):
            self._read(gray, time_s)
            self._passed, self._read_s = passed, time_s
        if closes:
            self._points = self._points[:0]  # a new window opens with the next frame

    def _read(self, gray: Gray, time_s: float) -> None:
        assert self._opening is not None
        anchor, points, firm = self._anchor, self._points, np.zeros(len(self._points), bool)
        if len(points) >= 8 and (found := _without_drift(self._opening, gray, anchor, points)) is not None:
            straight, good, alike = found
            if good.sum() >= LEAST_POINTS:  # where hardly any arrive they stay as they were
                anchor, points, firm = anchor[good], straight[good], alike[good] >= ALIKE
            else:
                firm = good & (alike >= ALIKE)
                points = np.where(good[:, None], straight, points)
        shape = (gray.shape[0], gray.shape[1])
        self.windows.append(Window(self._opened_s, time_s, self._set_out - self._left, anchor, points, firm, shape))


def _near_border(points: Float[np.ndarray, "n 2"], shape: tuple[int, ...]) -> int:
    """How many points lie at the edge of the picture."""
    height, width = shape
    edge = BORDER * max(shape)
    x, y = points[:, 0], points[:, 1]
    return int(((x < edge) | (y < edge) | (x > width - edge) | (y > height - edge)).sum())


def _follow_far(
    before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"], points: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, "n 2"], np.ndarray]:
    """Track points; if few are found, try again starting from the motion of the picture as a whole."""
    import cv2

    there, good = follow(before, after, points)
    if good.mean() > 0.5:
        return there, good
    (dx, dy), _ = cv2.phaseCorrelate(before.astype(np.float32), after.astype(np.float32))
    other, better = follow(before, after, points, points + np.array([dx, dy], np.float32))
    return (other, better) if better.sum() > good.sum() else (there, good)


def _step(
    points: np.ndarray, there: np.ndarray, good: np.ndarray, shape: tuple[int, ...], before_s: float, after_s: float
) -> Step:
    import cv2

    height, width = shape
    nothing = Step(before_s, after_s, 0, 0, 0, 0, 0, 0)
    if good.sum() < 12:
        return nothing
    near, far = points[good], there[good]
    similarity, inliers = cv2.estimateAffinePartial2D(near, far, ransacReprojThreshold=max(2.0, 0.012 * width))
    if similarity is None:
        return nothing
    centre = np.array([width / 2, height / 2])
    dx, dy = (similarity[:, :2] @ centre + similarity[:, 2] - centre) / width
    zoom = float(np.log(max(np.hypot(similarity[0, 0], similarity[1, 0]), 1e-3)))
    roll = float(np.arctan2(similarity[1, 0], similarity[0, 0]))
    flow = float(np.median(np.linalg.norm(far - near, axis=1))) / width
    return Step(before_s, after_s, float(dx), float(dy), zoom, roll, flow, float(inliers.sum()) / len(points))


def _without_drift(
    opening: Gray, gray: Gray, anchor: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Track points again, directly from a window's first picture to its last, warped to the first one's scale.

    From frame to frame points drift as the picture grows or turns, each differently, which would look like parallax.

    Returns:
        Their places, which of them were found, and how similar they look (normalised cross-correlation); None if the
        pictures cannot be aligned.
    """
    import cv2

    there_from_here, _ = cv2.estimateAffine2D(anchor, points, ransacReprojThreshold=OFF_AFFINE * max(gray.shape))
    if there_from_here is None or abs(np.linalg.det(there_from_here[:, :2])) < 1e-3:
        return None
    here_from_there = cv2.invertAffineTransform(there_from_here)
    brought = opening.copy()  # shows through where the last picture does not reach
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(gray, there_from_here, gray.shape[::-1], brought, flags, cv2.BORDER_TRANSPARENT)
    found, good = follow(opening, brought, anchor, _mapped(here_from_there, points), levels=1)
    alike = (patches(opening, anchor) * patches(brought, found)).sum(1)
    return _mapped(there_from_here, found), good, alike


def _mapped(affine: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    return (points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)
