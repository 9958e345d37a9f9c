"""Flying with a trained model: the method's loop at test time, for pictures of any size."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from flythrough.scene.autopilot import Flight
from flythrough.scene.geometry import Pose, compose, identity_pose, invert

from ..model.network import InfiniteNature, resize
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
        steps: number of steps; ``None`` flies forever.
        bf16: refine in bfloat16.
        sky: keep the start picture's sky; see :mod:`..model.sky`. None: as the model was trained.

    Raises:
        InputError: ``flight`` is a plan that has no more poses.
    """
    stepper = Stepper(model, start, intrinsics, bf16=bf16, sky=sky, takeoff=flight.pose)
    view = stepper.first
    while steps is None or view.step < steps:
        view = stepper.step(view, flight.next_pose(view.rgbd[0, 3].cpu().numpy()))
        # Not around the yield: the caller's code must not run in inference mode.
        with torch.inference_mode():
            frame = resize(view.rgbd, *start.shape[1:])[0].clamp(0, 1)
        yield frame


@dataclass(frozen=True)
class View:
    """One picture of a flight, and what the next one is rendered from.

    Attributes:
        step: number of steps since the start.
        rgbd: the picture, RGB and disparity in [0, 1].
        rendered: the render that it was refined from.
        mask: of the render, 1 where it was seen before.
        keyframe, keyframe_pose: the picture that the next one is rendered from, and its camera, cam_from_world.
    """

    step: int
    rgbd: Float[Tensor, "1 4 h w"]
    rendered: Float[Tensor, "1 4 h w"]
    mask: Float[Tensor, "1 1 h w"]
    keyframe: Float[Tensor, "1 4 h w"]
    keyframe_pose: Pose


class Stepper:
    """One start's model: encodes the style once, then takes any step from any view.

    Args:
        model: in evaluation mode.
        start: RGB and disparity in [0, 1], of any size.
        intrinsics: fx fy cx cy, normalised.
        bf16: refine in bfloat16.
        seed: above 0 draws the style about the encoder's mean; 0 is the mean.
        sky: keep the start picture's sky; None: as the model was trained.
        takeoff: the start's pose.

    Attributes:
        first: the start, at the model's size.
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
            rgbd = resize(start[None].to(self._device, self._dtype), *size).clamp(0, 1)
            self.first = View(0, rgbd, rgbd, torch.ones_like(rgbd[:, :1]), rgbd, self._takeoff)
            self._kernels = model.normalise()
            mean, log_variance = model.encode(rgbd, self._kernels)
            if seed:
                noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(seed)).to(mean)
                mean = mean + (0.5 * log_variance).exp() * noise
            self._style = mean.to(self._dtype)

    def pose(self, pose: Pose) -> Float[Tensor, "1 3 4"]:
        """A numpy pose ``[3, 4]`` as a tensor for the model, ``[1, 3, 4]``."""
        return torch.as_tensor(pose, dtype=self._dtype, device=self._device)[None]

    def step(self, view: View, there: Pose) -> View:
        """The view after ``view``, at the camera ``there``, cam_from_world."""
        step = view.step + 1
        move = self.pose(compose(there, invert(view.keyframe_pose)))
        mirrored = bool(self._model.mirrors(torch.tensor(view.step)))  # as its keyframe's step would say
        with torch.inference_mode(), torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16):
            rendered, mask, rgbd = self._model.advance(
                view.keyframe, self._home, move, self.lens, self._style, self._kernels, mirrored=mirrored
            )
        if self._sky:
            turned = self.pose(compose(there, invert(self._takeoff)))
            with torch.inference_mode():  # not in half precision: angles would be off by pixels
                rgbd = keep_sky(rgbd, self.first.rgbd, turned, self.lens)
        if step % self._model.config.keyframe_every:
            return View(step, rgbd, rendered, mask, view.keyframe, view.keyframe_pose)
        return View(step, rgbd, rendered, mask, rgbd, there)


def to_image(rgbd: Float[Tensor, "c h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The colours of a picture in [0, 1], rounded to 8 bits."""
    rgb = rgbd[:3].detach().float().clamp(0, 1).mul(255).round()
    return np.ascontiguousarray(rgb.byte().permute(1, 2, 0).cpu().numpy())
