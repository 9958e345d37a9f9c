"""What a shot shows: the probability that it is nature seen from outdoors, by EfficientNet-Lite0's ImageNet classes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

# alp, cliff, coral reef, geyser, lakeside, promontory, sandbar, seashore, valley, volcano
LAND = (970, 972, 973, 974, 975, 976, 977, 978, 979, 980)
# What stands on coasts: breakwater, dam, pier, boathouse, beacon (a lighthouse).
BUILT = (460, 525, 718, 449, 437)
# What lives in the sea (sharks, rays, whales, dugong, sea lion): the network calls open water, a sand bank or rocks in
# it by the animals that ImageNet shows there, and hardly anything else so.
SEA = (2, 3, 4, 5, 6, 147, 148, 149, 150)
NATURE = (*LAND, *BUILT, *SEA)


def nature_probability(images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[float]:
    """Probability of nature, an RGB image each: the mean over its middle square and the whole picture, squeezed."""
    from PIL import Image

    from flythrough.networks.lite0_onnx import SIZE, probabilities

    found = []
    for image in images:
        views = [
            Image.fromarray(view).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for view in (_middle(image), image)
        ]
        found.append(float(probabilities(np.stack(views))[:, list(NATURE)].sum(1).mean()))
    return found


def _middle(image: np.ndarray) -> UInt8[np.ndarray, "s s 3"]:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])
