"""Where the camera goes: an autopilot that steers by the disparity it sees, and fixed flight plans.

A flight is anything with ``pose`` and ``next_pose``. The autopilot follows Infinite Nature (arXiv 2012.09855,
section 4.3 and its release): keep the skyline at a chosen height, turn away from near ground, stay above it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ..errors import InputError
from .cameras import read_cameras
from .geometry import Intrinsics, Pose, compose, identity_pose, invert

Steer = tuple[float, float]


@runtime_checkable
class Flight(Protocol):
    """Where the camera goes. ``pose`` is where it is now: cam_from_world, float64 numpy ``[3, 4]``."""

    pose: Pose

    def next_pose(self, disparity: object, steer: Steer = (0.0, 0.0)) -> Pose:
        """Move on by one step, given the disparity ``[h, w]`` seen at ``pose``; returns the new ``pose``."""


class Autopilot:
    """Flies over the ground, under the sky, away from what is near.

    Args:
        intrinsics: fx fy cx cy, normalised.
        pose: where the flight starts, cam_from_world ``[3, 4]``; ``None`` is the identity.
        speed: distance per step, in scene units; negative flies backwards.
        horizon: the share of the picture that should be sky.
        near_fraction: the share of the picture that should be near ground (disparity above 0.55 or so).
        smoothing: share of the new direction taken per step, in (0, 1].

    Raises:
        InputError: an argument is not finite, of another shape, or out of range.
    """

    def __init__(
        self,
        intrinsics: Intrinsics,
        pose: Pose | None = None,
        speed: float = 0.2,
        horizon: float = 0.3,
        near_fraction: float = 0.2,
        smoothing: float = 0.05,
    ) -> None:
        self.intrinsics = _finite(intrinsics, (4,), "intrinsics")
        self.pose = _finite(identity_pose() if pose is None else pose, (3, 4), "pose")
        if not (math.isfinite(speed) and math.isfinite(horizon) and math.isfinite(near_fraction)):
            raise InputError("speed, horizon and near_fraction must be finite", remedy="Give numbers")
        if not 0 < smoothing <= 1:
            raise InputError(f"smoothing is {smoothing}, outside (0, 1]", remedy="The release uses 0.05")
        self.speed, self.horizon, self.near_fraction, self.smoothing = speed, horizon, near_fraction, smoothing
        world_from_cam = invert(self.pose)
        self._position = world_from_cam[:, 3]
        self._down = world_from_cam[:, 1]
        self._look = self._move = world_from_cam[:, 2]

    @property
    def course(self) -> Float[np.ndarray, "3 3"]:
        """Position, view direction and heading, in world axes; another autopilot given it continues from there."""
        return np.stack([self._position, self._look, self._move])

    @course.setter
    def course(self, course: Float[np.ndarray, "3 3"]) -> None:
        self._position, self._look, self._move = _finite(course, (3, 3), "course")
        self.pose = look_along(self._position, self._look, self._down)

    def next_pose(self, disparity: object, steer: Steer = (0.0, 0.0)) -> Pose:
        """Fly one step.

        Args:
            disparity: ``[h, w]``, numpy or torch, seen at ``pose``.
            steer: added to the point of the picture to look at, in picture widths and heights.

        Raises:
            InputError: either is not finite, or disparity is not one image.
        """
        if not (math.isfinite(steer[0]) and math.isfinite(steer[1])):
            raise InputError(f"steer is {steer}", remedy="Give two finite numbers, in picture widths and heights")
        look_x, look_y, move_y = self.balance(disparity)
        look = self._towards(self._look, look_x + steer[0], look_y + steer[1])
        if np.linalg.norm(np.cross(self._down, look)) > 1e-3 * np.linalg.norm(look):  # never straight up or down
            self._look = look
        self._move = self._towards(self._move, 0.5, move_y)
        self._position = self._position + self._move * self.speed
        self.pose = look_along(self._position, self._look, self._down)
        return self.pose

    def balance(self, disparity: object) -> tuple[float, float, float]:
        """Where to look (x, y) and how high to head (y), in picture widths and heights, from disparity ``[h, w]``."""
        seen = _disparity(disparity)
        sky = np.clip(20 * (0.1 - seen), 0, 1)
        middle = seen.shape[1] // 2
        left, right = sky[:, :middle].mean(), sky[:, middle:].mean()
        ground = np.clip(10 * (seen - 0.5), 0, 1)
        look_x = (right + 1e-4) / (left + right + 2e-4)
        look_y = 0.5 + sky.mean() - self.horizon
        move_y = self.horizon + self.near_fraction - ground.mean()
        if self.speed < 0:
            look_x, move_y = 1 - look_x, 1 - move_y
        return float(look_x), float(look_y), float(move_y)

    def _towards(self, direction: np.ndarray, x: float, y: float) -> np.ndarray:
        fx, fy, cx, cy = self.intrinsics
        ray = np.array([(x - cx) / fx, (y - cy) / fy, 1.0])
        wanted = self.pose[:, :3].T @ (ray / np.linalg.norm(ray))
        return (1 - self.smoothing) * direction + self.smoothing * wanted


class FixedFlight:
    """A plan made beforehand: its poses are flown in turn, regardless of what is seen.

    Args:
        poses: cam_from_world ``[n, 3, 4]``, or an endless iterable of ``[3, 4]``; the first is the start.
    """

    def __init__(self, poses: Iterable[Pose]) -> None:
        self._poses: Iterator[Pose] = iter(poses)
        self._step = 0
        self.pose = self._take()

    def next_pose(self, disparity: object = None, steer: Steer = (0.0, 0.0)) -> Pose:
        """The next pose of the plan; ``disparity`` and ``steer`` are ignored.

        Raises:
            InputError: the plan has no more poses.
        """
        self._step += 1
        self.pose = self._take()
        return self.pose

    def _take(self) -> Pose:
        try:
            pose = next(self._poses)
        except StopIteration:
            raise InputError(
                f"The flight plan has {self._step} poses, and one more was asked for",
                remedy=f"Fly at most {max(self._step - 1, 0)} steps, or give a longer plan",
            ) from None
        return _finite(pose, (3, 4), f"pose {self._step} of the flight plan")


def straight(pose: Pose | None = None, speed: float = 0.2) -> FixedFlight:
    """Endless flight along the view direction; negative ``speed`` flies backwards."""
    start = _finite(identity_pose() if pose is None else pose, (3, 4), "pose")
    return FixedFlight(compose(_shift(0, 0, -speed * step), start) for step in _count())


def orbit(
    pose: Pose | None = None, radius: float = 1.0, degrees_per_step: float = 3.0, sway: float | None = None
) -> FixedFlight:
    """Endless flight around the point ``radius`` ahead, facing it; positive angles go to the right.

    With ``sway`` the camera swings to and fro by that many degrees instead of going all the way round
    (a picture has no back).
    """
    start = _finite(identity_pose() if pose is None else pose, (3, 4), "pose")

    def pose_at(step: int) -> Pose:
        angle = degrees_per_step * step
        if sway is not None:
            angle = sway * math.sin(math.radians(degrees_per_step * step))
        turned = compose(_turn(math.radians(angle)), _shift(0, 0, -radius))
        return compose(compose(_shift(0, 0, radius), turned), start)

    return FixedFlight(pose_at(step) for step in _count())


def from_file(path: Path, pose: Pose | None = None) -> FixedFlight:
    """Fly the poses of a RealEstate10K camera file, moved so that its first pose is ``pose`` if that is given.

    Raises:
        InputError: the file is malformed or has no poses.
    """
    poses = read_cameras(Path(path)).poses
    if not len(poses):
        raise InputError(f"{path} has no poses", remedy="Give a camera file with at least one line of numbers")
    if pose is None:
        return FixedFlight(poses)
    start = _finite(pose, (3, 4), "pose")
    return FixedFlight(compose(compose(each, invert(poses[0])), start) for each in poses)


def look_along(position: np.ndarray, look: np.ndarray, down: np.ndarray) -> Pose:
    """The pose of a camera at ``position`` that looks along ``look``, its y axis as near ``down`` as possible.

    All three are ``[3]``, in world axes; ``look`` and ``down`` may have any length but must not be parallel.
    """
    z = _unit(look)
    x = _unit(np.cross(down, z))
    rotation = np.stack([x, np.cross(z, x), z])
    return np.concatenate([rotation, -rotation @ position[:, None]], 1)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _count() -> Iterator[int]:
    step = 0
    while True:
        yield step
        step += 1


def _shift(x: float, y: float, z: float) -> Pose:
    return np.array([[1.0, 0, 0, x], [0, 1.0, 0, y], [0, 0, 1.0, z]])


def _turn(angle: float) -> Pose:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s, 0], [0, 1.0, 0, 0], [-s, 0, c, 0]])


def _disparity(disparity: object) -> Float[np.ndarray, "h w"]:
    if hasattr(disparity, "detach"):  # a torch tensor, on any device
        disparity = disparity.detach().float().cpu().numpy()
    seen = np.asarray(disparity, dtype=np.float64)
    if seen.ndim != 2 or seen.shape[1] < 2 or not np.isfinite(seen).all():
        raise InputError(
            f"The autopilot was shown disparity of shape {seen.shape}, or values that are not finite",
            remedy="Give one finite disparity image [h, w]",
        )
    return seen


def _finite(values: object, shape: tuple[int, ...], name: str) -> np.ndarray:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise InputError(f"{name} is not {shape} finite numbers: {array.tolist()}", remedy="Check the camera")
    return array
