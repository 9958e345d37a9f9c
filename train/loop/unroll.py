"""The loop of the method, unrolled for training: render, refine, repeat, through the model's own output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Float
from torch import Tensor

from ..data.sequences import Batch
from ..model.layers import Kernels
from ..model.network import InfiniteNature, ground


@dataclass(frozen=True)
class Rollout:
    """T steps of flight, as training sees them."""

    rendered: Float[Tensor, "b t 4 h w"]  # what each step's render gave; no gradient
    seen: Float[Tensor, "b t 1 h w"]  # its mask; no gradient
    refined: Float[Tensor, "b t 4 h w"]

    def detach(self) -> Rollout:
        """Without its graph."""
        return Rollout(self.rendered, self.seen, self.refined.detach())

    @staticmethod
    def join(parts: Sequence[Rollout]) -> Rollout:
        """Parts of a batch put together."""
        return Rollout(*(torch.cat([getattr(p, f.name) for p in parts]) for f in fields(Rollout)))


def roll_out(
    model: InfiniteNature, batch: Batch, style: Float[Tensor, "b n"], kernels: Kernels, *, bf16: bool = False
) -> Rollout:
    """Fly the batch's recorded path from its first frames; gradients flow through all steps.

    Args:
        model: what refines.
        batch: on the model's device.
        style: a style vector a sequence.
        kernels: the model's, normalised once for all steps.
        bf16: refine in bfloat16 where that is safe; rendering and grounding are not.
    """
    rgbd, steps = batch.rgbd[:, 0], []
    poses, intrinsics = batch.poses.unbind(1), batch.intrinsics.unbind(1)
    for k in range(len(poses) - 1):
        rendered, seen = model.render(rgbd, poses[k], intrinsics[k], poses[k + 1], intrinsics[k + 1])
        with torch.autocast(rgbd.device.type, torch.bfloat16, enabled=bf16):
            refined = model.refine(rendered, seen, style, kernels)
        rgbd = ground(refined.to(rgbd.dtype), rendered, seen)
        steps.append((rendered.detach(), seen.detach(), rgbd))
    return Rollout(*(torch.stack(column, 1) for column in zip(*steps, strict=True)))
