"""The render-refine network of Infinite Nature (arXiv 2012.09855, section 4): encoder, SPADE generator, one step."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from flythrough.errors import ConfigError, InputError
from flythrough.rendering.projection import MAX_SOBEL
from flythrough.rendering.render import render
from flythrough.scene.geometry import Intrinsics, Pose

from .layers import Condition, Image, Kernels, Made, SpadeBlock, SpectralConv, instance_norm, leaky, normalise

Rgbd = Float[Tensor, "batch 4 height width"]
Mask = Float[Tensor, "batch 1 height width"]
Style = Float[Tensor, "batch style"]

Finish = Callable[[Rgbd, Mask, Style], Rgbd]

CONDITION = 5  # channels: rgbd and mask


@dataclass(frozen=True)
class ModelConfig:
    """The sizes and settings that a network's weights belong to.

    Attributes:
        height, width: of the picture, pixels; multiples of 32.
        base_width: channels at full resolution; 32 in the release.
        style_size: length of the style vector.
        max_sobel: Sobel gradient of disparity from which a surface counts as stretched; see :func:`render`.
        keep: share of the rendered picture in the refined one where it was certainly seen; 0 in the release.
        sky: whether flights keep the start picture's sky (:mod:`.sky`).
        keyframe_every: every so many pictures of a flight is a keyframe, and all are rendered from the last keyframe,
            so that a surface is repainted less often; 1, each from the one before, in the release.
        mirror: refine mirrored what was rendered from every second keyframe, so that errors with a preferred side do
            not accumulate; off in the release.
        narrow: SPADE layers of about half the work; see :class:`.layers.Spade`. Off in the release.
        bilinear: whether the generator's maps, all but the last, are enlarged bilinearly; by repetition in the release,
            whose steps add up to a grid over what a flight repaints again and again.
    """

    height: int = 160
    width: int = 256
    base_width: int = 32
    style_size: int = 256
    max_sobel: float = MAX_SOBEL
    keep: float = 0.0
    sky: bool = False
    keyframe_every: int = 1
    mirror: bool = False
    narrow: bool = False
    bilinear: bool = False

    def __post_init__(self) -> None:
        for name in ("height", "width", "base_width", "style_size", "keyframe_every"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ConfigError(f"{name} is {value!r}", remedy="Give a whole number above 0")
        if self.height % 32 or self.width % 32:
            raise ConfigError(
                f"The model's size is {self.width} x {self.height}",
                remedy="Width and height must be multiples of 32, such as 256 x 160 or 96 x 64",
            )
        if self.base_width % 2:
            raise ConfigError(f"base_width is {self.base_width}", remedy="Give an even number; the release has 32")
        if not self.max_sobel > 0:
            raise ConfigError(f"max_sobel is {self.max_sobel}", remedy="Give a number above 0")
        if not 0 <= self.keep < 1:
            raise ConfigError(f"keep is {self.keep}", remedy="Give a share from 0 to below 1")


SHAPE = tuple(field.name for field in fields(ModelConfig))  # a training run's settings have the same names


class Step(NamedTuple):
    """One render-refine step: the rendered picture, its mask, and the refined picture."""

    rendered: Rgbd
    mask: Mask
    rgbd: Rgbd


class Encoder(nn.Module):
    """RGBD in 0..1 to the mean and log variance of its style."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.size = (config.height, config.width)
        widths = [4, *(config.base_width // 2 * factor for factor in (1, 2, 4, 8, 8, 8))]
        self.convs = nn.ModuleList(SpectralConv(a, b, 3, stride=2) for a, b in itertools.pairwise(widths))
        features = widths[-1] * -(-config.height // 64) * -(-config.width // 64)
        self.linear_mu = nn.Linear(features, config.style_size)
        self.linear_logvar = nn.Linear(features, config.style_size)

    def forward(self, rgbd: Rgbd, kernels: Kernels) -> tuple[Style, Style]:
        """Mean and log variance of the style of pictures of any size."""
        x = 2 * resize(rgbd, *self.size) - 1  # the dense layers fit the training size only
        for conv in self.convs:
            x = leaky(instance_norm(conv(x, kernels)))
        x = x.permute(0, 2, 3, 1).flatten(1)  # the release's order: rows, columns, channels
        return self.linear_mu(x), self.linear_logvar(x)


class Generator(nn.Module):
    """Style and condition (rgbd and mask, in -1..1 and 0..1) to an RGBD image in 0..1."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        c, hidden = config.base_width, 4 * config.base_width
        self.start = (config.height // 32, config.width // 32, 16 * c)
        self.linear = nn.Linear(config.style_size, self.start[0] * self.start[1] * self.start[2])

        def block(inputs: int, outputs: int) -> SpadeBlock:
            return SpadeBlock(inputs * c, outputs * c, CONDITION, hidden, narrow=config.narrow)

        self.head = block(16, 16)
        self.middle_0 = block(16, 16)
        self.middle_1 = block(16, 16)
        self.up_0 = block(16, 8)
        self.up_1 = block(8, 4)
        self.up_2 = block(4, 2)
        self.up_3 = block(2, 1)
        self.conv = SpectralConv(c, 4, 3)
        self.bilinear = config.bilinear
        self.checkpointing = False  # recompute each block in the backward pass instead of storing its activations

    def forward(self, style: Style, condition: Condition, kernels: Kernels) -> Rgbd:
        """The picture, at the condition's height and width (multiples of 32)."""
        x = self.linear(style).view(-1, *self.start).permute(0, 3, 1, 2)
        x = resize(x, condition.shape[-2] // 32, condition.shape[-1] // 32)
        x = self._block(self.head, x, condition, kernels)
        x = self._block(self.middle_0, upsample(x, self.bilinear), condition, kernels)
        x = self._block(self.middle_1, x, condition, kernels)
        for block in (self.up_0, self.up_1, self.up_2, self.up_3):
            smooth = self.bilinear and block is not self.up_3  # the finest grain is made of the last one's steps
            x = self._block(block, upsample(x, smooth), condition, kernels)
        return (torch.tanh(self.conv(leaky(x), kernels)) + 1) / 2

    def _block(self, block: SpadeBlock, x: Image, condition: Condition, kernels: Kernels) -> Made:
        condition = shrink(condition, x.shape[-1])
        if self.checkpointing and torch.is_grad_enabled():
            return checkpoint(block, x, condition, kernels, use_reentrant=False)
        return block(x, condition, kernels)


class InfiniteNature(nn.Module):
    """Perpetual view generation: ``encode`` the start once, then ``step`` from pose to pose.

    In training mode every call advances the power iteration of the spectral norm, unless it is given the ``kernels``
    of :meth:`normalise`; an unrolled training step makes them once and passes them to all calls.

    Args:
        height, width: of the picture, multiples of 32; the release's by default.
        base_width: channels at full resolution.
        style_size: length of the style vector.
        max_sobel: Sobel gradient from which a surface counts as stretched; the release's, for 160 rows, by default.
        keep: share of the rendered picture that :meth:`refine` keeps where it was seen; none by default.
        sky, keyframe_every, mirror: how it flies, see :class:`ModelConfig`.
        narrow: SPADE layers of about half the work.
        bilinear: enlarge the generator's maps, all but the last, bilinearly.

    Attributes:
        finish: replaces what :meth:`advance` does after rendering (refine and ground), at this size; None: nothing is
            replaced. See :mod:`..fly.runtime`.
    """

    def __init__(
        self,
        height: int = 160,
        width: int = 256,
        base_width: int = 32,
        style_size: int = 256,
        max_sobel: float = MAX_SOBEL,
        keep: float = 0.0,
        sky: bool = False,
        keyframe_every: int = 1,
        mirror: bool = False,
        narrow: bool = False,
        bilinear: bool = False,
    ) -> None:
        super().__init__()
        self.config = self.trained = ModelConfig(
            height, width, base_width, style_size, max_sobel, keep, sky, keyframe_every, mirror, narrow, bilinear
        )
        self.encoder = Encoder(self.config)
        self.generator = Generator(self.config)
        self.finish: Finish | None = None

    def at_size(self, height: int, width: int) -> InfiniteNature:
        """This model for pictures of another size, with the same weights (shared, not copied).

        All layers except the dense ones are convolutions. So the encoder sees the picture at the training size, the
        generator's start map is resized, and ``max_sobel`` follows the rows: slopes per pixel halve as they double.

        Raises:
            ConfigError: a side is not a multiple of 32.
        """
        steepness = self.trained.max_sobel * self.trained.height / max(height, 1)
        other = copy.copy(self)
        other.finish = None  # made for one size
        other.config = replace(self.trained, height=height, width=width, max_sobel=steepness)
        return other

    def normalise(self) -> Kernels:
        """The spectrally normalised kernels, for any number of calls until the weights change."""
        return normalise(self, keep=self.training)

    def encode(self, rgbd: Rgbd, kernels: Kernels | None = None) -> tuple[Style, Style]:
        """Mean and log variance of the style of ``rgbd`` (values in 0..1)."""
        self._check(rgbd, 4, "rgbd")
        return self.encoder(rgbd, kernels or normalise(self.encoder, keep=self.training))

    def refine(self, rgbd: Rgbd, mask: Mask, style: Style, kernels: Kernels | None = None) -> Rgbd:
        """Fill the holes of a rendered ``rgbd`` and add detail; ``mask`` is 1 where it was seen."""
        self._check(rgbd, 4, "rgbd")
        self._check(mask, 1, "mask")
        if style.shape != (len(rgbd), self.config.style_size):
            raise InputError(
                f"style has shape {list(style.shape)}", remedy=f"Give {[len(rgbd), self.config.style_size]}"
            )
        condition = torch.cat([2 * rgbd - 1, mask], 1)
        painted = self.generator(style, condition, kernels or normalise(self.generator, keep=self.training))
        return blend(painted, rgbd, mask, self.config.keep) if self.config.keep else painted

    def render(
        self, rgbd: Rgbd, pose: Pose, intrinsics: Intrinsics, next_pose: Pose, next_intrinsics: Intrinsics
    ) -> tuple[Rgbd, Mask]:
        """The picture warped to ``next_pose``, and its mask, with this model's ``max_sobel``."""
        return render(rgbd, pose, intrinsics, next_pose, next_intrinsics, max_sobel=self.config.max_sobel)

    def step(
        self,
        rgbd: Rgbd,
        pose: Pose,
        next_pose: Pose,
        intrinsics: Intrinsics,
        style: Style,
        kernels: Kernels | None = None,
    ) -> Rgbd:
        """The picture at ``next_pose``, from the one at ``pose``."""
        return self.advance(rgbd, pose, next_pose, intrinsics, style, kernels).rgbd

    def advance(
        self,
        rgbd: Rgbd,
        pose: Pose,
        next_pose: Pose,
        intrinsics: Intrinsics,
        style: Style,
        kernels: Kernels | None = None,
        *,
        mirrored: bool = False,
    ) -> Step:
        """As :meth:`step`, with the rendered picture and mask; ``mirrored``: refined as its mirror image."""
        self._check(rgbd, 4, "rgbd")
        rendered, mask = self.render(full(rgbd), pose, intrinsics, next_pose, intrinsics)
        if not mirrored:
            return Step(rendered, mask, self._finished(rendered, mask, style, kernels))
        return Step(rendered, mask, self._finished(rendered.flip(-1), mask.flip(-1), style, kernels).flip(-1))

    def mirrors(self, keyframe: Shaped[Tensor, "*b"]) -> Bool[Tensor, "*b"] | None:
        """Whether flights refine mirrored what they render from the keyframe of this step; None if they never do."""
        return keyframe // self.config.keyframe_every % 2 == 1 if self.config.mirror else None

    def _finished(self, rendered: Rgbd, mask: Mask, style: Style, kernels: Kernels | None) -> Rgbd:
        """Refined and grounded."""
        if self.finish is not None:
            return self.finish(rendered, mask, style)
        return ground(full(self.refine(rendered, mask, style, kernels)), rendered, mask)

    def _check(self, image: Tensor, channels: int, name: str) -> None:
        wanted = (channels, self.config.height, self.config.width)
        if image.ndim != 4 or image.shape[1:] != wanted:
            raise InputError(
                f"{name} has shape {list(image.shape)}, but this model works on [batch, {', '.join(map(str, wanted))}]",
                remedy="Resize the picture, or make or train a model of that size (a multiple of 32)",
            )
        if not image.is_floating_point():
            raise InputError(f"{name} is {image.dtype}", remedy="Give floating-point values in [0, 1]")


def blend(painted: Rgbd, rendered: Rgbd, mask: Mask, keep: float) -> Rgbd:
    """The painted picture, with a share of the rendered one where it was seen.

    An error of the network in one step is then divided by about 1 / (1 - ``keep``) steps that see the same place, so
    errors do not amplify themselves. The render is multiplied by its coverage, whose square is the mask.
    """
    share = keep * mask
    return (1 - share) * painted + share * (rendered / mask.clamp_min(0.25).sqrt())


def full(x: Tensor) -> Tensor:
    """A tensor ``[...]`` of any shape as at least float32: geometry is never computed in half precision."""
    return x if x.dtype == torch.float64 else x.float()


def ground(refined: Rgbd, rendered: Rgbd, mask: Mask) -> Rgbd:
    """Rescale the refined disparity to agree with the rendered one where it was seen (geometric grounding)."""
    wanted, got = rendered[:, 3:].clamp(0.01, 1), refined[:, 3:].clamp(0.01, 1)
    log_scale = (mask * (wanted.log() - got.log())).sum((1, 2, 3), keepdim=True)
    log_scale = log_scale / (mask.sum((1, 2, 3), keepdim=True) + 1e-4)
    return torch.cat([refined[:, :3], (log_scale.exp() * refined[:, 3:]).clamp(0, 1)], 1)


def mirror(x: Image, rows: Bool[Tensor, "b"] | None) -> Image:
    """The pictures; those of ``rows`` mirrored left to right."""
    return x if rows is None else torch.where(rows[:, None, None, None], x.flip(-1), x)


def resize(image: Image, height: int, width: int) -> Made:
    """Bilinear, antialiased where it shrinks; ``image`` itself if it has that size."""
    if image.shape[-2:] == (height, width):
        return image
    return F.interpolate(image, (height, width), mode="bilinear", antialias=True, align_corners=False)


def upsample(x: Image, bilinear: bool) -> Made:
    """Twice the size, bilinear or nearest."""
    return F.interpolate(x, scale_factor=2, mode="bilinear" if bilinear else "nearest")


def shrink(condition: Condition, width: int) -> Made:
    """Area resize to ``width`` (an integer ratio)."""
    factor = condition.shape[-1] // width
    return F.avg_pool2d(condition, factor) if factor > 1 else condition
