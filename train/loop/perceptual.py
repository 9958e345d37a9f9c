"""Perceptual distance: L1 between the feature maps of an ImageNet network, RGB in 0..255.

VGG-19 with the layers and weights of the specification where its weights are on this machine. Without them,
EfficientNet-Lite0, which installs with its weights; its layers are weighted the way Chen and Koltun weighted
VGG's: each counts about as much as the L1 distance of the pictures in grey levels.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from flythrough.errors import MissingWeights
from flythrough.networks import lite0
from flythrough.networks.weights import locate

# conv1_2, 2_2, 3_2, 4_2, 5_2 after their ReLU, by torchvision's index.
VGG_LAYERS = {3: 1 / 2.6, 8: 1 / 4.8, 13: 1 / 3.7, 22: 1 / 5.6, 31: 10 / 1.5}
# Strides 2, 4, 8, 16: grey levels a unit of feature, of the sample world's frames against their renders at 64 x 96.
LITE0_WEIGHTS = (6.1, 4.5, 4.7, 4.7)


class Vgg19Distance(nn.Module):
    """The specification's perceptual distance.

    torchvision's VGG-19 wants inputs of unit deviation where the Caffe one, for which the weights were made, wants
    grey levels. Features grow in proportion to the input (but for biases), so they are scaled back by 255 * 0.226.
    """

    name = "vgg19"

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        import torchvision

        trunk = torchvision.models.vgg19(weights=None).features[: max(VGG_LAYERS) + 1]
        state = torch.load(locate("vgg19"), map_location="cpu", weights_only=True)
        trunk.load_state_dict({k.removeprefix("features."): v for k, v in state.items() if _below(k, len(trunk))})
        self.trunk = trunk.eval().requires_grad_(False).to(device)
        self.mean: Tensor
        self.deviation: Tensor
        self.register_buffer("mean", 255 * torch.tensor([0.485, 0.456, 0.406], device=device).view(1, 3, 1, 1))
        self.register_buffer("deviation", 255 * torch.tensor([0.229, 0.224, 0.225], device=device).view(1, 3, 1, 1))

    def forward(self, predicted: Float[Tensor, "b 3 h w"], truth: Float[Tensor, "b 3 h w"]) -> Tensor:
        """Distance of RGB pictures in [0, 1]."""
        return 255 * 0.226 * _weighted_l1(self._maps, tuple(VGG_LAYERS.values()), predicted, truth)

    def _maps(self, images: Tensor) -> list[Tensor]:
        x, found = (images - self.mean) / self.deviation, []
        for index, layer in enumerate(self.trunk):
            x = layer(x)
            if index in VGG_LAYERS:
                found.append(x)
        return found


class Lite0Distance(nn.Module):
    """The perceptual distance that needs no download."""

    name = "lite0"

    def __init__(self, device: torch.device) -> None:
        super().__init__()
        self.network = copy.deepcopy(lite0.load(str(device)))  # others share the one that is loaded

    def forward(self, predicted: Float[Tensor, "b 3 h w"], truth: Float[Tensor, "b 3 h w"]) -> Tensor:
        """Distance of RGB pictures in [0, 1], sides multiples of 32."""
        return _weighted_l1(self._maps, LITE0_WEIGHTS, predicted, truth)

    def _maps(self, images: Tensor) -> list[Tensor]:
        return lite0.maps(self.network, images, len(LITE0_WEIGHTS))


def perceptual_distance(name: str, device: torch.device) -> Any:
    """The network called ``name``; ``auto`` is VGG-19 where its weights are here, else Lite0.

    Raises:
        MissingWeights: VGG-19 was asked for by name and is not here.
    """
    if name == "lite0":
        return Lite0Distance(device)
    try:
        return Vgg19Distance(device)
    except MissingWeights:
        if name == "vgg19":
            raise
        return Lite0Distance(device)


def _weighted_l1(
    maps: Callable[[Tensor], list[Tensor]], weights: tuple[float, ...], predicted: Tensor, truth: Tensor
) -> Tensor:
    with torch.no_grad():
        wanted = maps(255 * truth)
    terms = [w * (p - t).abs().mean() for w, p, t in zip(weights, maps(255 * predicted), wanted, strict=True)]
    return torch.stack(terms).sum()


def _below(key: str, layers: int) -> bool:
    kind, _, rest = key.partition(".")
    return kind == "features" and int(rest.split(".")[0]) < layers
