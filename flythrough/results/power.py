"""How many starts tell two methods apart: the power of the paired comparison in :mod:`.paired`.

A paired bootstrap over n starts gives the spread of a difference; times sqrt(n) it is the spread that one start brings
in, which does not depend on n. For another number of starts the comparison is then a t test of that spread:

    power = P(|T| > t), T noncentral t, n - 1 degrees of freedom, noncentrality difference * sqrt(n) / spread a start
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .paired import LEVEL, Score, quantile

POWER = 0.8  # that a number of starts is given for
MOST = 100_000  # starts; nobody flies more
FEW = 8  # starts below which a spread is too rough to plan by: two of them give it to a factor of thirty


@dataclass(frozen=True)
class Spread:
    """What one start brings into the difference of two methods.

    Attributes:
        each: standard deviation a start, in the metric's unit.
        starts: how many it was taken from.
    """

    each: float
    starts: int

    @classmethod
    def of(cls, a: Score, b: Score) -> Spread:
        """From two methods' paired replicates.

        Raises:
            ValueError: the two were not drawn with the same starts.
        """
        if not a.pairs_with(b):
            raise ValueError("the replicates of the two are not of the same draws")
        assert a.replicates is not None
        assert b.replicates is not None
        starts = a.replicates.starts
        apart = np.std(np.subtract(a.replicates.values, b.replicates.values), ddof=1)
        return cls(float(apart * starts / np.sqrt(starts - 1)), starts)

    def power(self, difference: float, starts: int, level: float = LEVEL) -> float:
        """Chance, 0 to 1, that methods which differ by this are told apart on so many starts."""
        from scipy.special import nctdtr

        if starts < 2:
            return 0.0
        if self.each == 0:
            return float(difference != 0)
        shift = abs(difference) * np.sqrt(starts) / self.each
        limit = quantile((1 + level) / 2, starts)
        return float(1 - nctdtr(starts - 1, shift, limit) + nctdtr(starts - 1, shift, -limit))

    def starts_for(self, difference: float, power: float = POWER, level: float = LEVEL) -> int | None:
        """Fewest starts that tell such a difference apart with this power; None where ``MOST`` are not enough."""
        low, high = 1, 2
        while self.power(difference, high, level) < power:
            low, high = high, 2 * high
            if low >= MOST:
                return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if self.power(difference, middle, level) >= power else (middle, high)
        return high

    def smallest(self, starts: int, power: float = POWER, level: float = LEVEL) -> float:
        """Smallest difference that so many starts tell apart with this power."""
        low, high = 0.0, max(self.each, 1e-12)
        while self.power(high, starts, level) < power:
            low, high = high, 2 * high
        for _ in range(50):
            middle = (low + high) / 2
            low, high = (low, middle) if self.power(middle, starts, level) >= power else (middle, high)
        return high


def typical_spread(scores: Mapping[str, Score] | Sequence[Score]) -> Spread | None:
    """The median spread over all pairs that can be paired; None where there is none."""
    known = list(scores.values() if isinstance(scores, Mapping) else scores)
    pairs = [Spread.of(a, b) for i, a in enumerate(known) for b in known[i + 1 :] if a.pairs_with(b)]
    return sorted(pairs, key=lambda spread: spread.each)[len(pairs) // 2] if pairs else None
