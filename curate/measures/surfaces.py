"""How much of a picture is sky, how much water, by colour and smoothness: rough, for sorting and not for masks."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

SIZE = (64, 36)


def sky_and_water(image: UInt8[np.ndarray, "h w 3"]) -> tuple[float, float]:
    """Shares of sky and of water in an RGB picture, 0..1 each.

    Sky is what is smooth, not dark, and not warmer than grey, from the upper edge down to the first pixel
    that is not. Water is what is smooth and blue or green, and is no sky.
    """
    import cv2

    small = cv2.resize(image, SIZE, interpolation=cv2.INTER_AREA).astype(np.float32)
    red, green, blue = small[..., 0], small[..., 1], small[..., 2]
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    spread = np.sqrt(np.maximum(cv2.blur(gray**2, (5, 5)) - cv2.blur(gray, (5, 5)) ** 2, 0))
    rough = cv2.resize(spread, SIZE, interpolation=cv2.INTER_AREA)
    maybe = (rough < 6) & (blue > red - 12) & (small.mean(-1) > 80)
    sky = np.logical_and.accumulate(maybe, axis=0)
    water = ~sky & (rough < 12) & (blue > red + 4) & (blue > 0.85 * green) & (small.mean(-1) > 15)
    return float(sky.mean()), float(water.mean())
