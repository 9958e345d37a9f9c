"""Perceptual distance: L1 between the feature maps of an ImageNet network, RGB in 0..255.

VGG-19 with the layers and weights of the specification if its weights are on this machine; else EfficientNet-Lite0,
whose weights are installed with it. Its layers are weighted as Chen and Koltun weighted VGG's: each counts about as
much as the L1 distance of the pictures in grey levels.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from flythrough.errors import MissingWeights
from flythrough.networks import lite0
from flythrough.networks.weights import locate

from ..model.network import full

# conv1_2, 2_2, 3_2, 4_2, 5_2 after their ReLU, by torchvision's index.
VGG_LAYERS = {3: 1 / 2.6, 8: 1 / 4.8, 13: 1 / 3.7, 22: 1 / 5.6, 31: 10 / 1.5}
# Strides 2, 4, 8, 16: grey levels a unit of feature, of the sample world's frames against their renders at 64 x 96.
LITE0_WEIGHTS = (6.1, 4.5, 4.7, 4.7)


class Vgg19Distance(nn.Module):
    """The specification's perceptual distance.

    torchvision's VGG-19 takes inputs of unit deviation, the Caffe one, for which the loss weights were chosen, grey
    levels. Features are proportional to the input (except for biases), so they are scaled by 255 * 0.226.
    """

    name = "vgg19"
    channels = (64, 128, 256, 512, 512)  # of its maps

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        weights = locate("vgg19")  # first: without them no network need be made
        import torchvision

        trunk = torchvision.models.vgg19(weights=None).features[: max(VGG_LAYERS) + 1]
        state = torch.load(weights, map_location="cpu", weights_only=True)
        trunk.load_state_dict({k.removeprefix("features."): v for k, v in state.items() if _below(k, len(trunk))})
        self.trunk = trunk.eval().requires_grad_(False).to(device)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", 255 * torch.tensor([0.485, 0.456, 0.406], device=device).view(1, 3, 1, 1))
        self.register_buffer("deviation", 255 * torch.tensor([0.229, 0.224, 0.225], device=device).view(1, 3, 1, 1))

    def maps(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Feature maps of RGB pictures in [0, 1], each weighted."""
        x, found = (255 * images - self.mean) / self.deviation, []
        for index, layer in enumerate(self.trunk):
            x = layer(x)
            if index in VGG_LAYERS:
                found.append(255 * 0.226 * VGG_LAYERS[index] * x)
        return found


class Lite0Distance(nn.Module):
    """The perceptual distance that needs no download."""

    name = "lite0"
    channels = (16, 24, 40, 112)  # of its maps

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.network = copy.deepcopy(lite0.load(str(device)))  # others share the one that is loaded

    def maps(self, images: Float[Tensor, "b 3 h w"]) -> list[Tensor]:
        """Feature maps of RGB pictures in [0, 1], sides multiples of 32, each weighted."""
        found = lite0.maps(self.network, 255 * images, len(LITE0_WEIGHTS))
        return [weight * x for weight, x in zip(LITE0_WEIGHTS, found, strict=True)]


PerceptualDistance = Vgg19Distance | Lite0Distance


def perceptual_distance(name: str, device: torch.device) -> PerceptualDistance:
    """The network called ``name``; ``auto`` is VGG-19 where its weights are here, else Lite0.

    Raises:
        MissingWeights: VGG-19 was asked for by name and is not on this machine.
    """
    if name == "lite0":
        return Lite0Distance(device)
    try:
        return Vgg19Distance(device)
    except MissingWeights:
        if name == "vgg19":
            raise
        return Lite0Distance(device)


def content_distance(predicted: Sequence[Tensor], truth: Sequence[Tensor]) -> Float[Tensor, "b"]:
    """The perceptual distance of pictures by their feature maps."""
    return torch.stack([(p - t).abs().mean((1, 2, 3)) for p, t in zip(predicted, truth, strict=True)]).sum(0)


def texture_distance(predicted: Sequence[Tensor], truth: Sequence[Tensor], layers: int = 3) -> Float[Tensor, "b"]:
    """How far the textures of pictures differ, wherever in the picture they are; 0 for equal ones.

    The Gram matrices of the first ``layers`` maps (Gatys et al. 2016, arXiv 1508.06576), each difference relative to
    the truth's, mean over the layers. Stripes and noise are far from every natural texture.
    """
    total = []
    for p, t in zip(predicted[:layers], truth[:layers], strict=True):
        wanted = _gram(t)
        total.append((_gram(p) - wanted).norm(dim=(1, 2)) / wanted.norm(dim=(1, 2)).clamp_min(1e-6))
    return torch.stack(total).mean(0)


def local_texture_distance(
    predicted: Sequence[Tensor], truth: Sequence[Tensor], cells: int = 4, layers: int = 3
) -> Float[Tensor, "b"]:
    """As :func:`texture_distance`, of ``cells`` x ``cells`` parts of each picture; those of a row may change places.

    Strokes that run away from the point flown at have every direction somewhere in the picture, so the Gram matrices
    of whole pictures hardly see them. Where in a far picture land is and where sea is, is not recorded; so the parts
    of a row are paired with the true ones in the order that differs least. Each true part has one partner, or all
    could be sea. Differences are relative to the row's mean, so that flat parts do not count for more than others.
    """
    ours, theirs = ([_cell_grams(x, cells) for x in maps[:layers]] for maps in (predicted, truth))
    orders = torch.tensor(list(itertools.permutations(range(cells))), device=ours[0].device)
    differences = []  # of each pair of parts of one row
    for p, t in zip(ours, theirs, strict=True):
        scale = t.norm(dim=-1).mean(-1).clamp_min(1e-6)
        differences.append((p[..., :, None, :] - t[..., None, :, :]).norm(dim=-1) / scale[..., None, None])
    pairs = torch.stack(differences).mean(0)  # b, row, ours, theirs
    return pairs[..., torch.arange(cells, device=orders.device), orders].mean(-1).amin(-1).mean(-1)


def _cell_grams(x: Float[Tensor, "b c h w"], cells: int) -> Float[Tensor, "b rows columns c*c"]:
    """The Gram matrices of ``cells`` x ``cells`` parts of each picture."""
    high, wide = x.shape[-2] // cells, x.shape[-1] // cells
    parts = x[..., : cells * high, : cells * wide].unflatten(-1, (cells, wide)).unflatten(-3, (cells, high))
    return _gram(parts.permute(0, 2, 4, 1, 3, 5)).flatten(-2)


def _gram(x: Float[Tensor, "*b c h w"]) -> Float[Tensor, "*b c c"]:
    flat = full(x).flatten(-2)
    return flat @ flat.mT / flat.shape[-1]


def _below(key: str, layers: int) -> bool:
    kind, _, rest = key.partition(".")
    return kind == "features" and int(rest.split(".")[0]) < layers
