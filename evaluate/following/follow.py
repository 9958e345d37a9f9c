"""Does the flight follow its camera? The motion seen between frames against the motion the poses command.

For each pair of successive frames, the poses and a rough depth predict how every point of the picture should move;
dense optical flow measures how it does. Two numbers compare them over the points with texture:

- correlation: the cosine of the two motion fields, 1 if the picture moves in the commanded direction at any speed;
- gain: the share of the commanded motion that is seen (least squares), 1 for all of it, 0 for a still picture.

Depth is taken from the start frame alone, row by row (a flight keeps its ground below and its sky above), never from
the method, which could choose it so as to seem to follow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from flythrough.scene.geometry import Intrinsics, Pose, compose, invert, pixel_centers, project, transform, unproject

FLOW_HEIGHT = 160  # frames are resized to about this height before flow is measured: small ones are enlarged
MIN_MOTION = 0.002  # of the picture's height: less commanded motion cannot be seen
MIN_TEXTURE = 2.0  # grey levels per pixel: flow is meaningless in smooth sky
MIN_CORRELATION, MIN_GAIN, MAX_GAIN = 0.5, 0.3, 3.0
MIN_PAIRS = 0.2  # share of the pairs that must show enough texture to judge the flight
OUTLIER = 3.0  # flow longer than this many times the commanded motion is clipped: it is a mismatch

Frame = UInt8[np.ndarray, "h w 3"]
Field = Float[np.ndarray, "h w 2"]


@dataclass(frozen=True)
class Follow:
    """How well a flight follows; medians over its pairs of frames.

    Attributes:
        correlation: in [-1, 1].
        gain: commanded motion that is seen, as a share.
        pairs: number of pairs of frames with enough texture and motion; in the others nothing can be measured.
        commanded: pairs between which the camera moved.
    """

    correlation: float
    gain: float
    pairs: int
    commanded: int

    @property
    def reason(self) -> str | None:
        """Why the flight does not follow its camera, or None if it does."""
        if self.commanded == 0:
            return "its camera hardly moves: nothing to follow"
        if self.pairs < max(1, MIN_PAIRS * self.commanded):
            return f"shows detail in {self.pairs} of {self.commanded} pairs of frames: too few to see motion"
        if self.gain < MIN_GAIN:
            return f"moves {self.gain:.2f} of the commanded motion (at least {MIN_GAIN:g})"
        if self.correlation < MIN_CORRELATION:
            return f"its motion correlates {self.correlation:.2f} with the commanded one (at least {MIN_CORRELATION:g})"
        if self.gain > MAX_GAIN:
            return f"moves {self.gain:.2f} of the commanded motion (at most {MAX_GAIN:g})"
        return None


def follow(
    frames: list[Frame], poses: Float[np.ndarray, "n 3 4"], intrinsics: Intrinsics, disparity: Float[np.ndarray, "h w"]
) -> Follow:
    """Compare a flight with its camera.

    Args:
        frames: the start frame, then one per step.
        poses: cam_from_world of each.
        intrinsics: fx fy cx cy, normalised.
        disparity: of the start frame.

    Raises:
        ValueError: not one pose per frame, or fewer than two frames.
    """
    if len(frames) != len(poses) or len(frames) < 2:
        raise ValueError(f"{len(frames)} frames and {len(poses)} poses")
    profile = rough_disparity(disparity)
    found, commanded = [], 0
    for i in range(len(frames) - 1):
        expected, inside = expected_flow(poses[i], poses[i + 1], intrinsics, profile)
        if not moves(expected, inside):
            continue
        commanded += 1
        agreement = compare_motion(optical_flow(frames[i], frames[i + 1]), expected, inside, frames[i])
        if agreement is not None:
            found.append(agreement)
    correlation, gain = np.median(found, 0) if found else (0.0, 0.0)
    return Follow(float(correlation), float(gain), len(found), commanded)


def rough_disparity(disparity: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """The start frame's disparity, each row replaced by its median: roughly true for a whole flight."""
    rows = np.median(np.clip(disparity, 0.01, 1), axis=1, keepdims=True)
    return np.repeat(rows, disparity.shape[1], 1)


def expected_flow(
    here: Pose, there: Pose, intrinsics: Intrinsics, disparity: Float[np.ndarray, "h w"]
) -> tuple[Field, Bool[np.ndarray, "h w"]]:
    """How points move in the picture from ``here`` to ``there``, in picture sizes, and where they stay in view."""
    height, width = disparity.shape
    points = unproject(intrinsics, 1 / disparity).reshape(-1, 3)
    moved, depth = project(intrinsics, transform(compose(there, invert(here)), points))
    inside = (depth > 0.01) & (moved > 0).all(-1) & (moved < 1).all(-1)
    return (moved.reshape(height, width, 2) - pixel_centers(height, width)), inside.reshape(height, width)


def optical_flow(here: Frame, there: Frame) -> Field:
    """Dense flow (DIS, Kroeger et al. 2016) from one frame to the next, in picture sizes, at the frames' own size."""
    import cv2

    height, width = here.shape[:2]
    scale = FLOW_HEIGHT / height
    size = (round(width * scale), round(height * scale))
    gray = [
        cv2.resize(cv2.cvtColor(f, cv2.COLOR_RGB2GRAY), size, interpolation=cv2.INTER_LINEAR) for f in (here, there)
    ]
    method: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = method.calc(*gray, None)
    return cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA) / np.array(size, np.float32)


def moves(expected: Field, inside: Bool[np.ndarray, "h w"]) -> bool:
    """Whether the camera moves enough for a twentieth of the picture to show it."""
    return bool(_visible(expected, inside).mean() > 0.05)


def compare_motion(
    seen: Field, expected: Field, inside: Bool[np.ndarray, "h w"], here: Frame
) -> tuple[float, float] | None:
    """(correlation, gain) of one pair of frames; None if the picture has too little texture to show motion."""
    usable = _visible(expected, inside) & textured(here)
    if usable.sum() < 0.02 * usable.size:
        return None
    told = _in_heights(expected)[usable]
    shown = _in_heights(seen)[usable].astype(np.float64)
    length, most = np.linalg.norm(shown, axis=-1), OUTLIER * np.linalg.norm(told, axis=-1)
    shown *= np.minimum(1, most / np.maximum(length, 1e-12))[:, None]
    dot, power_shown, power_told = (shown * told).sum(), (shown**2).sum(), (told**2).sum()
    return float(dot / np.sqrt(max(power_shown * power_told, 1e-24))), float(dot / power_told)


def _visible(expected: Field, inside: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    return inside & (np.linalg.norm(_in_heights(expected), axis=-1) > MIN_MOTION)


def _in_heights(flow: Field) -> Field:
    """Flow in picture sizes with x and y in one unit, the picture's height (square pixels)."""
    height, width = flow.shape[:2]
    return flow * np.array([width / height, 1.0])


def textured(image: Frame) -> Bool[np.ndarray, "h w"]:
    """Where the picture has enough detail for flow."""
    import cv2

    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    gx, gy = (cv2.Sobel(gray, cv2.CV_32F, dx, dy, scale=1 / 8) for dx, dy in ((1, 0), (0, 1)))
    return cv2.blur(np.hypot(gx, gy), (5, 5)) > MIN_TEXTURE


def warp_error(here: Frame, there: Frame) -> float | None:
    """Temporal warping error: mean |RGB| difference in [0, 1] after the next frame is warped back along the flow.

    Pixels where the flow there and back disagrees are left out; None if that leaves nothing.
    """
    import cv2

    height, width = here.shape[:2]
    size = np.array([width, height], np.float32)
    forward, backward = optical_flow(here, there) * size, optical_flow(there, here) * size
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    map_x, map_y = (x + forward[..., 0]).astype(np.float32), (y + forward[..., 1]).astype(np.float32)
    returned = cv2.remap(backward.astype(np.float32), map_x, map_y, cv2.INTER_LINEAR)
    agree = np.linalg.norm(forward + returned, axis=-1) < 0.01 * height + 0.05 * np.linalg.norm(forward, axis=-1)
    agree &= (map_x >= 0) & (map_x <= width - 1) & (map_y >= 0) & (map_y <= height - 1)
    if not agree.any():
        return None
    warped = cv2.remap(there.astype(np.float32), map_x, map_y, cv2.INTER_LINEAR)
    return float(np.abs(warped - here)[agree].mean() / 255)
