"""The interface of a view-generation method, for its author and for scoring.

Methods are found through the entry point group ``flythrough.methods``; a plain class needs no import of this module.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from ..scene.autopilot import Flight


@dataclass(frozen=True)
class Setting:
    """What a method is told before its first flight."""

    protocol: str
    height: int
    width: int
    steps: int
    device: str = "cpu"
    checkpoint: Path | None = None  # the workspace's newest, for methods whose spec asks for one


@runtime_checkable
class Method(Protocol):
    """A method of perpetual view generation."""

    def setup(self, setting: Setting) -> None:
        """Load weights; called once."""

    def generate(
        self,
        start_rgbd: Float[np.ndarray, "4 h w"],
        intrinsics: Float[np.ndarray, 4],
        flight: Flight,
        seed: int,
    ) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Yield ``setting.steps`` frames, one per step, without the start frame.

        ``flight.pose`` is the start pose; ``flight.next_pose(disparity)`` tells where the camera goes next,
        given the disparity ``[h, w]`` at the pose it has now. RGB and disparity are in [0, 1].
        """
