"""The loop of the method, unrolled for training: render, refine, repeat, through the model's own output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float
from torch import Tensor

from flythrough.scene.autopilot import Autopilot
from flythrough.scene.geometry import compose, identity_pose, invert

from ..data.sequences import Batch
from ..model.layers import Kernels
from ..model.network import InfiniteNature, ground
from ..model.sky import keep_sky


@dataclass(frozen=True)
class Rollout:
    """T steps of flight, as training sees them."""

    rendered: Float[Tensor, "b t 4 h w"]  # each step's rendered picture; no gradient
    seen: Float[Tensor, "b t 1 h w"]  # its mask; no gradient
    refined: Float[Tensor, "b t 4 h w"]
    courses: Float[Tensor, "b 3 3"]  # the autopilot's, after the last step

    def detach(self) -> Rollout:
        """Without its graph."""
        return replace(self, refined=self.refined.detach())

    @staticmethod
    def join(parts: Sequence[Rollout]) -> Rollout:
        """Parts of a batch put together."""
        return Rollout(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Rollout)))


def roll_out(
    model: InfiniteNature, batch: Batch, style: Float[Tensor, "b n"], kernels: Kernels, *, bf16: bool = False
) -> Rollout:
    """Fly the batch's recorded paths, or the autopilot's, from its first frames.

    Gradients flow through all steps.

    Args:
        model: the model to fly with.
        batch: on the model's device.
        style: one style vector per sequence.
        kernels: the model's, normalised once for all steps.
        bf16: refine in bfloat16; rendering and grounding keep their type.
    """
    rgbd, steps = batch.rgbd[:, 0], []
    poses, intrinsics, pilots = batch.poses.unbind(1), batch.intrinsics.unbind(1), Pilots(batch)
    for k in range(len(poses) - 1):
        moves = pilots.steer(rgbd, poses[k], poses[k + 1])
        rendered, seen = model.render(rgbd, moves[0], intrinsics[k], moves[1], intrinsics[k + 1])
        with torch.autocast(rgbd.device.type, torch.bfloat16, enabled=bf16):
            refined = model.refine(rendered, seen, style, kernels)
        rgbd = ground(refined.to(rgbd.dtype), rendered, seen)
        if model.config.sky:
            rgbd = pilots.keep_sky(rgbd, batch.takeoff, intrinsics[k + 1])
        steps.append((rendered.detach(), seen.detach(), rgbd))
    rendered, seen, refined = (torch.stack(column, 1) for column in zip(*steps, strict=True))
    return Rollout(rendered, seen, refined, pilots.courses())


class Pilots:
    """The autopilots of those sequences of a batch that roam.

    Args:
        batch: whose ``courses`` they fly on from, in the axes of each flight's first camera.
    """

    def __init__(self, batch: Batch) -> None:
        self._courses = batch.courses.clone()
        self._pilots: dict[int, Autopilot] = {}
        for row in torch.nonzero(batch.roams)[:, 0].tolist():
            self._pilots[row] = Autopilot(batch.intrinsics[row, 0].double().cpu().numpy())
            self._pilots[row].course = self._courses[row].numpy()

    def steer(
        self, rgbd: Float[Tensor, "b 4 h w"], here: Float[Tensor, "b 3 4"], there: Float[Tensor, "b 3 4"]
    ) -> tuple[Float[Tensor, "b 3 4"], Float[Tensor, "b 3 4"]]:
        """The poses of a step: the recorded ones, or the autopilot's, steered by the disparity it sees."""
        if not self._pilots:
            return here, there
        here, there = here.clone(), there.clone()
        rows = list(self._pilots)
        for row, disparity in zip(rows, rgbd[rows, 3].detach().double().cpu().numpy(), strict=True):
            pilot = self._pilots[row]
            before = invert(pilot.pose)
            here[row] = torch.from_numpy(identity_pose()).to(here)
            there[row] = torch.from_numpy(compose(pilot.next_pose(disparity), before)).to(there)
        return here, there

    def keep_sky(
        self, rgbd: Float[Tensor, "b 4 h w"], takeoff: Float[Tensor, "b 4 h w"], lenses: Float[Tensor, "b 4"]
    ) -> Float[Tensor, "b 4 h w"]:
        """The pictures; those that an autopilot flies keep the sky that their flight began with, as at test time."""
        kept = list(rgbd.split(1))
        for row, pilot in self._pilots.items():
            turned = torch.from_numpy(pilot.pose).to(rgbd)[None]
            kept[row] = keep_sky(kept[row], takeoff[row, None], turned, lenses[row, None])
        return torch.cat(kept)

    def courses(self) -> Float[Tensor, "b 3 3"]:
        """The present course of each sequence; unchanged for those that do not roam."""
        for row, pilot in self._pilots.items():
            self._courses[row] = torch.from_numpy(pilot.course)
        return self._courses
