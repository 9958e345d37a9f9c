"""Style distance of a frame to its start frame, by Gram matrices of feature maps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

if TYPE_CHECKING:
    from torch import Tensor

EVERY = 5  # steps: style changes slowly, and feature maps are expensive


def style_distances(start: UInt8[np.ndarray, "h w 3"], frames: UInt8[np.ndarray, "n h w 3"]) -> Float[np.ndarray, "n"]:
    """Distance of each frame to the start (metric ``style_lite0``).

    Sum over the feature maps of EfficientNet-Lite0 of the mean squared difference of Gram matrices (Gatys et al. 2016),
    each Gram matrix divided by channels x pixels.
    """
    import torch

    from flythrough.networks import lite0

    images = torch.from_numpy(np.concatenate([start[None], frames])).permute(0, 3, 1, 2).float()
    images = _to_multiple(images)
    with torch.inference_mode():
        found = torch.zeros(len(images), dtype=torch.float64)
        for features in lite0.maps(lite0.load(), images):
            gram = gram_matrices(features.double())
            found += ((gram - gram[:1]) ** 2).mean((1, 2))
    return found[1:].numpy()


def gram_matrices(features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c c"]:
    """``[b, c, h, w]`` to ``[b, c, c]``."""
    flat = features.flatten(2)
    return flat @ flat.mT / (flat.shape[1] * flat.shape[2])


def _to_multiple(images: Float[Tensor, "b 3 h w"], of: int = 32) -> Float[Tensor, "b 3 h2 w2"]:
    from torch.nn.functional import interpolate

    height, width = (max(of, round(side / of) * of) for side in images.shape[-2:])
    if images.shape[-2:] == (height, width):
        return images
    return interpolate(images, (height, width), mode="bilinear", antialias=True, align_corners=False)
