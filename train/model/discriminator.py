"""Two patch discriminators on RGBD, at full and at half size (SPADE's, as Infinite Nature uses them)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from .layers import Kernels, SpectralConv, instance_norm, leaky, normalise, reflect_pad

Features = list[Tensor]
Outputs = tuple[list[Tensor], list[Features]]  # logits and features, one per scale


class PatchDiscriminator(nn.Module):
    """Judges whether each patch of a picture looks real.

    A 4 x 4 conv to ``width`` channels, three spectrally and instance-normalised ones to 2, 4 and 8 times as many
    (the last at stride 1), and one to a logit. Reflect padding, as everywhere in the release.
    """

    def __init__(self, width: int = 64, channels: int = 4) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 4, stride=2)
        self.normalised = nn.ModuleList(
            [
                SpectralConv(width, 2 * width, 4, stride=2),
                SpectralConv(2 * width, 4 * width, 4, stride=2),
                SpectralConv(4 * width, 8 * width, 4),
            ]
        )
        self.last = nn.Conv2d(8 * width, 1, 4)
        for conv in (self.first, self.last):
            nn.init.xavier_normal_(conv.weight)

    def forward(self, rgbd: Float[Tensor, "b c h w"], kernels: Kernels) -> tuple[Tensor, Features]:
        """Logits ``[b, 1, h / 8, w / 8]``, and the three normalised layers' features."""
        x = leaky(self.first(reflect_pad(2 * rgbd - 1, 4, 2)))
        features = []
        for conv in self.normalised:
            x = leaky(instance_norm(conv(x, kernels)))
            features.append(x)
        return self.last(reflect_pad(x, 4)), features


class MapDiscriminator(nn.Module):
    """Judges whether each place of a pretrained network's feature map looks like that of a real picture.

    Two spectrally normalised 3 x 3 convs to ``width`` channels, and one to a logit. As in Projected GANs (Sauer et al.
    2021, arXiv 2111.01007), without their random mixing of maps: such a judge has no need to learn to see first.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([SpectralConv(channels, width, 3), SpectralConv(width, width, 3)])
        self.last = SpectralConv(width, 1, 3)

    def forward(self, x: Float[Tensor, "b c h w"], kernels: Kernels) -> Float[Tensor, "b 1 h w"]:
        """A logit for each place."""
        for conv in self.convs:
            x = leaky(conv(x, kernels))
        return self.last(x, kernels)


class Discriminators(nn.Module):
    """The patch discriminator at full size, and another at half size (2 x 2 means).

    If wanted, also one for each feature map of a pretrained network.

    Args:
        width: channels of the first layer; those that judge maps have twice as many.
        channels: of what is judged; 8 for two pictures side by side.
        map_channels: channels of each of a pretrained network's feature maps that are judged, too; none by default.
    """

    def __init__(self, width: int = 64, channels: int = 4, map_channels: Sequence[int] = ()) -> None:
        super().__init__()
        self.fine, self.coarse = PatchDiscriminator(width, channels), PatchDiscriminator(width, channels)
        self.on_maps = nn.ModuleList(MapDiscriminator(each, 2 * width) for each in map_channels)

    def forward(self, rgbd: Float[Tensor, "b c h w"], kernels: Kernels | None = None) -> Outputs:
        """Logits and features, one per scale. Without ``kernels``, in training mode, the power iterations advance."""
        kernels = kernels or normalise(self, keep=self.training)
        fine_logits, fine_features = self.fine(rgbd, kernels)
        coarse_logits, coarse_features = self.coarse(avg_pool2d(rgbd, 2), kernels)
        return [fine_logits, coarse_logits], [fine_features, coarse_features]

    def judge_maps(self, maps: Sequence[Tensor], kernels: Kernels) -> list[Tensor]:
        """Logits ``[b, 1, h, w]`` for each of the feature maps ``[b, c, h, w]``, whose values deviate by about 1."""
        return [judge(x, kernels) for judge, x in zip(self.on_maps, maps, strict=True)]


def split(outputs: Outputs, counts: Sequence[int]) -> list[Outputs]:
    """Split one batch back into the sets of pictures that were joined in it, ``counts`` pictures each."""
    logits = [x.split(list(counts)) for x in outputs[0]]
    features = [[x.split(list(counts)) for x in scale] for scale in outputs[1]]
    return [([x[i] for x in logits], [[x[i] for x in scale] for scale in features]) for i in range(len(counts))]
