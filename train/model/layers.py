"""The layers of the refinement network, and spectral normalisation, computed outside the layers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

Kernels = Mapping["SpectralConv", Tensor]  # the normalised weight of each
Image = Float[Tensor, "b c h w"]
Made = Float[Tensor, "b c_out h_out w_out"]
Condition = Float[Tensor, "b c_condition h_condition w_condition"]

SLOPE = 0.2


def leaky(x: Tensor) -> Tensor:
    """Leaky ReLU, slope 0.2, of a tensor ``[...]`` of any shape."""
    return F.leaky_relu(x, SLOPE)


def instance_norm(x: Image) -> Image:
    """Zero mean and unit (biased) variance per channel and image; eps 1e-5. A single pixel becomes 0."""
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + 1e-5)


def padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels to pad (before, after), so that the output has ``ceil(size / stride)``."""
    total = math.ceil(size / stride) * stride + kernel - size - 1
    return total // 2, total - total // 2


def reflect_pad(x: Image, kernel: int, stride: int = 1) -> Made:
    """Pad by reflection; a side too short for that (such as 1 pixel) repeats its last."""
    for side, size in ((2, x.shape[2]), (3, x.shape[3])):
        before, after = padding(size, kernel, stride)
        if before or after:
            pads = (before, after, 0, 0) if side == 3 else (0, 0, before, after)
            x = F.pad(x, pads, mode="reflect" if max(before, after) < size else "replicate")
    return x


class SpectralConv(nn.Module):
    """A reflect-padded convolution whose weight is divided by its largest singular value.

    The layer does not normalise itself: :func:`normalise` makes the kernels of a whole network once for all forward
    passes with the same weights, and they are passed to each forward. So a checkpointed block that is computed twice
    uses the same kernel twice.
    """

    u: Tensor

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool = True) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(outputs, inputs, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(outputs)) if bias else None
        self.register_buffer("u", torch.empty(outputs))
        # On meta, where no value matters, random numbers and norms would import torch's compiler, for a second or two.
        if not self.weight.is_meta:
            self.u.copy_(F.normalize(torch.randn(outputs), dim=0))
            nn.init.xavier_normal_(self.weight)

    def forward(self, x: Image, kernels: Kernels) -> Made:
        """Convolve with this layer's kernel of ``kernels``; sides shrink by the stride, rounded up."""
        kernel = kernels[self]
        return F.conv2d(reflect_pad(x, kernel.shape[-1], self.stride), kernel, self.bias, self.stride)


def normalise(network: nn.Module, *, keep: bool) -> Kernels:
    """One power iteration on every spectral convolution below ``network``, from its stored ``u``.

    Gradients flow through the weight, not through the singular vectors. With ``keep`` the new ``u`` is stored.
    """
    kernels: dict[SpectralConv, Tensor] = {}
    with torch.autocast(next(network.parameters()).device.type, enabled=False):
        for layer in network.modules():
            if isinstance(layer, SpectralConv):
                matrix = layer.weight.flatten(1)  # [out, in * k * k]
                with torch.no_grad():
                    v = F.normalize(matrix.mT @ layer.u, dim=0)
                    u = F.normalize(matrix @ v, dim=0)
                    if keep:
                        layer.u.copy_(u)
                kernels[layer] = layer.weight / torch.dot(u, matrix @ v)
    return kernels


class Spade(nn.Module):
    """Spatially adaptive normalisation: the condition determines scale and shift of the normalised features.

    Args:
        channels: of the features.
        condition: channels of the condition.
        hidden: channels between the condition and scale and shift.
        narrow: make scale and shift from ``min(channels, hidden)`` channels, a third to a half of the work.
    """

    def __init__(self, channels: int, condition: int, hidden: int, *, narrow: bool = False) -> None:
        super().__init__()
        self.channels = channels
        self.conv_cond = nn.Conv2d(condition, hidden, 3)
        few = min(channels, hidden)
        self.squeeze = nn.Conv2d(hidden, few, 3, padding=1, bias=False) if narrow else None
        last = (few, 1, 0) if narrow else (hidden, 3, 1)
        self.gamma_beta = nn.Conv2d(last[0], 2 * channels, last[1], padding=last[2])  # gamma first

    def forward(self, x: Image, condition: Condition) -> Made:
        """``x`` normalised, then scaled and shifted by the condition, which has its height and width."""
        hidden = F.relu(self.conv_cond(reflect_pad(condition, 3)))
        if self.squeeze is not None:
            hidden = self.squeeze(hidden)
        gamma, beta = self.gamma_beta(hidden).chunk(2, 1)
        return instance_norm(x) * (1 + gamma) + beta


class SpadeBlock(nn.Module):
    """Two SPADE convolutions and a shortcut."""

    def __init__(self, inputs: int, outputs: int, condition: int, hidden: int, *, narrow: bool = False) -> None:
        super().__init__()
        middle = min(inputs, outputs)
        self.spade_0 = Spade(inputs, condition, hidden, narrow=narrow)
        self.conv_0 = SpectralConv(inputs, middle, 3)
        self.spade_1 = Spade(middle, condition, hidden, narrow=narrow)
        self.conv_1 = SpectralConv(middle, outputs, 3)
        self.learned_shortcut = inputs != outputs
        if self.learned_shortcut:
            self.shortcut_spade = Spade(inputs, condition, hidden, narrow=narrow)
            self.shortcut_conv = SpectralConv(inputs, outputs, 1, bias=False)

    def forward(self, x: Image, condition: Condition, kernels: Kernels) -> Made:
        """The block's output at the same height and width; ``condition`` has them, too."""
        y = self.conv_0(leaky(self.spade_0(x, condition)), kernels)
        y = self.conv_1(leaky(self.spade_1(y, condition)), kernels)
        if self.learned_shortcut:
            x = self.shortcut_conv(self.shortcut_spade(x, condition), kernels)
        return x + y
