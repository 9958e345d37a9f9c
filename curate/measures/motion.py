"""How the camera moves, from points followed at about 15 Hz: speed, zoom, roll, shake, parallax, movers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Float, UInt8

from .links import corners, follow

LEAST_POINTS = 20  # that show geometry
FEW = 40  # points; with fewer the anchor is given up and new ones are sought
WINDOW_SHIFT = 0.09  # picture widths the anchor's points move before a window closes
HALF_S = 1.5  # age after which half of that will do
READ_S = (1.0, 2.0, 4.0, 8.0)  # ages at which a slow window is read all the same; after the last it closes
LEAST_SHIFT = 0.015  # picture widths; below, parallax drowns in tracking noise
FLAT = 0.05  # parallax; below, a fundamental matrix can bend to a few movers, and the homography tells them
OFF_PLANE = 0.006  # picture widths a point lies from where a homography has it; tracking errs by less than half of it


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
    """Geometry between two frames far enough apart."""

    before_s: float
    after_s: float
    shift: float  # median length of the points' paths, picture widths
    parallax: float  # share of the points on the epipolar geometry that no one homography carries along
    movers: float  # points off the epipolar geometry, 0..1
    small_movers: int  # those that move alone, among points that do not: people, cars, birds


class Tracker:
    """Follows points through a video; give it frames in order and take steps and windows from it."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self.windows: list[Window] = []
        self._before: UInt8[np.ndarray, "h w"] | None = None
        self._time_s = 0.0
        self._points = np.zeros((0, 2), np.float32)
        self._anchor = np.zeros((0, 2), np.float32)  # where the points were when the window opened
        self._opening: UInt8[np.ndarray, "h w"] | None = None  # the picture that they were in
        self._opened_s = 0.0
        self._reads = 0  # how many of READ_S the open window has passed

    def add(self, gray: UInt8[np.ndarray, "h w"], time_s: float) -> None:
        """The next frame to follow points into."""
        if self._before is not None:
            if len(self._points) < FEW:
                self._open(self._before, self._time_s)
            self._advance(self._before, gray, time_s)
        self._before, self._time_s = gray, time_s

    def _open(self, gray: UInt8[np.ndarray, "h w"], time_s: float) -> None:
        self._points = corners(gray)
        self._anchor, self._opening, self._opened_s, self._reads = self._points, gray, time_s, 0

    def _advance(self, before: UInt8[np.ndarray, "h w"], gray: UInt8[np.ndarray, "h w"], time_s: float) -> None:
        points, anchor = self._points, self._anchor
        there, good = _follow_far(before, gray, points) if len(points) else (points, np.zeros(0, bool))
        width = gray.shape[1]
        self.steps.append(_step(points, there, good, gray.shape, self._time_s, time_s))
        self._points, self._anchor = there[good], anchor[good]
        shift = float(np.median(np.linalg.norm(self._points - self._anchor, axis=1))) / width if good.any() else 0.0
        lost = len(self._points) < max(FEW, 0.4 * len(points))
        age_s = time_s - self._opened_s
        moved = shift >= WINDOW_SHIFT or (age_s >= HALF_S and shift >= WINDOW_SHIFT / 2)
        closes = moved or lost or age_s >= READ_S[-1]
        due = age_s >= READ_S[min(self._reads, len(READ_S) - 1)]
        if (closes or due) and len(self._points) >= LEAST_POINTS and shift >= LEAST_SHIFT:
            assert self._opening is not None
            ends = _without_drift(self._opening, gray, self._anchor, self._points)
            self.windows.append(_window(*ends, gray.shape, self._opened_s, time_s))
        self._reads = sum(age_s >= read_s for read_s in READ_S)
        if closes:
            self._points = self._points[:0]  # a new window opens with the next frame


def _follow_far(
    before: UInt8[np.ndarray, "h w"], after: UInt8[np.ndarray, "h w"], points: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, "n 2"], np.ndarray]:
    """Follow points; where few arrive, try again from where the picture as a whole has gone."""
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
    opening: UInt8[np.ndarray, "h w"], gray: UInt8[np.ndarray, "h w"], anchor: np.ndarray, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Follow points once more, from a window's first picture straight to its last, brought to the first one's scale.

    From frame to frame points drift as the picture grows or turns, each its own way, which would pass for parallax.
    Where hardly any arrive they are returned as they were.
    """
    import cv2

    there_from_here, _ = cv2.estimateAffine2D(anchor, points, ransacReprojThreshold=OFF_PLANE * max(gray.shape))
    if there_from_here is None or abs(np.linalg.det(there_from_here[:, :2])) < 1e-3:
        return anchor, points
    here_from_there = cv2.invertAffineTransform(there_from_here)
    brought = opening.copy()  # shows through where the last picture does not reach
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(gray, there_from_here, gray.shape[::-1], brought, flags, cv2.BORDER_TRANSPARENT)
    found, good = follow(opening, brought, anchor, _mapped(here_from_there, points), levels=1)
    if good.sum() < LEAST_POINTS:
        return anchor, points
    return anchor[good], _mapped(there_from_here, found[good])


def _mapped(affine: Float[np.ndarray, "2 3"], points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 2"]:
    return (points @ affine[:, :2].T + affine[:, 2]).astype(np.float32)


def _window(anchor: np.ndarray, points: np.ndarray, shape: tuple[int, ...], before_s: float, after_s: float) -> Window:
    """Fit a fundamental matrix and, to what agrees with it, a homography; count what the homography leaves out.

    A turn or a zoom moves everything by one homography, whatever its depth; a flight over land does not.
    """
    import cv2

    size = max(shape)
    shift = float(np.median(np.linalg.norm(points - anchor, axis=1))) / size
    nothing = Window(before_s, after_s, shift, 0.0, 1.0, 0)
    _, inliers = cv2.findFundamentalMat(anchor, points, cv2.FM_RANSAC, 1.5, 0.99)
    kept = np.ones(len(points), bool) if inliers is None else inliers.ravel().astype(bool)
    if kept.sum() < 12:
        return nothing
    homography, _ = cv2.findHomography(anchor[kept], points[kept], cv2.RANSAC, OFF_PLANE * size)
    if homography is None:
        return nothing
    mapped = cv2.perspectiveTransform(anchor[:, None].astype(np.float64), homography)[:, 0]
    off = np.linalg.norm(mapped - points, axis=1) > OFF_PLANE * size
    parallax = float(off[kept].mean())
    if parallax < FLAT:
        kept = ~off
    return Window(before_s, after_s, shift, parallax, 1 - float(kept.mean()), _alone(anchor, kept))


def _alone(points: np.ndarray, kept: np.ndarray) -> int:
    """How many points off the geometry have at most one like them among their five neighbours."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=-1)
    neighbours = np.argsort(distance, axis=1)[:, 1:6]
    return int((~kept & (kept[neighbours].sum(1) >= 4)).sum())


def motion_measures(steps: Iterable[Step], windows: Sequence[Window]) -> dict[str, float]:
    """Figures of one shot. Those that need tracked points are absent where none could be followed.

    Returns:
        ``tracked`` (share of points that could be followed), ``speed_widths_s``, ``zoom_per_s``,
        ``roll_deg_s``, ``shake_widths_s2``, ``travel_widths``, ``windows`` (how many pairs of frames showed
        geometry), ``parallax``, ``moving_area``, ``small_movers``.
    """
    steps = list(steps)
    measures = {"tracked": float(np.median([s.share for s in steps])) if steps else 0.0}
    sound = [s for s in steps if s.share >= 0.25]
    if not sound:
        return measures
    spans = np.array([s.after_s - s.before_s for s in sound])
    measures["speed_widths_s"] = float(np.median([s.flow for s in sound] / spans))
    measures["zoom_per_s"] = float(np.median([s.zoom for s in sound] / spans))
    measures["roll_deg_s"] = float(np.degrees(np.median(np.abs([s.roll for s in sound]) / spans)))
    measures["shake_widths_s2"] = _shake(sound)
    length_s = steps[-1].after_s - steps[0].before_s
    measures["travel_widths"] = measures["speed_widths_s"] * length_s
    measures["windows"] = float(len(windows))
    longest = max((w.shift for w in windows), default=0.0)
    if telling := [w for w in windows if w.shift >= longest / 2]:
        measures["parallax"] = float(np.median([w.parallax for w in telling]))
        measures["small_movers"] = float(np.mean([w.small_movers for w in telling]))
        measures["moving_area"] = float(np.median([w.movers for w in telling]))
    return measures


def _shake(steps: list[Step]) -> float:
    """Median acceleration of the picture's centre, widths / s^2; at 15 Hz this is dominated by shaking."""
    jolts = []
    for one, two in pairwise(steps):
        if one.after_s == two.before_s:
            a, b = one.after_s - one.before_s, two.after_s - two.before_s
            jolts.append(np.hypot(two.dx / b - one.dx / a, two.dy / b - one.dy / a) / ((a + b) / 2))
    return float(np.median(jolts)) if jolts else 0.0
