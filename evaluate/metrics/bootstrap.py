"""95 % intervals by the bootstrap over starts: flights are drawn again, never the frames within one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float, Int

LOW, HIGH = 2.5, 97.5  # percentiles
Interval = tuple[float, float]


def draws(starts: int, replicates: int, seed: int) -> Int[np.ndarray, "replicates starts"]:
    """How often each start is drawn, a row a replicate; each row sums to ``starts``."""
    random = np.random.default_rng([seed, starts])
    return random.multinomial(starts, np.full(starts, 1 / starts), size=replicates)


def mean_interval(values: Float[np.ndarray, "starts"], *, replicates: int = 1000, seed: int = 0) -> Interval | None:
    """Interval of a mean over starts; None where fewer than two starts say nothing of the spread."""
    if len(values) < 2:
        return None
    means = draws(len(values), replicates, seed) @ np.asarray(values, dtype=np.float64) / len(values)
    return _percentiles(means)


def centred_interval(
    value: float, starts: int, replicate: Callable[[np.ndarray], float], *, replicates: int, seed: int = 0
) -> Interval | None:
    """Interval of a distance between sets.

    A set drawn with replacement has fewer different images, which alone moves a Frechet distance up: the replicates
    are moved back so that their mean is ``value``.

    Args:
        value: the distance of the whole set.
        starts: number of starts.
        replicate: the distance when each start counts as often as its entry says.
        replicates: how many.
        seed: of the draws.
    """
    if starts < 2:
        return None
    found = [replicate(row) for row in draws(starts, replicates, seed)]
    if len(found) < 2:
        return None
    low, high = _percentiles(np.array(found))
    shift = value - float(np.mean(found))
    return low + shift, high + shift


def _percentiles(values: np.ndarray) -> Interval:
    low, high = np.percentile(values, (LOW, HIGH))
    return float(low), float(high)
