"""What a shot shows: nature outdoors, coast, screens, towns; probabilities of EfficientNet-Lite0's ImageNet classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8

# alp, cliff, coral reef, geyser, lakeside, promontory, sandbar, seashore, valley, volcano
LAND = (970, 972, 973, 974, 975, 976, 977, 978, 979, 980)
# What stands on coasts: breakwater, dam, pier, boathouse, beacon (a lighthouse).
SHORE = (460, 525, 718, 449, 437)
# What lives in the sea (sharks, rays, whales, dugong, sea lion): the network calls open water, a sand bank or rocks in
# it by the animals that ImageNet shows there, and hardly anything else so.
SEA = (2, 3, 4, 5, 6, 147, 148, 149, 150)
NATURE = (*LAND, *SHORE, *SEA)
# Coast: cliff, lakeside, promontory, sandbar, seashore, breakwater, pier, beacon.
COAST = (972, 975, 976, 977, 978, 460, 718, 437)
# What shows drawings: web site, comic book, crossword, book jacket, menu, monitor, screen, television, desktop and
# laptop computer, oscilloscope.
SCREEN = (916, 917, 918, 921, 922, 664, 782, 851, 527, 620, 688)
# Buildings of towns: church, cinema, dome, greenhouse, library, mobile home, monastery, mosque, obelisk, palace,
# planetarium, prison, restaurant, stupa, triumphal arch, bell cote, water tower.
TOWN = (497, 498, 538, 580, 624, 660, 663, 668, 682, 698, 727, 743, 762, 832, 873, 442, 900)
# Great structures: crane, drilling platform (both also name a skyline), arch and suspension bridge, viaduct.
STEEL = (517, 540, 821, 839, 888)
# Streets and rails: parking meter, street sign, traffic light, petrol pump, then what drives there.
STREET = (704, 919, 920, 571, 407, 436, 466, 468, 475, 479, 511, 547, 555, 565, 569, 609, 627, 654, 656, 661, 665, 670,
          675, 705, 717, 734, 751, 757, 779, 817, 820, 829, 864, 867, 874)  # fmt: skip
BUILT = (*TOWN, *STEEL, *STREET)


class Semantics(NamedTuple):
    """What an image shows, as probabilities, 0..1."""

    nature: float
    coast: float
    screen: float
    built: float


def semantics(images: Sequence[UInt8[np.ndarray, "h w 3"]]) -> list[Semantics]:
    """What RGB images show: the mean over the middle square and the whole picture, squeezed."""
    from PIL import Image

    from flythrough.networks.lite0_onnx import SIZE, probabilities

    found = []
    for image in images:
        views = [
            Image.fromarray(view).resize((SIZE, SIZE), Image.Resampling.BILINEAR) for view in (_middle(image), image)
        ]
        mean = probabilities(np.stack(views)).mean(0)
        found.append(Semantics(*(float(mean[list(classes)].sum()) for classes in (NATURE, COAST, SCREEN, BUILT))))
    return found


def _middle(image: np.ndarray) -> UInt8[np.ndarray, "s s 3"]:
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(image[top : top + side, left : left + side])
