"""Flight plans made beforehand: straight on, around a point, or the poses of a camera file."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import count
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from ..errors import InputError
from .autopilot import Steer, finite
from .cameras import read_cameras
from .geometry import Pose, camera_center, compose, identity_pose, invert


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
        return finite(pose, (3, 4), f"pose {self._step} of the flight plan")


def straight(pose: Pose | None = None, speed: float = 0.2) -> FixedFlight:
    """Endless flight along the view direction; negative ``speed`` flies backwards."""
    start = finite(identity_pose() if pose is None else pose, (3, 4), "pose")
    return FixedFlight(compose(_shift(0, 0, -speed * step), start) for step in count())


def orbit(
    pose: Pose | None = None, radius: float = 1.0, degrees_per_step: float = 3.0, sway: float | None = None
) -> FixedFlight:
    """Endless flight around the point ``radius`` ahead, facing it; positive angles go to the right.

    With ``sway`` the camera swings to and fro by that many degrees instead of going all the way round
    (a picture has no back).
    """
    start = finite(identity_pose() if pose is None else pose, (3, 4), "pose")

    def pose_at(step: int) -> Pose:
        angle = degrees_per_step * step
        if sway is not None:
            angle = sway * math.sin(math.radians(degrees_per_step * step))
        turned = compose(_turn(math.radians(angle)), _shift(0, 0, -radius))
        return compose(compose(_shift(0, 0, radius), turned), start)

    return FixedFlight(pose_at(step) for step in count())


def from_file(path: Path, pose: Pose | None = None, speed: float | None = None) -> FixedFlight:
    """Fly the poses of a RealEstate10K camera file.

    Args:
        path: the file.
        pose: where the flight starts, cam_from_world ``[3, 4]``; the path is moved there. None: where the file says.
        speed: distance per step, in the file's units: the path is flown in steps of this length, and turns between
            poses are divided alike. Negative: from its last pose to its first. None: pose by pose.

    Raises:
        InputError: the file is malformed or has no poses, or ``speed`` is 0 or leads nowhere.
    """
    poses = read_cameras(Path(path)).poses
    if not len(poses):
        raise InputError(f"{path} has no poses", remedy="Give a camera file with at least one line of numbers")
    if speed is not None:
        poses = at_speed(poses if speed > 0 else poses[::-1], abs(speed))
    if pose is None:
        return FixedFlight(poses)
    start = finite(pose, (3, 4), "pose")
    return FixedFlight(compose(compose(each, invert(poses[0])), start) for each in poses)


def at_speed(poses: Float[np.ndarray, "n 3 4"], speed: float) -> Float[np.ndarray, "m 3 4"]:
    """Poses every ``speed`` along a path: straight, and turning evenly, from each of its poses to the next.

    Raises:
        InputError: ``speed`` is not above 0, or the path is shorter than one step.
    """
    centers = camera_center(poses)
    at = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(centers, axis=0), axis=1))])
    if not speed > 0 or at[-1] < speed:
        raise InputError(
            f"A path of length {at[-1]:.3g} cannot be flown {speed:g} a step",
            remedy="Give a speed other than 0 and less than the path's length, or none",
        )
    flown = np.arange(int(at[-1] / speed + 1e-9) + 1) * speed
    before = np.clip(np.searchsorted(at, flown, side="right") - 1, 0, len(at) - 2)
    share = np.clip((flown - at[before]) / np.maximum(at[before + 1] - at[before], 1e-12), 0, 1)
    return np.stack([_between(poses[k], poses[k + 1], part) for k, part in zip(before, share, strict=True)])


def _between(first: Pose, second: Pose, share: float) -> Pose:
    turn, _ = cv2.Rodrigues(second[:, :3] @ first[:, :3].T)
    rotation = cv2.Rodrigues(turn * share)[0] @ first[:, :3]
    center = (1 - share) * camera_center(first) + share * camera_center(second)
    return np.concatenate([rotation, -rotation @ center[:, None]], 1)


def _shift(x: float, y: float, z: float) -> Pose:
    return np.array([[1.0, 0, 0, x], [0, 1.0, 0, y], [0, 0, 1.0, z]])


def _turn(angle: float) -> Pose:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s, 0], [0, 1.0, 0, 0], [-s, 0, c, 0]])
