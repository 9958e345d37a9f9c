"""Where the camera goes: a flight is anything with ``pose`` and ``next_pose``; the autopilot steers by what it sees.

It follows Infinite Nature (arXiv 2012.09855, section 4.3, and its release): keep the skyline at a chosen height, turn
away from near ground, stay above it. Beyond the paper, it climbs in time over ground that the start picture shows, and
may turn back to land where it comes to the open sea.
"""

from __future__ import annotations

import math
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float

from ..errors import InputError
from .geometry import Intrinsics, Pose, identity_pose, invert
from .known_ground import KnownGround

Steer = tuple[float, float]

LAND = 0.15  # flights into a photo: the share of the ground that should be land


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
        ground: climb in time over what it holds; None steers by what is seen alone, as the paper does.
        land: the share of the ground in view that should be land, which rises above the water beside it; where there is
            less, and nobody steers aside, it looks to the side that shows more; in [0, 1]. 0: as in the paper.

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
        ground: KnownGround | None = None,
        land: float = 0.0,
    ) -> None:
        self.intrinsics = finite(intrinsics, (4,), "intrinsics")
        self.pose = finite(identity_pose() if pose is None else pose, (3, 4), "pose")
        if not (math.isfinite(speed) and math.isfinite(horizon) and math.isfinite(near_fraction)):
            raise InputError("speed, horizon and near_fraction must be finite", remedy="Give numbers")
        if not 0 <= land <= 1:
            raise InputError(f"land is {land}, outside [0, 1]", remedy=f"Flights into photos have {LAND}")
        if not 0 < smoothing <= 1:
            raise InputError(f"smoothing is {smoothing}, outside (0, 1]", remedy="The release uses 0.05")
        self.speed, self.horizon, self.near_fraction, self.smoothing = speed, horizon, near_fraction, smoothing
        world_from_cam = invert(self.pose)
        self._position = world_from_cam[:, 3]
        self._down = world_from_cam[:, 1]
        self._look = self._move = world_from_cam[:, 2]
        self._ground, self._land = ground, land

    @classmethod
    def from_start(
        cls,
        disparity: Float[np.ndarray, "h w"],
        intrinsics: Intrinsics,
        pose: Pose | None = None,
        speed: float = 0.2,
        land: float = 0.0,
    ) -> Autopilot:
        """An autopilot that starts at a picture with ``disparity`` and knows the ground which it shows."""
        pose = identity_pose() if pose is None else pose
        return cls(intrinsics, pose, speed, ground=KnownGround(disparity, intrinsics, pose), land=land)

    @property
    def course(self) -> Float[np.ndarray, "3 3"]:
        """Position, view direction and heading, in world axes; another autopilot given it continues from there."""
        return np.stack([self._position, self._look, self._move])

    @course.setter
    def course(self, course: Float[np.ndarray, "3 3"]) -> None:
        self._position, self._look, self._move = finite(course, (3, 3), "course")
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
        aside = steer[0] or self._lean(disparity)  # who steers may leave the land
        look = self._towards(self._look, look_x + aside, look_y + steer[1])
        if np.linalg.norm(np.cross(self._down, look)) > 1e-3 * np.linalg.norm(look):  # never straight up or down
            self._look = look
        self._move = self._towards(self._move, 0.5, move_y)
        if self._ground is not None:
            self._move = self._ground.clear(self._position, self._move, self.speed)
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

    def _lean(self, disparity: object) -> float:
        """How far to look towards land, in picture widths, at most one: the less there is, the farther."""
        if not self._land:
            return 0.0
        seen = _disparity(disparity)
        ground = seen[round(self.horizon * len(seen)) :]
        water = np.quantile(ground, 0.1, axis=1, keepdims=True)  # level water is equally far all along a row
        rises = np.clip(10 * (ground - 1.25 * water - 0.01), 0, 1)
        middle = seen.shape[1] // 2
        left, right = rises[:, :middle].mean(), rises[:, middle:].mean()
        missing = max(0.0, 1 - float(rises.mean()) / self._land)
        return missing * float(right - left) / float(left + right + 0.02)

    def _towards(self, direction: np.ndarray, x: float, y: float) -> np.ndarray:
        fx, fy, cx, cy = self.intrinsics
        ray = np.array([(x - cx) / fx, (y - cy) / fy, 1.0])
        wanted = self.pose[:, :3].T @ (ray / np.linalg.norm(ray))
        return (1 - self.smoothing) * direction + self.smoothing * wanted


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


def finite(values: object, shape: tuple[int, ...], name: str) -> np.ndarray:
    """The values as float64 of ``shape``.

    Raises:
        InputError: they are not that, or not finite.
    """
    array = np.array(values, dtype=np.float64)
    if array.shape != shape or not np.isfinite(array).all():
        raise InputError(f"{name} is not {shape} finite numbers: {array.tolist()}", remedy="Check the camera")
    return array
