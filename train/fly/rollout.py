"""Flying with a trained model: the method's loop at test time, for pictures of any size."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from flythrough.scene.autopilot import Flight
from flythrough.scene.geometry import Pose, compose, identity_pose, invert

from ..model.network import InfiniteNature, Step, resize
from ..model.sky import keep_sky


def fly(
    model: InfiniteNature,
    start: Float[Tensor, "4 h w"],
    intrinsics: Float[np.ndarray, 4],
    flight: Flight,
    steps: int | None,
    *,
    bf16: bool = False,
    sky: bool | None = None,
) -> Iterator[Float[Tensor, "4 h w"]]:
    """Yield the RGBD picture of each step, without the start, in constant memory.

    The style is the encoder's mean for the start picture, as in the release. A start of another size than the model's
    is resized for the model (normalised intrinsics stay valid), and the pictures yielded are resized back.

    Args:
        model: in evaluation mode.
        start: RGB and disparity in [0, 1].
        intrinsics: fx fy cx cy, normalised.
        flight: where the camera goes; gives the next pose from the disparity of the picture at its pose.
        steps: number of steps; ``None`` flies until the plan ends.
        bf16: refine in bfloat16.
        sky: keep the start picture's sky; see :mod:`..model.sky`. None: as the model was trained.
    """
    stepper = Stepper(model, start, intrinsics, bf16=bf16, sky=sky, takeoff=flight.pose)
    rgbd, step = stepper.first, 0
    while steps is None or step < steps:
        here = flight.pose
        there = flight.next_pose(rgbd[0, 3].cpu().numpy())
        rgbd = stepper.step(rgbd, here, there).rgbd
        # Not around the yield: the caller's code must not run in inference mode.
        with torch.inference_mode():
            frame = resize(rgbd, *start.shape[1:])[0].clamp(0, 1)
        yield frame
        step += 1


class Stepper:
    """One start's model: encodes the style once, then takes any step from any picture.

    Args:
        model: in evaluation mode.
        start: RGB and disparity in [0, 1], of any size.
        intrinsics: fx fy cx cy, normalised.
        bf16: refine in bfloat16.
        seed: above 0 draws the style about the encoder's mean; 0 is the mean.
        sky: keep the start picture's sky; None: as the model was trained.
        takeoff: the start's pose.

    Attributes:
        first: the start at the model's size, ``[1, 4, height, width]``.
        lens: the intrinsics, ``[1, 4]``.
    """

    def __init__(
        self,
        model: InfiniteNature,
        start: Float[Tensor, "4 h w"],
        intrinsics: Float[np.ndarray, 4],
        *,
        bf16: bool = False,
        seed: int = 0,
        sky: bool | None = None,
        takeoff: Pose | None = None,
    ) -> None:
        weight = next(model.parameters())
        self._model, self._bf16 = model, bf16
        self._device, self._dtype = weight.device, weight.dtype
        size = (model.config.height, model.config.width)
        self.lens = torch.as_tensor(np.asarray(intrinsics), dtype=self._dtype, device=self._device)[None]
        self._sky = model.config.sky if sky is None else sky
        self._takeoff = identity_pose() if takeoff is None else takeoff
        self._home = self.pose(identity_pose())
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=bf16):
            self.first = resize(start[None].to(self._device, self._dtype), *size).clamp(0, 1)
            self._kernels = model.normalise()
            mean, log_variance = model.encode(self.first, self._kernels)
            if seed:
                noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed)).to(mean)
                mean = mean + (0.5 * log_variance).exp() * noise
            self._style = mean.to(self._dtype)

    def pose(self, pose: Pose) -> Float[Tensor, "1 3 4"]:
        """A numpy pose ``[3, 4]`` as a tensor for the model, ``[1, 3, 4]``."""
        return torch.as_tensor(pose, dtype=self._dtype, device=self._device)[None]

    def step(self, rgbd: Float[Tensor, "1 4 height width"], here: Pose, there: Pose) -> Step:
        """The picture at ``there`` from the one at ``here``, cam_from_world each."""
        move = self.pose(compose(there, invert(here)))
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            made = self._model.advance(rgbd, self._home, move, self.lens, self._style, self._kernels)
            if not self._sky:
                return made
            turned = self.pose(compose(there, invert(self._takeoff)))
            return made._replace(rgbd=keep_sky(made.rgbd, self.first, turned, self.lens))


def to_image(rgbd: Float[Tensor, "c h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The colours of a picture in [0, 1], rounded to 8 bits."""
    rgb = rgbd[:3].detach().float().clamp(0, 1).mul(255).round()
    return np.ascontiguousarray(rgb.byte().permute(1, 2, 0).cpu().numpy())
