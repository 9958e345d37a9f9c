"""A result under construction: values, raw values of each start, and what could not be measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from flythrough.results.metrics import METRICS
from flythrough.results.schema import Replicates, Value

from ..metrics.bootstrap import interval, kept, mean_replicates
from ..metrics.sets import Distances


@dataclass(frozen=True)
class Settings:
    """How scores are taken, besides the protocol's settings.

    Attributes:
        replicates: bootstrap draws for means over starts.
        set_replicates: bootstrap draws for distances between sets.
        device: for feature networks.
        inception: a weight file in place of the known one.
    """

    replicates: int = 1000
    set_replicates: int = 100
    device: str = "cpu"
    inception: Path | None = None

    def draws(self) -> dict[str, int]:
        """The numbers of bootstrap draws, by setting."""
        return {"replicates": self.replicates, "set_replicates": self.set_replicates}


@dataclass(frozen=True)
class Mean:
    """The values behind a mean over starts, as :meth:`Tally.add_mean` took them: to draw its interval again."""

    metric: str
    step: int | None
    values: tuple[float, ...]
    n: int
    starts: tuple[str, ...]


@dataclass
class Tally:
    """Collects all that a result is made from."""

    settings: Settings
    values: list[Value] = field(default_factory=list)
    means: list[Mean] = field(default_factory=list)
    starts: dict[str, dict[str, float | None]] = field(default_factory=dict)
    replicates: dict[str, Replicates] = field(default_factory=dict)
    curves: dict[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    follows_camera: bool | None = None
    follow_note: str | None = None

    def note_start(self, start: str, name: str, value: float | None) -> None:
        """Keep one start's raw value; JSON has no infinity, so that becomes null."""
        finite = value is not None and np.isfinite(value)
        self.starts.setdefault(start, {})[name] = value if finite else None

    def value_of(self, metric: str) -> float | None:
        """The metric's value over all steps; None if it has none."""
        return next((each.value for each in self.values if each.metric == metric and each.step is None), None)

    def add_distances(self, found: Distances, flights: Sequence[str], seed: int) -> None:
        """Add distances between sets, and the replicates of the one that ranks.

        Args:
            found: the distances of one network.
            flights: the starts that were drawn from, in order.
            seed: of the draws.
        """
        self.values += found.values
        if replicates := kept(found.drawn, flights, seed):
            self.replicates[found.frechet] = replicates

    def add_mean(
        self,
        metric: str,
        step: int | None,
        values: Sequence[float],
        n: int | None = None,
        starts: Sequence[str] = (),
        note: str | None = None,
    ) -> None:
        """Add the mean over starts, with its interval and, of a metric that ranks, its replicates.

        Args:
            metric: its name.
            step: flight step, or None for all.
            values: one per start.
            n: images or pairs behind them, if not one each.
            starts: whose values they are; without them the mean cannot be compared in pairs.
            note: shown with the value.
        """
        count = len(values) if n is None else n
        if not values:
            value = Value(metric=metric, step=step, note="no start of the protocol reaches this step")
        elif not np.isfinite(values).all():
            value = Value(metric=metric, step=step, n=count, note="infinite: a frame equals the real one")
        else:
            low, high = None, None
            if len(values) > 1:
                self.means.append(Mean(metric, step, tuple(map(float, values)), count, tuple(starts)))
                drawn = mean_replicates(np.array(values), replicates=self.settings.replicates)
                low, high = interval(drawn)
                if METRICS[metric].primary and len(starts) == len(values) and (held := kept(drawn, starts, 0)):
                    self.replicates[metric if step is None else f"{metric}@{step}"] = held
            mean = float(np.mean(values))
            value = Value(metric=metric, step=step, value=mean, low=low, high=high, n=count, note=note)
        self.values.append(value)
