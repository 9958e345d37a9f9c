"""Steered flights: step, back, restart, and the log of commands that repeats a flight; and several side by side."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from jaxtyping import Float, UInt8

from flythrough.scene.autopilot import LAND, Autopilot

from ...model.network import InfiniteNature
from ..from_photo import Start
from ..outputs import color_disparity
from ..rollout import Stepper, View, to_image
from .commands import Command

OVERLAYS = ("picture", "disparity", "holes", "painted")
BACK = 120  # steps that can be taken back
_TINT = np.array([255, 60, 200])  # of what was out of view before


@dataclass(frozen=True)
class _Moment:
    """A moment of a flight: the view, and the autopilot's course."""

    view: View
    course: Float[np.ndarray, "3 3"]


class SteeredFlight:
    """A flight from a start that follows commands.

    Args:
        model: in evaluation mode; shared by all flights.
        start: the start of the flight.
        seed: of the style; 0 is the start's mean style.
        bf16: refine in bfloat16.

    Attributes:
        log: the commands flown from the start to here.
    """

    def __init__(self, model: InfiniteNature, start: Start, seed: int = 0, *, bf16: bool = False) -> None:
        self._stepper = Stepper(model, torch.from_numpy(start.rgbd), start.intrinsics, bf16=bf16, seed=seed)
        self._pilot = Autopilot.from_start(start.rgbd[3], start.intrinsics, land=LAND)
        self._takeoff = self._now = _Moment(self._stepper.first, self._pilot.course)
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
        self._pilot.speed = command.speed / 100
        there = self._pilot.next_pose(self._now.view.rgbd[0, 3], (command.x / 100, command.y / 100))
        view = self._stepper.step(self._now.view, there)
        self._past.append(self._now)
        self._now = _Moment(view, self._pilot.course)
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
        """The current picture, RGB.

        Args:
            overlay: the ``picture``; its ``disparity``; the ``holes`` that the network was given to fill, as a tint
                in the rendered picture; or the finished picture with what was ``painted`` into them tinted.
        """
        now = self._now.view
        if overlay == "disparity":
            return color_disparity(now.rgbd[0, 3].float().cpu().numpy())
        if overlay in ("holes", "painted"):
            hole = 1 - now.mask[0, 0].float().cpu().numpy()[..., None]
            share, image = (1.0, to_image(now.rendered[0])) if overlay == "holes" else (0.6, to_image(now.rgbd[0]))
            return np.round((1 - share * hole) * image + share * hole * _TINT).astype(np.uint8)
        return to_image(now.rgbd[0])


class SideBySide:
    """One flight per model from the same start with the same commands; each autopilot sees its own picture.

    Args:
        flights: by the model's name, at least one.
    """

    def __init__(self, flights: Mapping[str, SteeredFlight]) -> None:
        self.flights = dict(flights)

    @property
    def log(self) -> list[Command]:
        """The commands flown from the start to here."""
        return next(iter(self.flights.values())).log

    def step(self, command: Command) -> None:
        """Fly one step with each."""
        for flight in self.flights.values():
            flight.step(command)

    def back(self) -> None:
        """Take the last step back with each, as far as it is remembered."""
        for flight in self.flights.values():
            flight.back()

    def restart(self) -> None:
        """Return to the start with each."""
        for flight in self.flights.values():
            flight.restart()

    def pictures(self, overlay: str = "picture") -> list[UInt8[np.ndarray, "h w 3"]]:
        """The picture of each flight; see :meth:`SteeredFlight.picture`."""
        return [flight.picture(overlay) for flight in self.flights.values()]


def to_jpeg(image: UInt8[np.ndarray, "h w 3"], quality: int = 90) -> bytes:
    """RGB as JPEG."""
    written, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert written
    return data.tobytes()
