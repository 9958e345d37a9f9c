"""Light and air: how hazy a picture is, and whether it may be night."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

PATCH = 15  # pixels per side of the dark channel's patches, at 224 pixels on the shorter side
LEAST_AIRLIGHT = 0.5  # of white; anything darker is not sunlit haze
DAY = 0.4  # of white, sRGB; by day three quarters of hardly any picture are darker
LAMP, LAMP_BRIGHT, LAMP_SIDE = 80, 170, 9  # grey levels above the surroundings, grey levels, pixels across at most
MANY_LAMPS = 0.05  # share; a city at night has 0.058, an old town by day 0.012, surf on dark rock 0.014


def haze(image: UInt8[np.ndarray, "h w 3"], sky: float) -> float:
    """Share of airlight in what reaches the camera from the ground.

    The dark channel (He, Sun and Tang 2011): somewhere in each patch of clear ground one channel is near black; haze
    adds airlight to it, whose colour is that of the patches with the brightest dark channel. The sky is the haziest
    part of every picture, so its share of the haziest patches is left out; the result is the median of the others.

    Args:
        image: RGB, without bars.
        sky: share of it that is sky, 0..1.

    Returns:
        0 clear air .. 1 nothing but air. White ground (snow, surf, chalk) reads as haze.
    """
    import cv2

    square = np.ones((PATCH, PATCH), np.uint8)
    red, green, blue = cv2.split(image)
    dark = cv2.erode(cv2.min(cv2.min(red, green), blue), square)
    brightest = dark >= np.quantile(dark, 0.999)
    gains = 1 / np.maximum(image[brightest].mean(0), 255 * LEAST_AIRLIGHT)
    scaled = [
        cv2.convertScaleAbs(channel, alpha=255 * gain) for channel, gain in zip((red, green, blue), gains, strict=True)
    ]
    veil = cv2.erode(cv2.min(cv2.min(scaled[0], scaled[1]), scaled[2]), square)
    return float(np.quantile(veil, (1 - min(max(sky, 0.0), 0.9)) / 2)) / 255


def night(image: UInt8[np.ndarray, "h w 3"]) -> float:
    """Whether a picture may be taken at night: dark nearly everywhere, or half of it dark with lamps.

    Lamps are small and bright: they exceed their surroundings by ``LAMP`` grey levels or more.

    Args:
        image: RGB, without bars, about 224 pixels on the shorter side.

    Returns:
        The greater of: how far three quarters of it lie below ``DAY`` (1 black, 0 at ``DAY``), and how far half of it
        does, times the share of lamps over ``MANY_LAMPS``, at most 1. Dusk and a lens stopped down look like the first,
        sunlit foam on a dark sea a little like the second.
    """
    import cv2

    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    half, most = 1 - np.minimum(np.quantile(gray, (0.5, 0.75)) / (255 * DAY), 1)
    stand_out = cv2.morphologyEx(gray, cv2.MORPH_TOPHAT, np.ones((LAMP_SIDE, LAMP_SIDE), np.uint8))
    lamps = float(((stand_out >= LAMP) & (gray >= LAMP_BRIGHT)).mean())
    return float(max(most, half * min(1.0, lamps / MANY_LAMPS)))
