"""What a shot shows: the probability that it is nature seen from outdoors, by EfficientNet-Lite0's ImageNet classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

if TYPE_CHECKING:
    from torch import Tensor

# alp, cliff, coral reef, geyser, lakeside, promontory, sandbar, seashore, valley, volcano; then breakwater, dam,
# pier, boathouse, which stand on coasts
NATURE = (970, 972, 973, 974, 975, 976, 977, 978, 979, 980, 460, 525, 718, 449)


def nature_probability(images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[float]:
    """Probability of nature, an RGB image each: the mean over its middle square and the whole picture, squeezed."""
    import torch
    from torch.nn.functional import interpolate

    from flythrough import lite0

    views = []
    for image in images:
        pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None].float()
        for view in (_middle(pixels), pixels):
            views.append(interpolate(view, (lite0.SIZE, lite0.SIZE), mode="bilinear", antialias=True))
    pixels = torch.cat(views).round().clamp(0, 255).to(torch.uint8)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # a third of the processor time of two; the decoder has the other cores
    try:
        pairs = [lite0.probabilities(lite0.load(), pair) for pair in pixels.split(2)]  # two at a time, to save memory
    finally:
        torch.set_num_threads(threads)
    return [float(pair[:, list(NATURE)].sum(1).mean()) for pair in pairs]


def _middle(pixels: Tensor) -> Tensor:
    height, width = pixels.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return pixels[..., top : top + side, left : left + side]
