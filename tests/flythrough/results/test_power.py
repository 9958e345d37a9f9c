"""How many starts tell a difference apart: against simulation, and against itself."""

from __future__ import annotations

import numpy as np
import pytest

from flythrough.results.paired import Score, below
from flythrough.results.power import Spread, pair_for, pairs_of, smallest_difference
from flythrough.results.schema import Replicates


def score(per_start: np.ndarray, draws: np.ndarray) -> Score:
    values = draws @ per_start / len(per_start)
    return Score(float(per_start.mean()), replicates=Replicates(drawn="x", starts=len(per_start), values=tuple(values)))


@pytest.mark.parametrize(("starts", "difference"), [(5, 1.5), (20, 0.5), (20, 0.0)])
def test_stated_power_is_how_often_methods_are_told_apart(starts: int, difference: float) -> None:
    random, trials = np.random.default_rng(starts), 800
    draws = random.multinomial(starts, np.full(starts, 1 / starts), size=200)
    apart = 0
    for _ in range(trials):
        hard = random.normal(0, 10, starts)
        a, b = (hard + random.normal(0, np.sqrt(0.5), starts) + off for off in (0, difference))
        under = below([score(a, draws), score(b, draws)])
        apart += bool(under[0, 1] or under[1, 0])
    assert apart / trials == pytest.approx(Spread(1.0, starts).power(difference, starts), abs=0.05)


def test_a_spread_is_that_of_the_differences_per_start() -> None:
    random = np.random.default_rng(0)
    draws = random.multinomial(30, np.full(30, 1 / 30), size=4000)
    hard, noise = random.normal(0, 10, 30), random.normal(0, 2, 30)
    spread = Spread.of(score(hard, draws), score(hard + noise, draws))
    assert spread.each == pytest.approx(np.std(noise, ddof=1), rel=0.05)
    assert spread.starts == 30


def test_starts_and_smallest_difference_are_inverse_to_power() -> None:
    spread = Spread(3.0, 20)
    needed = spread.starts_for(1.0)
    assert needed is not None
    assert spread.power(1.0, needed) >= 0.8 > spread.power(1.0, needed - 1)
    assert needed == pytest.approx((1.96 + 0.8416) ** 2 * 9, abs=4)  # the normal approximation
    assert spread.power(spread.smallest(20), 20) == pytest.approx(0.8, abs=1e-6)
    assert spread.starts_for(1e-6) is None
    assert spread.power(1.0, 1) == 0
    assert spread.power(0.0, 20) == pytest.approx(0.05, abs=1e-6)
    assert Spread(0.0, 5).power(0.1, 5) == 1


def test_a_difference_is_judged_by_a_pair_that_differs_by_as_much() -> None:
    random = np.random.default_rng(0)
    draws = random.multinomial(9, np.full(9, 1 / 9), size=50)
    scores = {n: score(off + random.normal(0, off + 1, 9), draws) for n, off in (("a", 0), ("b", 5), ("c", 40))}
    pairs = pairs_of({**scores, "lone": Score(1.0, 0.0, 2.0)})
    assert len(pairs) == 3
    assert [each.difference for each in pairs] == sorted(each.difference for each in pairs)
    assert pair_for(pairs, 0) == pairs[0]
    assert pair_for(pairs, pairs[1].difference) == pairs[1]
    assert pair_for(pairs, 1e9) == pairs[-1]
    least = smallest_difference(pairs, 9)
    assert pair_for(pairs, least).spread.power(least, 9) >= 0.8 - 1e-6
    with pytest.raises(ValueError, match="same draws"):
        Spread.of(scores["a"], Score(1.0))


@pytest.mark.parametrize("starts", [2, 3, 20, 2000])
def test_power_rises_with_the_difference_and_is_never_nan(starts: int) -> None:
    spread = Spread(1.0, 20)
    powers = [spread.power(difference, starts) for difference in np.geomspace(1e-3, 1e6, 60)]
    assert np.isfinite(powers).all()
    assert np.diff(powers).min() > -1e-6
    assert powers[-1] > 0.97
