"""Flying with a trained model: the loop of the method at test time, and what it makes of any size of picture."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from flythrough.scene.autopilot import Flight
from flythrough.scene.geometry import compose, identity_pose, invert

from ..model.network import InfiniteNature, resize
from .sky import keep_sky


def fly(
    model: InfiniteNature,
    start: Float[Tensor, "4 h w"],
    intrinsics: Float[np.ndarray, 4],
    flight: Flight,
    steps: int | None,
    *,
    bf16: bool = False,
    sky: bool = False,
) -> Iterator[Float[Tensor, "4 h w"]]:
    """Yield the RGBD picture of each step, the start not among them; memory does not grow with the flight.

    The style is the encoder's mean for the start picture, as in the release. A start of another size than the
    model's is resized (normalised intrinsics stay as they are), and so are the pictures yielded.

    Args:
        model: in evaluation mode.
        start: RGB and disparity in [0, 1].
        intrinsics: fx fy cx cy, normalised.
        flight: where to go; asked for the next pose with the disparity of the picture at its pose.
        steps: how many; ``None`` flies on until the plan ends.
        bf16: refine in bfloat16.
        sky: go on showing the start picture's sky; see :mod:`.sky`.
    """
    weight = next(model.parameters())
    device, dtype = weight.device, weight.dtype
    size = (model.config.height, model.config.width)
    lens = torch.as_tensor(np.asarray(intrinsics), dtype=dtype, device=device)[None]
    home = torch.as_tensor(identity_pose(), dtype=dtype, device=device)[None]
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        rgbd = first = resize(start[None].to(device, dtype), *size).clamp(0, 1)
        kernels = model.normalise()
        style = model.encode(rgbd, kernels)[0].to(dtype)
    takeoff, step = flight.pose, 0
    while steps is None or step < steps:
        here = flight.pose
        there = flight.next_pose(rgbd[0, 3].cpu().numpy())
        move = torch.as_tensor(compose(there, invert(here)), dtype=dtype, device=device)[None]
        # Not around the yield: the caller's code must not run in inference mode.
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            rgbd = model.step(rgbd, home, move, lens, style, kernels)
            if sky:
                turn = torch.as_tensor(compose(there, invert(takeoff)), dtype=dtype, device=device)[None]
                rgbd = keep_sky(rgbd, first, turn, lens)
            frame = resize(rgbd, *start.shape[1:])[0].clamp(0, 1)
        yield frame
        step += 1


def to_image(rgbd: Float[Tensor, "c h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The colours of a picture in [0, 1], rounded to 8 bits."""
    rgb = rgbd[:3].detach().float().clamp(0, 1).mul(255).round()
    return np.ascontiguousarray(rgb.byte().permute(1, 2, 0).cpu().numpy())
