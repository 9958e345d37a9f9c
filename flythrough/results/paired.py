"""Which of two methods is better: a paired bootstrap of their difference, with flights as the unit.

All methods fly the same starts, so a hard start is hard for each of them and drops out of the difference. Bootstrap
replicate i draws the same starts for every method; the difference of two methods' replicates is therefore a replicate
of their difference, also for a distance between sets, which has no value per flight. Its interval is

    difference ± t * sqrt(n / (n - 1)) * (standard deviation of the replicates' difference)

with Student's t of n - 1 degrees of freedom for n starts: the bootstrap's own spread is too small by
sqrt((n - 1) / n), and the normal quantile too small for few starts (Hesterberg 2015). There is no correction for the
number of pairs compared.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float

from .schema import Replicates, Result

LEVEL = 0.95
TIED = "tied"  # the one word, in every table, for methods that the data does not tell apart
Key = tuple[str, str, str, int | None]  # protocol hash, method, metric, step


@dataclass(frozen=True)
class Score:
    """One method's score on one metric.

    Attributes:
        value: its score.
        low: lower end of its own interval; None where it has none.
        high: upper end.
        replicates: of its bootstrap; None where the result does not carry them.
    """

    value: float
    low: float | None = None
    high: float | None = None
    replicates: Replicates | None = None

    def pairs_with(self, other: Score) -> bool:
        """Whether both were drawn with the same starts, replicate by replicate."""
        mine, theirs = self.replicates, other.replicates
        return mine is not None and theirs is not None and mine.drawn == theirs.drawn


def replicates_by_key(results: Iterable[Result]) -> dict[Key, Replicates]:
    """The bootstrap replicates of results files, as the ranking looks them up."""
    found: dict[Key, Replicates] = {}
    for result in results:
        for name, replicates in result.replicates.items():
            metric, _, step = name.partition("@")
            found[result.protocol.hash, result.method.name, metric, int(step) if step else None] = replicates
    return found


def difference_interval(a: Score, b: Score, level: float = LEVEL) -> tuple[float, float]:
    """Interval of ``a - b`` from their paired replicates.

    Raises:
        ValueError: the two were not drawn with the same starts.
    """
    spread, starts = difference_spread(a, b)
    half = half_width(spread, starts, level)
    return a.value - b.value - half, a.value - b.value + half


def difference_spread(a: Score, b: Score) -> tuple[float, int]:
    """Standard deviation of the replicates of ``a - b``, and how many starts they were drawn from.

    Raises:
        ValueError: the two were not drawn with the same starts.
    """
    mine, theirs = a.replicates, b.replicates
    if mine is None or theirs is None or not a.pairs_with(b):
        raise ValueError("the replicates of the two are not of the same draws")
    return float(np.std(np.subtract(mine.values, theirs.values), ddof=1)), mine.starts


def half_width(spread: float, starts: int, level: float = LEVEL) -> float:
    """Half an interval from the standard deviation of bootstrap replicates over ``starts`` starts."""
    return quantile((1 + level) / 2, starts) * np.sqrt(starts / (starts - 1)) * spread


@lru_cache(maxsize=1024)
def quantile(share: float, starts: int) -> float:
    """Quantile ``share`` of Student's t with ``starts - 1`` degrees of freedom; nan for fewer than 2 starts.

    Newton's method on the distribution's closed form for whole degrees of freedom (Abramowitz and Stegun 1964,
    26.7.3 and 26.7.4), over the angle atan(t / sqrt(degrees)). scipy has it too, but the leaderboard would need scipy
    for nothing else, and it takes 140 MB.
    """
    degrees, wanted = starts - 1, abs(2 * share - 1)
    if degrees < 1:
        return math.nan
    log_peak = math.lgamma((degrees + 1) / 2) - math.lgamma(degrees / 2) + math.log(2 / math.sqrt(math.pi))
    angle = 0.0
    for _ in range(200):  # the share is concave in the angle, so no step overshoots
        slope = math.exp(log_peak + (degrees - 1) * math.log(math.cos(angle)))
        step = (wanted - _share_within(angle, degrees)) / slope
        angle += step
        if abs(step) <= 1e-12 * angle:
            break
    return math.copysign(math.sqrt(degrees) * math.tan(angle), 2 * share - 1)


def _share_within(angle: float, degrees: int) -> float:
    """Share of Student's t between -t and t, for t = sqrt(degrees) * tan(angle)."""
    odd = degrees % 2
    k = np.arange(1, (degrees - odd) // 2)
    terms = np.cumprod(math.cos(angle) ** 2 * (2 * k / (2 * k + 1) if odd else (2 * k - 1) / (2 * k)))
    if not odd:
        return math.sin(angle) * (1 + float(terms.sum()))
    series = math.sin(angle) * math.cos(angle) * (1 + float(terms.sum())) if degrees > 1 else 0.0
    return 2 / math.pi * (angle + series)


def below(scores: Sequence[Score]) -> Bool[np.ndarray, "m m"]:
    """Entry i, j: whether score i is below score j beyond the intervals.

    Scores with replicates of the same draws are compared by their paired difference; others, such as a result of an
    earlier version, only by whether their own intervals overlap, which distinguishes fewer. A score without an interval
    is distinguished from none.
    """
    values = np.array([score.value for score in scores])
    half = paired_half_widths(scores)
    low = np.array([-np.inf if score.low is None else score.low for score in scores])
    high = np.array([np.inf if score.high is None else score.high for score in scores])
    return np.where(np.isnan(half), high[:, None] < low[None, :], values[None, :] - values[:, None] > half)


def paired_half_widths(scores: Sequence[Score]) -> Float[np.ndarray, "m m"]:
    """Entry i, j: half the interval of score i minus score j; nan where the two were not drawn with the same starts."""
    found = np.full((len(scores), len(scores)), np.nan)
    groups: dict[str, list[int]] = {}
    for place, score in enumerate(scores):
        if score.replicates is not None:
            groups.setdefault(score.replicates.drawn, []).append(place)
    for members in groups.values():
        known = [each for i in members if (each := scores[i].replicates) is not None]
        found[np.ix_(members, members)] = _half_widths(known)
    return found


def _half_widths(known: Sequence[Replicates]) -> Float[np.ndarray, "m m"]:
    drawn = np.array([each.values for each in known])
    drawn -= drawn.mean(1, keepdims=True)
    covariance = np.atleast_2d(drawn @ drawn.T) / (drawn.shape[1] - 1)
    own = np.diag(covariance)
    spread = np.sqrt(np.maximum(own[:, None] + own[None, :] - 2 * covariance, 0))
    return half_width(1.0, known[0].starts) * spread


def pairing_note(scores: Mapping[str, Score]) -> str | None:
    """A note on the methods that could be compared by their intervals only; None if all were compared in pairs."""
    drawn = [score.replicates.drawn for score in scores.values() if score.replicates is not None]
    common = max(set(drawn), key=drawn.count, default=None)
    lone = [n for n, s in scores.items() if s.replicates is None or s.replicates.drawn != common]
    if len(scores) < 2 or not lone:
        return None
    return f"Compared by their intervals only, because they have no paired replicates: {', '.join(lone)}"
