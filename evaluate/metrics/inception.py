"""The TF1 Inception network of FID and KID: torch-fidelity's layers, in a memory layout that is faster on CPUs."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from flythrough.errors import InputError

SIZE = 299
RESIZE = "TensorFlow 1 bilinear (no antialiasing, corners not aligned), to 299 x 299, in float"
_STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "MaxPool_2")
_MIXED = tuple(f"Mixed_{stage}" for stage in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"))


def load(weights: Path, device: str = "cpu") -> Callable[[UInt8[Tensor, "b 3 h w"]], Float[Tensor, "b 2048"]]:
    """The network, as a function from uint8 images to pooled features.

    Raises:
        InputError: the file does not hold this network's weights.
    """
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        network: Any = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(weights)
        )
    except (RuntimeError, OSError, AttributeError, TypeError, EOFError, pickle.UnpicklingError) as error:
        raise InputError(
            f"{weights} does not hold the Inception weights ({str(error).splitlines()[0]})",
            remedy="Run: flythrough weights fetch inception --force",
        ) from error
    _fuse(network)
    layers: Any = torch.nn.Sequential(*(getattr(network, name) for name in (*_STEM, *_MIXED, "AvgPool")))
    layers = layers.to(device=device, memory_format=torch.channels_last).eval()

    def forward(images: Tensor) -> Tensor:
        if images.dtype != torch.uint8:
            raise ValueError(f"images must be uint8, not {images.dtype}")
        x = resize(images.to(device).float())
        return layers(((x - 128) / 128).contiguous(memory_format=torch.channels_last)).flatten(1)

    return forward


def resize(images: Float[Tensor, "b 3 h w"], size: int = SIZE) -> Float[Tensor, "b 3 s s"]:
    """Bilinear resize as TensorFlow 1 does it: output i looks at input i * in / out, with no half-pixel shift."""
    rows = _taps(images.shape[-2], size).to(images.device)
    columns = _taps(images.shape[-1], size).to(images.device)
    return rows @ (images @ columns.T)


@lru_cache(maxsize=8)
def _taps(length: int, size: int) -> Float[Tensor, "size length"]:
    where = torch.arange(size, dtype=torch.float32) * torch.tensor(length / size, dtype=torch.float32)
    low = where.long()
    high = (low + 1).clamp_max(length - 1)
    share = where - low
    taps = torch.zeros(size, length)
    rows = torch.arange(size)
    taps.index_put_((rows, low), 1 - share, accumulate=True)
    taps.index_put_((rows, high), share, accumulate=True)
    return taps


def _fuse(network: torch.nn.Module) -> None:
    """Fold every batch norm into the convolution before it."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval

    block: Any
    for block in network.modules():
        if hasattr(block, "conv") and hasattr(block, "bn"):
            block.conv = fuse_conv_bn_eval(block.conv.eval(), block.bn.eval())
            block.bn = torch.nn.Identity()
