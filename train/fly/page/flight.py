"""A flight that is steered: step, back, restart, and the log of commands that repeats it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from flythrough.errors import InputError
from flythrough.scene.autopilot import Autopilot

from ...model.network import InfiniteNature
from ..from_photo import Start
from ..outputs import color_disparity
from ..rollout import Stepper, to_image

OVERLAYS = ("picture", "disparity", "holes")
BACK = 120  # steps that can be taken back
MAX_STEER, MAX_SPEED = 200, 100  # hundredths: of a picture's width and height; of a scene unit a step
_PAINTED = np.array([255, 60, 200])  # tint of what the network had to invent


class Command(NamedTuple):
    """One step's steering in whole hundredths, so that a log repeats it exactly.

    Attributes:
        x: where to look, added to the autopilot's choice; picture widths, to the right.
        y: as ``x``, picture heights, down.
        speed: scene units a step; below 0 flies backwards.
    """

    x: int = 0
    y: int = 0
    speed: int = 20


def read_command(x: object, y: object, speed: object) -> Command:
    """A command from numbers as they came in.

    Raises:
        InputError: they are not whole numbers within the limits.
    """
    values = (x, y, speed)
    for value, limit in zip(values, (MAX_STEER, MAX_STEER, MAX_SPEED), strict=True):
        if not isinstance(value, int) or isinstance(value, bool) or abs(value) > limit:
            raise InputError(f"{value!r} is not a whole number up to {limit}", remedy="Reload the page")
    return Command(*values)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Moment:
    """Where a flight is: the picture, what of it was seen before, and the pilot's course."""

    rgbd: Float[Tensor, "1 4 h w"]
    seen: Float[Tensor, "1 1 h w"]
    course: Float[np.ndarray, "3 3"]


class SteeredFlight:
    """Flies a start as it is told.

    Args:
        model: in evaluation mode; shared by all flights.
        start: where from.
        seed: of the style; 0 is the start's mean style.
        bf16: refine in bfloat16.

    Attributes:
        log: the commands flown from the start to here.
    """

    def __init__(self, model: InfiniteNature, start: Start, seed: int = 0, *, bf16: bool = False) -> None:
        self._stepper = Stepper(model, torch.from_numpy(start.rgbd), start.intrinsics, bf16=bf16, seed=seed)
        self._pilot = Autopilot(start.intrinsics)
        first = self._stepper.first
        self._takeoff = self._now = _Moment(first, torch.ones_like(first[:, :1]), self._pilot.course)
        self._past: deque[_Moment] = deque(maxlen=BACK)
        self.log: list[Command] = []

    @property
    def position(self) -> list[float]:
        """x, y, z in scene units; the flight starts at the origin, looking along +z."""
        return [float(v) for v in self._now.course[0]]

    @property
    def heading(self) -> list[float]:
        """The view direction, a vector x, y, z."""
        return [float(v) for v in self._now.course[1]]

    def step(self, command: Command) -> None:
        """Fly one step."""
        here = self._pilot.pose
        self._pilot.speed = command.speed / 100
        there = self._pilot.next_pose(self._now.rgbd[0, 3], (command.x / 100, command.y / 100))
        flown = self._stepper.step(self._now.rgbd, here, there)
        self._past.append(self._now)
        self._now = _Moment(flown.rgbd.clamp(0, 1), flown.mask, self._pilot.course)
        self.log.append(command)

    def back(self) -> bool:
        """Take the last step back; False if it is too long ago, or there is none."""
        if not self._past:
            return False
        self._now = self._past.pop()
        self._pilot.course = self._now.course
        self.log.pop()
        return True

    def restart(self) -> None:
        """Return to the start."""
        self._now = self._takeoff
        self._pilot.course = self._now.course
        self._past.clear()
        self.log.clear()

    def picture(self, overlay: str = "picture") -> UInt8[np.ndarray, "h w 3"]:
        """What is seen: the ``picture``, its ``disparity``, or the picture with the ``holes`` of its render tinted."""
        if overlay == "disparity":
            return color_disparity(self._now.rgbd[0, 3].float().cpu().numpy())
        image = to_image(self._now.rgbd[0])
        if overlay == "holes":
            hole = 0.7 * (1 - self._now.seen[0, 0].float().cpu().numpy()[..., None])
            return np.round((1 - hole) * image + hole * _PAINTED).astype(np.uint8)
        return image


def to_jpeg(image: UInt8[np.ndarray, "h w 3"], quality: int = 90) -> bytes:
    """RGB as JPEG."""
    written, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert written
    return data.tobytes()
