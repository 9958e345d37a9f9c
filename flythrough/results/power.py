"""How many starts tell two methods apart: the power of the paired comparison in :mod:`.paired`.

A paired bootstrap over n starts gives the spread of a difference; times sqrt(n) it is the spread that one start
contributes. For another number of starts the comparison is then a t test with that spread:

    power = P(|T| > t), T noncentral t, n - 1 degrees of freedom, noncentrality difference * sqrt(n) / spread per start

The spread belongs to the pair. A distance between sets is not linear in the flights: the farther a method is from real
frames, the more each start weighs in its distance, so two similar methods have less spread than two that differ. The
power for a difference is therefore taken from a pair that differs by at least as much (:func:`pair_for`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

from .paired import LEVEL, Score, difference_spread, quantile

POWER = 0.8  # for which numbers of starts are stated
MOST = 100_000  # starts; nobody flies more
FEW = 8  # starts below which no power is stated: see docs/evaluate.md, "Power"
_SURE = 30.0  # largest noncentrality asked of scipy, which has NaN beyond; with any starts the power there is > 0.98


@dataclass(frozen=True)
class Spread:
    """Contribution of one start to the difference of two methods.

    Attributes:
        each: standard deviation per start, in the metric's unit.
        starts: number of starts that it was estimated from.
    """

    each: float
    starts: int

    @classmethod
    def of(cls, a: Score, b: Score) -> Spread:
        """From two methods' paired replicates.

        Raises:
            ValueError: the two were not drawn with the same starts.
        """
        apart, starts = difference_spread(a, b)
        return cls(apart * starts / np.sqrt(starts - 1), starts)

    def power(self, difference: float, starts: int) -> float:
        """Probability that methods which differ by ``difference`` are told apart on ``starts`` starts."""
        from scipy.special import nctdtr

        if starts < 2:
            return 0.0
        if self.each == 0:
            return float(difference != 0)
        shift = min(abs(difference) * np.sqrt(starts) / self.each, _SURE)
        limit = quantile((1 + LEVEL) / 2, starts)
        wrong = nctdtr(starts - 1, shift, -limit) if shift < 5 else 0.0
        return float(1 - nctdtr(starts - 1, shift, limit) + wrong)

    def starts_for(self, difference: float, power: float = POWER) -> int | None:
        """Fewest starts that show such a difference with this power; None if ``MOST`` are not enough."""
        low, high = 1, 2
        while self.power(difference, high) < power:
            low, high = high, 2 * high
            if low >= MOST:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.power(difference, middle) >= power else (middle, high)
        return high if high <= MOST else None

    def smallest(self, starts: int, power: float = POWER) -> float:
        """Smallest difference that ``starts`` starts show with this power."""
        low, high = 0.0, max(self.each, 1e-12)
        while self.power(high, starts) < power:
            low, high = high, 2 * high
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(middle, starts) >= power else (middle, high)
        return high


@runtime_checkable
class Differing(Protocol):
    """Two methods with a known difference; what :func:`pair_for` chooses from."""

    @property
    def difference(self) -> float:
        """Mean difference of the two, in the metric's unit."""


@dataclass(frozen=True)
class Pair:
    """Two methods scored on the same starts.

    Attributes:
        methods: their names.
        difference: of their scores, at least 0, in the metric's unit.
        spread: of that difference.
    """

    methods: tuple[str, str]
    difference: float
    spread: Spread


def pairs_of(scores: Mapping[str, Score]) -> list[Pair]:
    """All pairs that were drawn with the same starts, by increasing difference."""
    known = [
        Pair((a, b), abs(scores[a].value - scores[b].value), Spread.of(scores[a], scores[b]))
        for a, b in combinations(scores, 2)
        if scores[a].pairs_with(scores[b])
    ]
    return sorted(known, key=lambda pair: (pair.difference, pair.methods))


Between = TypeVar("Between", bound=Differing)


def pair_for(pairs: Sequence[Between], difference: float) -> Between:
    """The pair whose spread is used for a difference: the first that differs by at least as much, else the last.

    Args:
        pairs: at least one, by increasing difference.
        difference: asked for; where every pair differs by less, the power stated for it is an upper bound.
    """
    return next((pair for pair in pairs if pair.difference >= difference), pairs[-1])


def smallest_difference(pairs: Sequence[Pair], starts: int, power: float = POWER) -> float:
    """Smallest difference that ``starts`` starts show with this power, with the spread of :func:`pair_for`."""
    below = 0.0
    for pair in pairs[:-1]:
        if (needed := pair.spread.smallest(starts, power)) <= pair.difference:
            return max(needed, below)
        below = pair.difference
    return max(pairs[-1].spread.smallest(starts, power), below)
