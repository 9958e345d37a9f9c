"""Duplicate shots, within and across videos, also where one is a piece of the other."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
from jaxtyping import Int64, UInt8, UInt64

from flythrough.media.perceptual_hash import BITS, picture_hash, to_hex

INDEX_EVERY = 2  # one in this many of a shot's hashes is indexed; all are looked up
PARTS, PART_BITS = 4, BITS // 4  # of a hash, in the index
Place = tuple[str, int, int]  # video, first and last time of a shot in microseconds
Hashes = UInt64[np.ndarray, "n"]  # of a shot's pictures, in their order
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
    known = _Known(max_distance_bits)
    repeats: dict[str, str] = {}
    for id, place, text in shots:
        hashes = np.array([int(part, 16) for part in text.split("-")], dtype=np.uint64)
        original = known.repeated_by(place, hashes)
        if original is None:
            known.add(id, place, hashes)
        else:
            repeats[id] = original
    return repeats


class _Known:
    """The shots so far that repeat no other, with an index of their hashes.

    It holds about 700 bytes for a shot of ten seconds (25 hashes), and 40 MB for the index's keys once most occur.
    """

    def __init__(self, max_distance_bits: int) -> None:
        self._most = max_distance_bits
        self._ids: list[str] = []
        self._videos: dict[str, int] = {}
        self._places = array("q")  # of each shot: video, first and last time
        self._hashes, self._ends = array("Q"), array("Q", [0])  # of all shots, one after another
        self._indexed, self._owners = array("Q"), array("I")  # hashes in the index, and the shot of each
        self._index: dict[int, array[int]] = defaultdict(lambda: array("I"))  # part of a hash -> places in _indexed
        flips = [0, *(1 << bit for bit in range(PART_BITS))] if max_distance_bits >= PARTS else [0]
        self._flips = np.array(flips, dtype=np.uint64)

    def add(self, id: str, place: Place, hashes: Hashes) -> None:
        chosen = np.unique(hashes[::INDEX_EVERY])
        for part in _parts(chosen, self._flips[:1]).reshape(PARTS, -1):
            for offset, key in enumerate(part.tolist()):
                self._index[key].append(len(self._indexed) + offset)
        self._indexed.frombytes(chosen.tobytes())
        self._owners.extend([len(self._ids)] * len(chosen))
        self._ids.append(id)
        self._places.extend((self._videos.setdefault(place[0], len(self._videos)), *place[1:]))
        self._hashes.frombytes(hashes.tobytes())
        self._ends.append(len(self._hashes))

    def repeated_by(self, place: Place, hashes: Hashes) -> str | None:
        """The id of the first shot that a new one repeats."""
        for shot in self._met(np.unique(hashes)).tolist():
            here = self._hashes[self._ends[shot] : self._ends[shot + 1]]
            if not self._adjoins(shot, place) and _agree(hashes, np.array(here, dtype=np.uint64), self._most):
                return self._ids[shot]
        return None

    def _met(self, hashes: Hashes) -> Int64[np.ndarray, "m"]:
        """Shots with an indexed hash close to one of these, in order."""
        if not self._indexed:
            return np.empty(0, np.int64)
        find = self._look_up if self._most < 2 * PARTS else self._compare_all
        owners = np.frombuffer(self._owners, np.uint32)
        return np.unique(owners[find(hashes)]).astype(np.int64)

    def _compare_all(self, hashes: Hashes) -> Int64[np.ndarray, "m"]:
        """Places in ``_indexed`` of the hashes close to one of these, at distances too large for the index."""
        indexed = np.frombuffer(self._indexed, np.uint64)
        near = np.zeros(len(indexed), bool)
        for each in hashes:
            near |= np.bitwise_count(indexed ^ each) <= self._most
        return np.flatnonzero(near)

    def _look_up(self, hashes: Hashes) -> Int64[np.ndarray, "m"]:
        """Places in ``_indexed`` of the hashes close to one of these; only those that share a key are compared."""
        asked: list[int] = []  # places in hashes
        found: list[array[int]] = []  # for each of them, places in _indexed
        for key_number, key in enumerate(_parts(hashes, self._flips).ravel().tolist()):
            if (places := self._index.get(key)) is not None:
                asked.append(key_number % len(hashes))
                found.append(places)
        candidates = np.frombuffer(b"".join(found), np.uint32) if found else np.empty(0, np.uint32)
        mine = np.repeat(hashes[np.array(asked, np.int64)], [len(each) for each in found])
        theirs = np.frombuffer(self._indexed, np.uint64)[candidates]
        return candidates[np.bitwise_count(mine ^ theirs) <= self._most].astype(np.int64)

    def _adjoins(self, shot: int, place: Place) -> bool:
        """Whether one shot ends where the other begins."""
        video, start, end = self._places[3 * shot : 3 * shot + 3]
        return self._videos.get(place[0]) == video and (end == place[1] or place[2] == start)


def _parts(hashes: Hashes, flips: Hashes) -> UInt64[np.ndarray, "parts flips n"]:
    """Keys of each hash's parts, with the bits that are set in each of ``flips`` inverted.

    Of two hashes that differ in fewer than 2 * PARTS bits, some part differs in one bit at most (pigeonhole).
    """
    part = np.arange(PARTS, dtype=np.uint64)[:, None, None]
    bits = np.uint64(PART_BITS)
    values = (hashes >> (part * bits)) & np.uint64((1 << PART_BITS) - 1)
    return (values ^ flips[:, None]) | (part << bits)


def _agree(a: Hashes, b: Hashes, max_distance_bits: int) -> bool:
    short, long = sorted((a, b), key=len)
    near = (np.bitwise_count(short[:, None] ^ long) <= max_distance_bits).any(axis=1)
    return int(near.sum()) >= LEAST_SHARE * len(short)
