"""95 % intervals by the bootstrap over starts: whole flights are resampled, never single frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from flythrough.results.schema import Replicates
from flythrough.workspace.files import content_key

KEPT = 200  # replicates: their standard deviation is then known to 5 %
LOW, HIGH = 2.5, 97.5  # percentiles
Interval = tuple[float, float]
Drawn = Float[np.ndarray, "replicates"]


def draws(starts: int, replicates: int, seed: int) -> Int[np.ndarray, "replicates starts"]:
    """How often each start is drawn, one row per replicate; each row sums to ``starts``."""
    random = np.random.default_rng([seed, starts])
    return random.multinomial(starts, np.full(starts, 1 / starts), size=replicates)


def draws_key(starts: Sequence[str], replicates: int, seed: int) -> str:
    """One hash for one table of draws: replicates under it are comparable in pairs."""
    return content_key("paired draws 1", list(starts), replicates, seed)


def mean_replicates(values: Float[np.ndarray, "starts"], *, replicates: int, seed: int = 0) -> Drawn:
    """The mean over the drawn starts, one number per replicate."""
    return draws(len(values), replicates, seed) @ np.asarray(values, dtype=np.float64) / len(values)


def set_replicates(starts: int, replicate: Callable[[np.ndarray], float], *, replicates: int, seed: int = 0) -> Drawn:
    """A distance between sets, one number per replicate.

    Args:
        starts: number of starts.
        replicate: the distance when each start counts as often as its entry says.
        replicates: how many.
        seed: of the draws.
    """
    return np.array([replicate(row) for row in draws(starts, replicates, seed)])


def interval(drawn: Drawn) -> Interval:
    """Percentiles of the replicates of a mean."""
    low, high = np.percentile(drawn, (LOW, HIGH))
    return float(low), float(high)


def centred_interval(value: float, drawn: Drawn) -> Interval:
    """Percentiles of the replicates of a distance between sets, moved so that their mean is ``value``.

    A set drawn with replacement has fewer different images, which alone moves a Frechet distance up.
    """
    low, high = interval(drawn)
    shift = value - float(np.mean(drawn))
    return low + shift, high + shift


def kept(drawn: Drawn, starts: Sequence[str], seed: int) -> Replicates | None:
    """The replicates that a result stores for paired comparisons: the first ``KEPT``; None if there are too few."""
    if len(starts) < 2 or len(drawn) < 2:
        return None
    values = tuple(float(f"{value:.12g}") for value in drawn[:KEPT])
    return Replicates(drawn=draws_key(starts, len(values), seed), starts=len(starts), values=values)
