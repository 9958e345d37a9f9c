"""The Frechet distance over a sliding window of flight steps (FID_sw of InfiniteNature-Zero)."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from .fid import Features, Moments, Reference, sqrt_trace


@dataclass(frozen=True)
class _Step:
    """One step's features, as far as windows need them."""

    turned: Moments  # of the features seen along the columns of the reference's factor
    mean: np.ndarray
    spread: float  # sum of |x - mean|^2


def sliding_distances(reference: Reference, steps: Iterable[Features], size: int) -> Iterator[float]:
    """Distances of all runs of ``size`` successive steps to the reference, in order.

    The features are turned by the reference's factor once, so that a window costs one symmetric eigenvalue problem;
    the moments of only ``size`` steps are held.

    Args:
        reference: the real side.
        steps: features ``[n, d]`` of all flights at step 1, 2, ...
        size: steps a window.
    """
    held: deque[_Step] = deque(maxlen=size)
    for features in steps:
        rows = np.asarray(features, dtype=np.float64)
        mean = rows.mean(0)
        held.append(_Step(Moments.of(rows @ reference.factor), mean, float(((rows - mean) ** 2).sum())))
        if len(held) == size:
            yield _distance(reference, held)


def _distance(reference: Reference, window: Iterable[_Step]) -> float:
    steps = list(window)
    turned = Moments.total(step.turned for step in steps)
    counts = np.array([step.turned.n for step in steps], dtype=np.float64)
    means = np.stack([step.mean for step in steps])
    mean = counts @ means / turned.n
    between = counts @ ((means - mean) ** 2).sum(1)
    trace = (sum(step.spread for step in steps) + between) / (turned.n - 1)
    return reference.combine(mean, float(trace), sqrt_trace(turned.cov))
