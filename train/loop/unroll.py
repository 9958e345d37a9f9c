"""The loop of the method, unrolled for training: render, refine, repeat, through the model's own output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import torch
from jaxtyping import Float
from torch import Tensor

from flythrough.scene.autopilot import Autopilot

from ..data.sequences import Batch
from ..model.layers import Kernels
from ..model.network import InfiniteNature, ground, mirror
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
    model: InfiniteNature,
    batch: Batch,
    style: Float[Tensor, "b n"],
    kernels: Kernels,
    *,
    added: Float[Tensor, "b t c h w"] | None = None,
    bf16: bool = False,
    land: float = 0.0,
) -> Rollout:
    """Fly the batch's recorded paths, or the autopilot's, from its starts, which are keyframes.

    As at test time, pictures are rendered from the last keyframe, and refined mirrored after every second one.
    Gradients flow through all steps.

    Args:
        model: the model to fly with.
        batch: on the model's device.
        style: one style vector per sequence.
        kernels: the model's, normalised once for all steps.
        added: to each rendered picture before it is refined; noise, or nothing.
        bf16: refine in bfloat16; rendering and grounding keep their type.
        land: of the autopilot; see :class:`Autopilot`.
    """
    rgbd, steps, pilots = batch.start, [], Pilots(batch, land)
    poses, intrinsics = batch.poses.unbind(1), batch.intrinsics.unbind(1)
    keyframe, pose, lens, mirrored = rgbd, pilots.poses(poses[0]), intrinsics[0], model.mirrors(batch.age)
    for k in range(1, len(poses)):
        there = pilots.steer(rgbd, poses[k])
        rendered, seen = model.render(keyframe, pose, lens, there, intrinsics[k])
        with torch.autocast(rgbd.device.type, torch.bfloat16, enabled=bf16):
            given = rendered if added is None else rendered + added[:, k - 1]
            refined = model.refine(mirror(given, mirrored), mirror(seen, mirrored), style, kernels)
        rgbd = ground(mirror(refined.to(rgbd.dtype), mirrored), rendered, seen)
        if model.config.sky:
            rgbd = pilots.keep_sky(rgbd, batch.takeoff, intrinsics[k])
        if k % model.config.keyframe_every == 0:
            keyframe, pose, lens, mirrored = rgbd, there, intrinsics[k], model.mirrors(batch.age + k)
        steps.append((rendered.detach(), seen.detach(), rgbd))
    rendered, seen, refined = (torch.stack(column, 1) for column in zip(*steps, strict=True))
    return Rollout(rendered, seen, refined, pilots.courses())


@torch.no_grad()
def recorded_renders(model: InfiniteNature, batch: Batch) -> Float[Tensor, "b t 4 h w"]:
    """What :attr:`Rollout.rendered` would be if the recorded frames were the keyframes, along the recorded path.

    A start whose disparity is guessed is warped by the guess.
    """
    columns = (batch.rgbd, batch.poses, batch.intrinsics)
    frames = list(zip(*(column.unbind(1) for column in columns), strict=True))
    keyframes = (frames[k - k % model.config.keyframe_every] for k in range(len(frames) - 1))
    renders = (model.render(*last, *camera) for last, (_, *camera) in zip(keyframes, frames[1:], strict=True))
    return torch.stack([rendered for rendered, _ in renders], 1)


class Pilots:
    """The autopilots of those sequences of a batch that roam.

    Args:
        batch: whose ``courses`` they fly on from, in the axes of each flight's first camera.
        land: see :class:`Autopilot`.
    """

    def __init__(self, batch: Batch, land: float = 0.0) -> None:
        self._courses = batch.courses.clone()
        self._pilots: dict[int, Autopilot] = {}
        for row in torch.nonzero(batch.roams)[:, 0].tolist():
            self._pilots[row] = Autopilot(batch.intrinsics[row, 0].double().cpu().numpy(), land=land)
            self._pilots[row].course = self._courses[row].numpy()

    def poses(self, recorded: Float[Tensor, "b 3 4"]) -> Float[Tensor, "b 3 4"]:
        """The recorded poses; of the sequences that roam, where their autopilots are since takeoff."""
        poses = recorded.clone()
        for row, pilot in self._pilots.items():
            poses[row] = torch.from_numpy(pilot.pose).to(poses)
        return poses

    def steer(self, rgbd: Float[Tensor, "b 4 h w"], recorded: Float[Tensor, "b 3 4"]) -> Float[Tensor, "b 3 4"]:
        """The next poses: as :meth:`poses`, after each autopilot has moved on by the disparity it sees."""
        rows = list(self._pilots)
        for row, disparity in zip(rows, rgbd[rows, 3].detach().double().cpu().numpy(), strict=True):
            self._pilots[row].next_pose(disparity)
        return self.poses(recorded)

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
