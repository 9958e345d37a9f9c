"""EfficientNet-Lite0 with its ImageNet weights, which are installed as a package: works offline.

Features for a distance between image sets (evaluate/, named ``fd_lite0``, never "FID"), and feature maps for a
perceptual loss (train/). Class probabilities, which need no torch, are :mod:`.lite0_onnx`'s.
"""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from .lite0_onnx import SIZE, weights_file

__all__ = ["FEATURES", "RESIZE", "features", "load", "maps", "prepare", "weights_file"]

FEATURES = 1280
RESIZE = "bilinear, antialiased, to 224 x 224, in float"


@lru_cache(maxsize=2)
def load(device: str = "cpu") -> Any:
    """The network in evaluation mode, parameters frozen; one copy per process and device."""
    from efficientnet_lite_pytorch import EfficientNet

    # The package prints, and draws random weights that are then replaced: the caller's random state must not change.
    with contextlib.redirect_stdout(io.StringIO()), torch.random.fork_rng(devices=[]):
        model = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=str(weights_file()))
    return model.eval().requires_grad_(False).to(device)


def prepare(images: Float[Tensor, "b 3 h w"], size: int | None = SIZE) -> Float[Tensor, "b 3 tall wide"]:
    """The network's input from images in 0..255 of any size: (x - 127) / 128, resized unless size is None."""
    if size is not None and images.shape[-2:] != (size, size):
        images = interpolate(images, (size, size), mode="bilinear", antialias=True, align_corners=False)
    return (images - 127) / 128


def features(model: Any, images: UInt8[Tensor, "b 3 h w"]) -> Float[Tensor, "b 1280"]:
    """Pooled features of uint8 images, float32, no gradient."""
    _check(images)
    with torch.inference_mode():
        return model.extract_features(prepare(images.float())).mean((-2, -1))


def maps(model: Any, images: Float[Tensor, "b 3 h w"], count: int = 5) -> list[Tensor]:
    """The first ``count`` of the feature maps at strides 2, 4, 8, 16, 32, at the images' own size; differentiable.

    Args:
        model: from :func:`load`.
        images: RGB in 0..255, sides that are multiples of 32.
        count: how many; fewer cost less.
    """
    x = model._swish(model._bn0(model._conv_stem(prepare(images, size=None))))
    found = []
    for block in model._blocks:
        following = block(x)
        if following.shape[-1] != x.shape[-1]:
            found.append(x)  # the last map before the resolution drops
            if len(found) == count:
                return found
        x = following
    return [*found, x]


def _check(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images must be uint8 [b, 3, h, w], not {images.dtype} {tuple(images.shape)}")
