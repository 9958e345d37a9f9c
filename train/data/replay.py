"""Training on own flights: some sequences of a batch continue from the last picture that the model itself made.

A model that is trained on recorded starts only has never seen its own pictures after twenty steps, and diverges there.
A *flight* here is a series of consecutive sequences at one place of the batch along one take: the first starts from the
recorded frame, each of the others from the last picture of the one before. Which flights there are, and how long they
last, is a function of (seed, place) alone, so a run resumes exactly; only the pictures are state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class Flight:
    """A flight as one of its sequences sees it.

    Attributes:
        takeoff: optimiser step of its first sequence.
        age: steps of the method flown before this sequence.
        length: steps of the method of the whole flight.
        roams: whether the autopilot steers it, off the recorded path.
    """

    takeoff: int
    age: int
    length: int
    roams: bool = False


class ReplaySchedule:
    """Which flight each place of the batch is on.

    Args:
        share: of the places, from the end of the batch, that continue from own pictures.
        roam: of the places, the last of ``share``, that the autopilot steers.
        batch: places of the batch, of one process.
        processes: number of processes that train together.
        max_age: longest flight along a recorded path, in steps of the method.
        roam_age: longest flight of the autopilot.
        start: optimiser step from which flights last longer than one sequence.
        unroll_at: T at an optimiser step.
        seed: of the flights' lengths.
    """

    def __init__(
        self,
        *,
        share: float,
        roam: float = 0.0,
        batch: int,
        processes: int = 1,
        max_age: int,
        roam_age: int = 1,
        start: int,
        unroll_at: Callable[[int], int],
        seed: int,
    ) -> None:
        self.first_place = round((1 - share) * batch * processes)
        self.first_roaming = round((1 - roam) * batch * processes)
        self.max_age, self.roam_age, self.start, self.unroll_at, self.seed = max_age, roam_age, start, unroll_at, seed
        self._flights: dict[int, range] = {}  # by place, the optimiser steps of the latest flight

    def flight(self, step: int, place: int) -> Flight:
        """The flight that ``place`` is on at an optimiser step."""
        if place < self.first_place or step < self.start:
            steps = range(step, step + 1)
        else:
            steps = self._flights.get(place, range(0))
            if not steps or steps.start > step:
                steps = self._take_off(place, self.start)
            while step not in steps:
                steps = self._take_off(place, steps.stop)
            self._flights[place] = steps
        return Flight(
            steps.start,
            age=sum(map(self.unroll_at, range(steps.start, step))),
            length=sum(map(self.unroll_at, steps)),
            roams=place >= self.first_roaming and step >= self.start,
        )

    def _take_off(self, place: int, step: int) -> range:
        # Uniform, so that short and long flights are equally common.
        random = np.random.default_rng([self.seed, step, place, 2])
        left = self.roam_age if place >= self.first_roaming else self.max_age
        longest = 0  # in sequences; T may grow on the way
        while (left := left - self.unroll_at(step + longest)) >= 0:
            longest += 1
        return range(step, step + int(random.integers(1, max(1, longest) + 1)))


class ReplayMemory:
    """The last picture of every place, and the autopilot's last course; part of the training state.

    Args:
        batch: places of this process.
        shape: ``(4, h, w)``.
    """

    def __init__(self, batch: int, shape: tuple[int, int, int]) -> None:
        self.rgbd: Float[Tensor, "b 4 h w"] = torch.zeros(batch, *shape)
        self.courses: Float[Tensor, "b 3 3"] = torch.zeros(batch, 3, 3, dtype=torch.float64)

    def starts(self, recorded: Float[Tensor, "b 4 h w"], age: Float[Tensor, "b"]) -> Float[Tensor, "b 4 h w"]:
        """Where each sequence starts: the recorded frame at age 0, else the model's own last picture."""
        own = self.rgbd.to(recorded)
        return torch.where((age > 0)[:, None, None, None], own, recorded)

    def keep(self, last: Float[Tensor, "b 4 h w"], courses: Float[Tensor, "b 3 3"]) -> None:
        """Remember the pictures and courses that the sequences ended with."""
        self.rgbd = last.detach().float().cpu()
        self.courses = courses
