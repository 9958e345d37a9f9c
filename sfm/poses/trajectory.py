"""Plausibility of the camera path: its figures, and a smoothed path beside the raw one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from flythrough.scene.geometry import camera_center

from .scene import Scene

_TURNED = 0.003  # spread of the x axes above which they determine gravity: about 11 degrees of yaw in all
_NOISE = 0.5  # measurement noise of the smoother, median steps; its process noise is set in _rts


@dataclass(frozen=True)
class Quality:
    """Figures of a posed piece of a shot.

    Attributes:
        error_px: mean reprojection error, pixels at a width of 640.
        track: mean number of keyframes that see a point.
        points: median number of points that a frame sees.
        angle_deg: median over the points of the angle between their outermost rays.
        fov_deg: field of view across the wider side.
        jump: largest distance of a camera from the smoothed path, median steps; None for photos.
        swing_deg: largest turn of a camera away from the smoothed path; None for photos.
        tilt_deg: median roll against the horizon.
        pitch_deg: median pitch, positive looks down.
    """

    error_px: float
    track: float
    points: float
    angle_deg: float
    fov_deg: float
    jump: float | None
    swing_deg: float | None
    tilt_deg: float
    pitch_deg: float

    def figures(self) -> dict[str, float]:
        """For the clip's measures."""
        return {name: round(float(value), 5) for name, value in vars(self).items() if value is not None}


def measure_quality(scene: Scene, smoothed: Float[np.ndarray, "m 3 4"], *, film: bool = True) -> Quality:
    """The figures of a scene.

    Args:
        scene: a posed piece of a shot.
        smoothed: its poses, smoothed by :func:`smooth`.
        film: False for photos, which need not follow a path.
    """
    centers = camera_center(scene.poses)
    step = max(float(np.median(np.linalg.norm(np.diff(centers, axis=0), axis=-1))), 1e-12)
    away = np.linalg.norm(camera_center(smoothed) - centers, axis=-1)
    roll, pitch = _attitude(scene.poses)
    in_key = scene.key[scene.seen_frame]
    wide = max(scene.lens.width, scene.lens.height)
    sees = np.bincount(scene.seen_frame, minlength=len(scene.frames))
    return Quality(
        error_px=float(scene.errors_px().mean()) * 640 / scene.lens.width if len(scene.seen_xy) else np.inf,
        track=float(in_key.sum() / max(1, len(scene.points))),
        points=float(np.median(sees)),
        angle_deg=float(np.median(scene.angles_deg())) if len(scene.points) else 0.0,
        fov_deg=float(2 * np.degrees(np.arctan(wide / 2 / scene.lens.focal))),
        jump=float(away.max() / step) if film else None,
        swing_deg=float(_turn_deg(scene.poses, smoothed).max()) if film else None,
        tilt_deg=float(np.median(np.abs(roll))),
        pitch_deg=float(np.median(pitch)),
    )


def _turn_deg(a: Float[np.ndarray, "m 3 4"], b: Float[np.ndarray, "m 3 4"]) -> Float[np.ndarray, "m"]:
    """Angle between the orientations of the poses of two lists, pair by pair."""
    trace = np.einsum("nij,nij->n", a[:, :, :3], b[:, :, :3])
    return np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1)))


def smooth(poses: Float[np.ndarray, "m 3 4"], times_us: Int64[np.ndarray, "m"]) -> Float[np.ndarray, "m 3 4"]:
    """The poses (cam_from_world) smoothed by a constant-velocity Kalman smoother (RTS), centres and orientations."""
    seconds = (np.asarray(times_us) - times_us[0]) / 1e6
    centers = camera_center(poses)
    step = max(float(np.median(np.linalg.norm(np.diff(centers, axis=0), axis=-1))), 1e-12)
    tick = float(np.median(np.diff(seconds)))
    smooth_centers = _rts(centers / step, seconds / tick) * step
    # Orientation: the two first rows of each rotation, smoothed and made orthonormal again.
    rows = poses[:, :2, :3].reshape(len(poses), 6)
    turn = max(float(np.median(np.linalg.norm(np.diff(rows, axis=0), axis=-1))), 1e-9)
    x, y = np.split(_rts(rows / turn, seconds / tick) * turn, 2, axis=-1)
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    y -= (x * y).sum(-1, keepdims=True) * x
    y /= np.linalg.norm(y, axis=-1, keepdims=True)
    rotation = np.stack([x, y, np.cross(x, y)], 1)
    return np.concatenate([rotation, -rotation @ smooth_centers[:, :, None]], -1)


def _rts(values: Float[np.ndarray, "m d"], times: Float[np.ndarray, "m"]) -> Float[np.ndarray, "m d"]:
    """Rauch-Tung-Striebel smoother with a constant-velocity model; all columns share one covariance."""
    count = len(values)
    first_velocity = (values[1] - values[0]) / max(times[1] - times[0], 1e-9)
    state, covariance = np.stack([values[0], first_velocity]), np.diag([_NOISE**2, 1.0])
    states, covariances, predicted, spreads, moves = [state], [covariance], [], [], []
    for i in range(1, count):
        dt = times[i] - times[i - 1]
        move = np.array([[1.0, dt], [0.0, 1.0]])
        process = np.array([[dt**3 / 3, dt**2 / 2], [dt**2 / 2, dt]]) * 0.05
        state, covariance = move @ state, move @ covariance @ move.T + process
        moves.append(move)
        predicted.append(state)
        spreads.append(covariance)
        gain = covariance[:, 0] / (covariance[0, 0] + _NOISE**2)
        state = state + gain[:, None] * (values[i] - state[0])
        covariance = covariance - np.outer(gain, covariance[0])
        states.append(state)
        covariances.append(covariance)
    for i in range(count - 2, -1, -1):
        gain = covariances[i] @ moves[i].T @ np.linalg.inv(spreads[i])
        states[i] = states[i] + gain @ (states[i + 1] - predicted[i])
    return np.stack(states)[:, 0]


def _attitude(poses: Float[np.ndarray, "m 3 4"]) -> tuple[Float[np.ndarray, "m"], Float[np.ndarray, "m"]]:
    """Roll and pitch of each camera, degrees, against the gravity that the poses suggest."""
    down = gravity(poses)
    local = poses[:, :, :3] @ down  # gravity in camera axes
    roll = np.degrees(np.arctan2(local[:, 0], np.hypot(local[:, 1], local[:, 2])))
    pitch = np.degrees(np.arctan2(local[:, 2], local[:, 1]))
    return roll, pitch


def gravity(poses: Float[np.ndarray, "m 3 4"]) -> Float[np.ndarray, 3]:
    """Direction of down in the world, unit: orthogonal to all x axes of a stabilised camera."""
    down, _ = _down_of(poses)
    return down


def level(poses: Float[np.ndarray, "m 3 4"]) -> Float[np.ndarray, 3] | None:
    """As :func:`gravity`, but None if the camera turned too little to separate the horizon from its own pitch."""
    down, turned = _down_of(poses)
    return down if turned > _TURNED else None


def _down_of(poses: Float[np.ndarray, "m 3 4"]) -> tuple[Float[np.ndarray, 3], float]:
    """The direction of down, and how much the x axes spread around it, 0 to 0.5."""
    mean_down = poses[:, 1, :3].mean(0)
    mean_down /= np.linalg.norm(mean_down)
    right = poses[:, 0, :3]
    scatter = right.T @ right / len(poses)
    spread = float(np.linalg.eigvalsh(scatter)[1])
    weight = 0.02 * max(0.0, 1 - spread / _TURNED) + 1e-6  # a prior that fades as the camera turns
    down = np.linalg.eigh(scatter + weight * (np.eye(3) - np.outer(mean_down, mean_down)))[1][:, 0]
    return (down if down @ mean_down > 0 else -down), spread


def runs(scene: Scene, min_frames: int) -> list[Scene]:
    """The scene's stretches without a missing frame, longest first, each with at least ``min_frames``."""
    breaks = np.flatnonzero(np.diff(scene.frames) > 1) + 1
    pieces = np.split(np.arange(len(scene.frames)), breaks)
    pieces = sorted((p for p in pieces if len(p) >= min_frames), key=len, reverse=True)
    if len(pieces) == 1 and len(pieces[0]) == len(scene.frames):
        return [scene]
    return [scene.keep_frames(np.isin(np.arange(len(scene.frames)), piece)) for piece in pieces]
