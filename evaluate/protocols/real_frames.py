"""Recorded frames of a protocol: the real side of set distances, and the other side of their floor."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .protocol import Header


@dataclass(frozen=True)
class RealFrame:
    """A recorded frame, by clip and number."""

    clip: str
    frame: int


def split_real(
    lengths: dict[str, int], header: Header
) -> tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]:
    """Divide real frames into two disjoint sets: the real side, and the floor's other side.

    Args:
        lengths: frames of each clip.
        header: for the seed and the sizes; if there are too few frames, each set gets half.
    """
    pool = [(clip, frame) for clip, length in sorted(lengths.items()) for frame in range(length)]
    order = np.random.default_rng([header.seed, len(pool)]).permutation(len(pool))
    half = min(len(pool) // 2, header.sets.floor_frames)
    first = min(len(pool) - half, header.sets.reference_frames)
    chosen = order[:first], order[first : first + half]
    return tuple(_by_clip([pool[i] for i in sorted(part)]) for part in chosen)  # type: ignore[return-value]


def _by_clip(frames: list[tuple[str, int]]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for clip, frame in frames:
        found.setdefault(clip, []).append(frame)
    return {clip: tuple(each) for clip, each in found.items()}
