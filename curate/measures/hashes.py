"""Perceptual hashes of shots: near-equal for the same pictures after scaling, recoding and grading."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8

BITS = 64


def picture_hash(image: UInt8[np.ndarray, "h w 3"]) -> int:
    """64 bits: the signs of the lowest frequencies of the luma, against their median (pHash)."""
    import cv2

    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(gray.astype(np.float32))[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return int("".join("1" if b else "0" for b in bits), 2)


def shot_hash(pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> str:
    """Hashes of every second picture (there are five a second), hex, joined by dashes."""
    return "-".join(f"{picture_hash(p):016x}" for p in pictures[::2])


def distance_bits(a: int, b: int) -> int:
    """In how many bits two hashes differ."""
    return (a ^ b).bit_count()
