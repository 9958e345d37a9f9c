"""Recorded frames of a protocol: the real side of set distances, and the other side of their floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .protocol import Header


@dataclass(frozen=True)
class RealFrame:
    """A recorded frame, by clip and number."""

    clip: str
    frame: int


Sides = tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]


def split_real(lengths: Mapping[str, int], videos: Mapping[str, str], header: Header) -> Sides:
    """Divide real frames into two disjoint sets: the real side, and the floor's other side.

    The sides are of different videos: neighbouring frames are nearly equal, and a floor from them would be too low.
    Only where all clips are of one video, frames are drawn for either side.

    Args:
        lengths: frames of each clip.
        videos: the video that each clip is of.
        header: for the seed and the most frames of each side.
    """
    if len({videos[clip] for clip in lengths}) < 2:
        pool = _frames(lengths)
        order = np.random.default_rng([header.seed, len(pool)]).permutation(len(pool))
        half = min(len(pool) // 2, header.sets.floor_frames)
        first = min(len(pool) - half, header.sets.reference_frames)
        chosen = order[:first], order[first : first + half]
        return by_clip([pool[i] for i in sorted(chosen[0])]), by_clip([pool[i] for i in sorted(chosen[1])])
    reference, floor = _by_video(lengths, videos, header.seed)
    return _some(reference, header.sets.reference_frames, header), _some(floor, header.sets.floor_frames, header)


def _by_video(lengths: Mapping[str, int], videos: Mapping[str, str], seed: int) -> list[dict[str, int]]:
    """Clips of either side: the longest video first, each to the side with fewer frames; equal ones in drawn order."""
    frames: dict[str, int] = {}
    for clip in sorted(lengths):
        frames[videos[clip]] = frames.get(videos[clip], 0) + lengths[clip]
    names = sorted(frames)
    drawn = np.random.default_rng([seed, len(names)]).permutation(len(names))
    sides: tuple[set[str], set[str]] = set(), set()
    total = [0, 0]
    for name in sorted((names[i] for i in drawn), key=lambda each: -frames[each]):
        side = int(total[1] < total[0])
        sides[side].add(name)
        total[side] += frames[name]
    return [{clip: count for clip, count in sorted(lengths.items()) if videos[clip] in side} for side in sides]


def _some(lengths: Mapping[str, int], most: int, header: Header) -> dict[str, tuple[int, ...]]:
    """All frames of these clips, or ``most`` drawn ones."""
    pool = _frames(lengths)
    order = np.random.default_rng([header.seed, len(pool)]).permutation(len(pool))[:most]
    return by_clip([pool[i] for i in sorted(order)])


def _frames(lengths: Mapping[str, int]) -> list[RealFrame]:
    return [RealFrame(clip, frame) for clip, length in sorted(lengths.items()) for frame in range(length)]


def by_clip(frames: list[RealFrame]) -> dict[str, tuple[int, ...]]:
    """Frame numbers by clip, as an index holds them."""
    found: dict[str, list[int]] = {}
    for each in frames:
        found.setdefault(each.clip, []).append(each.frame)
    return {clip: tuple(numbers) for clip, numbers in found.items()}
