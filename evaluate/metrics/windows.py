"""The Frechet distance over a sliding window of flight steps (FID_sw of InfiniteNature-Zero)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .fid import Features, Reference, sqrt_trace


def ends(steps: int, window: int) -> tuple[slice, slice]:
    """The first and the last steps of a flight: ``window`` of each, or half the flight if it is shorter than both."""
    size = max(1, min(window, steps // 2))
    return slice(0, size), slice(steps - size, steps)


@dataclass
class _Sums:
    """Sums over feature vectors relative to the reference's mean, small enough to avoid cancellation.

    Attributes:
        n: number of vectors.
        first: sum of the vectors.
        power: sum of their squared lengths.
        second: sum of the outer products of the vectors projected by the reference's factor.
    """

    n: float
    first: np.ndarray
    power: float
    second: np.ndarray

    @classmethod
    def of(cls, reference: Reference, features: Features) -> _Sums:
        rows = np.asarray(features, dtype=np.float64) - reference.mean
        turned = rows @ reference.factor
        return cls(len(rows), rows.sum(0), float((rows**2).sum()), turned.T @ turned)

    def add(self, other: _Sums, sign: int = 1) -> None:
        """Add another's sums, or subtract them with ``sign`` -1."""
        self.n += sign * other.n
        self.first += sign * other.first
        self.power += sign * other.power
        (np.add if sign > 0 else np.subtract)(self.second, other.second, out=self.second)

    def distance(self, reference: Reference) -> float:
        gap = self.first / self.n
        trace = (self.power - self.n * gap @ gap) / (self.n - 1)
        turned = self.first @ reference.factor
        inner = (self.second - np.outer(turned, turned / self.n)) / (self.n - 1)
        return reference.combine(reference.mean + gap, float(trace), sqrt_trace(inner))


def sliding_distances(reference: Reference, steps: Iterable[Features], size: int) -> Iterator[float]:
    """Distances of all runs of ``size`` successive steps to the reference, in order.

    The features are projected by the reference's factor once, and a window differs from the one before by two steps, so
    a window costs one symmetric eigenvalue problem; only the sums of ``size`` steps are in memory.

    Args:
        reference: the real side.
        steps: features ``[n, d]`` of all flights at step 1, 2, ...
        size: steps per window.
    """
    held: deque[_Sums] = deque()
    rank = reference.factor.shape[1]
    window = _Sums(0, np.zeros(len(reference.mean)), 0.0, np.zeros((rank, rank)))
    for features in steps:
        held.append(_Sums.of(reference, features))
        window.add(held[-1])
        if len(held) > size:
            window.add(held.popleft(), -1)
        if len(held) == size:
            yield window.distance(reference)
