"""Two patch discriminators on RGBD, at full and at half size (SPADE's, as Infinite Nature uses them)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, instance_norm, leaky_relu, normalize, pad

Features = list[Tensor]


class PatchDiscriminator(nn.Module):
    """Says of every patch of a picture whether it looks real.

    A 4 x 4 conv to ``width`` channels, three normalised ones to 2, 4 and 8 times as many (the last at stride 1),
    and one to a logit. Reflect padding, as everywhere in the release.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.first = Conv4(4, width, stride=2)
        self.normalised = nn.ModuleList(
            [
                SpectralConv4(width, 2 * width, stride=2),
                SpectralConv4(2 * width, 4 * width, stride=2),
                SpectralConv4(4 * width, 8 * width, stride=1),
            ]
        )
        self.last = Conv4(8 * width, 1, stride=1)

    def forward(self, rgbd: Float[Tensor, "b 4 h w"]) -> tuple[Tensor, Features]:
        """Logits ``[b, 1, h / 8, w / 8]``, and the three normalised layers' features."""
        x = leaky_relu(self.first(2 * rgbd - 1), 0.2)
        features = []
        for conv in self.normalised:
            x = leaky_relu(instance_norm(conv(x), eps=1e-5), 0.2)
            features.append(x)
        return self.last(x), features


class Discriminators(nn.Module):
    """The patch discriminator at full size, and another at half size (2 x 2 means)."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.fine, self.coarse = PatchDiscriminator(width), PatchDiscriminator(width)

    def forward(self, rgbd: Float[Tensor, "b 4 h w"]) -> tuple[list[Tensor], list[Features]]:
        """Logits and features, one a scale."""
        fine_logits, fine_features = self.fine(rgbd)
        coarse_logits, coarse_features = self.coarse(avg_pool2d(rgbd, 2))
        return [fine_logits, coarse_logits], [fine_features, coarse_features]


class Conv4(nn.Module):
    """A 4 x 4 convolution with reflect padding (for stride s: ceil(n / s) outputs)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 4, 4))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_normal_(self.weight, gain=math.sqrt(2))

    def kernel(self) -> Tensor:
        return self.weight

    def forward(self, x: Tensor) -> Tensor:
        return conv2d(self._padded(x), self.kernel(), self.bias, self.stride)

    def _padded(self, x: Tensor) -> Tensor:
        top, bottom = _padding(x.shape[-2], self.stride)
        left, right = _padding(x.shape[-1], self.stride)
        return pad(x, (left, right, top, bottom), mode="reflect")


class SpectralConv4(Conv4):
    """The same with its kernel divided by its largest singular value, from one power iteration a pass in training."""

    u: Tensor

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, stride)
        self.register_buffer("u", normalize(torch.randn(outputs), dim=0))

    def kernel(self) -> Tensor:
        matrix = self.weight.flatten(1)
        with torch.no_grad():
            v = normalize(self.u @ matrix, dim=0)
            u = normalize(matrix @ v, dim=0)
            if self.training:
                self.u = u
        return self.weight / (u @ matrix @ v)


def _padding(size: int, stride: int, kernel: int = 4) -> tuple[int, int]:
    total = -(-size // stride) * stride + kernel - size - 1
    return total // 2, total - total // 2


def split(
    outputs: tuple[list[Tensor], list[Features]], counts: Sequence[int]
) -> list[tuple[list[Tensor], list[Features]]]:
    """Undo the joining of several sets of pictures into one batch, ``counts`` pictures each."""
    logits, features = outputs
    pieces_of_logits = [x.split(list(counts)) for x in logits]
    pieces_of_features = [[x.split(list(counts)) for x in scale] for scale in features]
    return [
        ([x[i] for x in pieces_of_logits], [[x[i] for x in scale] for scale in pieces_of_features])
        for i in range(len(counts))
    ]
