"""What a protocol's starts tell apart, from methods that were scored before."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pydantic import Field

from flythrough.errors import InputError
from flythrough.results.paired import Score, replicates_by_key
from flythrough.results.power import FEW, POWER, Spread, typical_spread
from flythrough.results.schema import Result
from flythrough.workspace.stage import Section


class Power(Section):
    """What the starts of a protocol tell apart by one metric. It is measured, so it is not part of the hash."""

    metric: str = Field(description="METRIC, or METRIC@STEP")
    starts: int = Field(ge=1, description="starts that the protocol has for it")
    separates: float = Field(ge=0, description=f"smallest difference told apart with a chance of {POWER:g}")
    spread: float = Field(ge=0, description="standard deviation that one start brings into a difference of two methods")
    measured_on: int = Field(ge=2, description="starts that the spread was measured on")
    methods: tuple[str, ...] = Field(description="whose differences; the spread is the median over their pairs")

    @property
    def line(self) -> str:
        """In words."""
        rough = f"; rough, as only {self.measured_on} starts stand behind it" if self.measured_on < FEW else ""
        return f"{self.metric}: {self.starts} starts tell {self.separates:.3g} apart in {POWER:.0%} of cases{rough}"

    def for_difference(self, difference: float) -> str:
        """In words, how many starts would tell this difference apart."""
        spread = Spread(self.spread, self.measured_on)
        needed = spread.starts_for(difference)
        wanted = "more starts than any protocol has" if needed is None else f"{needed} starts"
        here = f"{spread.power(difference, self.starts):.0%}"
        return f"{self.metric}: a difference of {difference:g} needs {wanted}; the {self.starts} here show it in {here}"


def measured_power(results: Iterable[Result], starts_of: Mapping[str, int]) -> tuple[Power, ...]:
    """The power of a protocol, a line for each metric that two methods were scored by on the same starts.

    Args:
        results: of earlier runs, on any protocol like this one; of several, that with the most starts counts.
        starts_of: how many starts the protocol has, by metric (``METRIC`` or ``METRIC@STEP``).
    """
    known = [result for result in results if result.status == "scored"]
    replicates = replicates_by_key(known)
    groups: dict[tuple[str, str], dict[str, Score]] = {}
    for (hash, method, metric, step), drawn in replicates.items():
        name = metric if step is None else f"{metric}@{step}"
        groups.setdefault((name, hash), {})[method] = Score(0.0, replicates=drawn)
    found: dict[str, Power] = {}
    for (name, _), scores in groups.items():
        spread, starts = typical_spread(scores), starts_of.get(name)
        if spread is None or not starts or (name in found and found[name].measured_on >= spread.starts):
            continue
        found[name] = Power(
            metric=name,
            starts=starts,
            separates=float(f"{spread.smallest(max(starts, 2)):.4g}"),
            spread=float(f"{spread.each:.6g}"),
            measured_on=spread.starts,
            methods=tuple(sorted(scores)),
        )
    return tuple(found.values())


def answers(stated: Iterable[Power], wanted: Iterable[str]) -> list[str]:
    """A line for each ``METRIC=DIFFERENCE``.

    Raises:
        InputError: malformed, or nothing is known of that metric.
    """
    known = {each.metric: each for each in stated}
    if not known:
        raise InputError(
            "There are no two methods scored on the same starts to take the power from",
            remedy="Run: flythrough evaluate, with two methods or more and two starts or more",
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
