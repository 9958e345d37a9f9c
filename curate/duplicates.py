"""Shots that show the same pictures, within and across videos."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from itertools import pairwise

from .hashes import BITS, distance_bits

BANDS = 8  # hashes within 7 bits of each other agree in at least one of 8 bands


def find_duplicates(shots: Iterable[tuple[str, str]], max_distance_bits: int) -> dict[str, str]:
    """Which shots repeat an earlier one.

    Args:
        shots: (id, hash of the shot) in order; of two that agree the first is the original.
        max_distance_bits: first, middle and last picture must all be this close.

    Returns:
        For each repeating shot, the id of the one it repeats.
    """
    index: dict[tuple[int, int], list[tuple[str, tuple[int, ...]]]] = defaultdict(list)
    repeats: dict[str, str] = {}
    for id, text in shots:
        hashes = tuple(int(part, 16) for part in text.split("-"))
        keys = _keys(hashes[0], max_distance_bits)
        original = next(
            (
                other
                for key in keys
                for other, theirs in index[key]
                if all(distance_bits(a, b) <= max_distance_bits for a, b in zip(hashes, theirs, strict=True))
            ),
            None,
        )
        if original is not None:
            repeats[id] = original
            continue
        for key in keys:
            index[key].append((id, hashes))
    return repeats


def _keys(hash: int, max_distance_bits: int) -> list[tuple[int, int]]:
    """Parts of a hash of which at least one is equal in every hash that is close enough (pigeonhole)."""
    bands = max(BANDS, max_distance_bits + 1)
    edges = [BITS * i // bands for i in range(bands + 1)]
    return [(i, (hash >> a) & ((1 << (b - a)) - 1)) for i, (a, b) in enumerate(pairwise(edges))]
