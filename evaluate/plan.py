"""Flights made beforehand, for methods that cannot be steered step by step."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from flythrough.autopilot import Autopilot

from .baselines import RenderInpaint
from .protocol import Header


def plan_flight(
    rgbd: Float[np.ndarray, "4 h w"], intrinsics: Float[np.ndarray, 4], pose: Float[np.ndarray, "3 4"], header: Header
) -> Float[np.ndarray, "n 3 4"]:
    """The poses, start first, that the autopilot flies over the warped and inpainted start frame."""
    flight = Autopilot(intrinsics, pose, speed=header.generation.speed)
    method = RenderInpaint()
    poses = [flight.pose]
    for _, _ in zip(range(header.generation.steps), method.generate(rgbd, intrinsics, flight, 0), strict=False):
        poses.append(flight.pose)
    return np.stack(poses)
