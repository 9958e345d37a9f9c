"""Flights planned in advance, for methods that cannot be steered step by step."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from flythrough.scene.autopilot import Autopilot
from flythrough.workspace.catalog import Workspace

from ..methods.baselines import RenderInpaint
from .protocol import Header, Protocol
from .source import Source


def plan_flight(
    rgbd: Float[np.ndarray, "4 h w"], intrinsics: Float[np.ndarray, 4], pose: Float[np.ndarray, "3 4"], header: Header
) -> Float[np.ndarray, "n 3 4"]:
    """The poses, start first, that the autopilot flies over the warped and inpainted start frame."""
    flight = Autopilot.from_start(rgbd[3], intrinsics, pose, header.generation.speed)
    method = RenderInpaint()
    poses = [flight.pose]
    for _, _ in zip(range(header.generation.steps), method.generate(rgbd, intrinsics, flight, 0), strict=False):
        poses.append(flight.pose)
    return np.stack(poses)


def with_plans(protocol: Protocol, workspace: Workspace) -> Protocol:
    """The protocol with planned flights: those the autopilot makes over the warped start frame."""
    source = Source(protocol, workspace)
    starts = []
    for start in protocol.index.starts:
        if start.frame is not None and start.generation:
            poses = plan_flight(source.rgbd(start), source.intrinsics(start), source.poses(start)[0], protocol.header)
            start = start.model_copy(update={"plan": tuple(tuple(p) for p in poses.reshape(-1, 12).tolist())})
        starts.append(start)
    return protocol.model_copy(update={"index": protocol.index.model_copy(update={"starts": tuple(starts)})})
