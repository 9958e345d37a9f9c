"""Which differences a protocol's starts can show, estimated from methods that were scored before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import Field

from flythrough.errors import InputError
from flythrough.results.paired import Score, replicates_by_key
from flythrough.results.power import FEW, POWER, Pair, Spread, pair_for, pairs_of, smallest_difference
from flythrough.results.schema import Result
from flythrough.workspace.stage import Section


class PairPower(Section):
    """Two methods, and whether the protocol's starts tell them apart if they differ as much as measured."""

    methods: tuple[str, str] = Field(description="their names")
    difference: float = Field(ge=0, description="of their scores")
    spread: float = Field(ge=0, description="standard deviation that one start brings into their difference")
    power: float = Field(ge=0, le=1, description="chance that the protocol's starts tell them apart")


class Power(Section):
    """What the starts of a protocol tell apart by one metric. It is measured, so it is not part of the hash."""

    metric: str = Field(description="METRIC, or METRIC@STEP")
    starts: int = Field(ge=1, description="starts that the protocol has for it")
    separates: float = Field(ge=0, description=f"smallest difference told apart with a chance of {POWER:g}")
    measured_on: int = Field(ge=FEW, description="starts that the spreads were measured on")
    pairs: tuple[PairPower, ...] = Field(min_length=1, description="of methods, those that differ least first")

    @property
    def line(self) -> str:
        """The power as one sentence."""
        apart = sum(pair.power >= POWER for pair in self.pairs)
        text = f"{self.metric}: {self.starts} starts tell {self.separates:.3g} apart in {POWER:.0%} of cases"
        bound = self._bound(self.separates)
        return f"{text}{bound}; so {apart} of the {len(self.pairs)} pairs of methods measured"

    def for_difference(self, difference: float) -> str:
        """One sentence on how many starts would show this difference."""
        spread = Spread(pair_for(self.pairs, difference).spread, self.measured_on)
        needed = spread.starts_for(difference)
        wanted = "more starts than any protocol has" if needed is None else f"{needed} starts"
        here = f"{spread.power(difference, self.starts):.0%}"
        text = f"{self.metric}: a difference of {difference:g} needs {wanted}; the {self.starts} here show it in {here}"
        return text + self._bound(difference)

    def _bound(self, difference: float) -> str:
        most = self.pairs[-1].difference
        return f" (a bound: no two methods measured differ by more than {most:.3g})" if difference > most else ""


def measured_power(results: Iterable[Result], starts_of: Mapping[str, int]) -> tuple[Power, ...]:
    """The power of a protocol, one line for each metric by which two methods were scored on the same starts.

    Nothing is stated from fewer than ``FEW`` starts.

    Args:
        results: of earlier runs, on any similar protocol; of several, the one with the most starts counts.
        starts_of: number of starts of the protocol, by metric (``METRIC`` or ``METRIC@STEP``).
    """
    found: dict[str, Power] = {}
    for (name, _), scores in _scores(results).items():
        pairs, starts = pairs_of(scores), starts_of.get(name)
        measured_on = pairs[0].spread.starts if pairs else 0
        if measured_on < FEW or not starts or (name in found and found[name].measured_on >= measured_on):
            continue
        found[name] = Power(
            metric=name,
            starts=starts,
            separates=float(f"{smallest_difference(pairs, max(starts, 2)):.4g}"),
            measured_on=measured_on,
            pairs=tuple(_pair_power(pair, starts) for pair in pairs),
        )
    return tuple(found.values())


def _pair_power(pair: Pair, starts: int) -> PairPower:
    return PairPower(
        methods=pair.methods,
        difference=float(f"{pair.difference:.6g}"),
        spread=float(f"{pair.spread.each:.6g}"),
        power=round(min(max(pair.spread.power(pair.difference, starts), 0.0), 1.0), 3),
    )


def _scores(results: Iterable[Result]) -> dict[tuple[str, str], dict[str, Score]]:
    """Scores with replicates, by metric and protocol, then by method."""
    known = [result for result in results if result.status == "scored"]
    values = {
        (r.protocol.hash, r.method.name, v.metric, v.step): v.value
        for r in known
        for v in r.values
        if v.value is not None
    }
    groups: dict[tuple[str, str], dict[str, Score]] = {}
    for key, drawn in replicates_by_key(known).items():
        hash, method, metric, step = key
        if key in values:
            name = metric if step is None else f"{metric}@{step}"
            groups.setdefault((name, hash), {})[method] = Score(values[key], replicates=drawn)
    return groups


def answers(stated: Iterable[Power], wanted: Iterable[str]) -> list[str]:
    """One line for each ``METRIC=DIFFERENCE``.

    Raises:
        InputError: malformed, or nothing is known of that metric.
    """
    known = {each.metric: each for each in stated}
    if not known:
        raise InputError(
            f"Power needs two methods scored on the same {FEW} starts or more, and there are none",
            remedy=f"Run: flythrough evaluate, with two methods or more and {FEW} starts or more",
        )
    lines = []
    for each in wanted:
        metric, _, text = each.partition("=")
        try:
            difference = float(text)
        except ValueError:
            difference = 0.0
        if not 0 < difference < float("inf"):
            raise InputError(f"--power {each} is not METRIC=DIFFERENCE", remedy="For example: --power fd_lite0=5")
        if metric not in known:
            raise InputError(f"Nothing was measured by {metric!r}", remedy=f"Choose from: {', '.join(known)}")
        lines.append(known[metric].for_difference(difference))
    return lines
