"""Duplicate shots, within and across videos, also where one is a piece of the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import UInt8

from flythrough.media.perceptual_hash import BITS, distance_bits, picture_hash, to_hex

INDEX_EVERY = 5  # one in this many of a shot's hashes is indexed; all are looked up
Place = tuple[str, int, int]  # video, first and last time of a shot in microseconds
LEAST_SHARE = 0.8  # share of the shorter shot's hashes that must have a similar one in the other


def shot_hash(pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> str:
    """Hashes of every second picture of a shot (there are five a second), hex, joined by dashes."""
    return "-".join(to_hex(picture_hash(p)) for p in pictures[::2])


def find_duplicates(shots: Iterable[tuple[str, Place, str]], max_distance_bits: int) -> dict[str, str]:
    """Which shots repeat an earlier one.

    Args:
        shots: (id, its place, its hashes as :func:`shot_hash` writes them) in order; of two that agree the first is
            the original. Neighbouring pieces of one split shot do not count.
        max_distance_bits: largest distance between the hashes of two equal pictures.

    Returns:
        For each repeating shot, the id of the one it repeats.
    """
    index: dict[tuple[int, int], set[str]] = defaultdict(set)
    known: dict[str, list[int]] = {}
    places: dict[str, Place] = {}
    order: dict[str, int] = {}
    repeats: dict[str, str] = {}
    for id, place, text in shots:
        hashes = [int(part, 16) for part in text.split("-")]
        met = {other for hash in hashes for key in _keys(hash, max_distance_bits) for other in index.get(key, ())}
        in_order = sorted(met, key=lambda other: order[other])
        same = (o for o in in_order if not _adjoin(places[o], place) and _agree(hashes, known[o], max_distance_bits))
        if (original := next(same, None)) is not None:
            repeats[id] = original
            continue
        known[id], order[id], places[id] = hashes, len(order), place
        for hash in hashes[::INDEX_EVERY]:
            for key in _keys(hash, max_distance_bits):
                index[key].add(id)
    return repeats


def _agree(a: list[int], b: list[int], max_distance_bits: int) -> bool:
    short, long = sorted((a, b), key=len)
    near = sum(any(distance_bits(x, y) <= max_distance_bits for y in long) for x in short)
    return near >= LEAST_SHARE * len(short)


def _adjoin(a: Place, b: Place) -> bool:
    """Whether one shot ends where the other begins."""
    return a[0] == b[0] and (a[2] == b[1] or b[2] == a[1])


def _keys(hash: int, max_distance_bits: int) -> list[tuple[int, int]]:
    """Parts of a hash of which at least one is equal in every hash that is close enough (pigeonhole)."""
    edges = [BITS * i // (max_distance_bits + 1) for i in range(max_distance_bits + 2)]
    return [(i, (hash >> a) & ((1 << (b - a)) - 1)) for i, (a, b) in enumerate(pairwise(edges))]
