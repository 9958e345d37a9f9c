"""Calibration of the ranking: methods whose true difference is known, scored and compared as evaluate does.

    python benchmarks/rank_power.py docs/data/rank_power.json docs/img/rank_power.svg

A trial draws flights of Gaussian features: an effect of the start, the same for every method; one of the method on that
flight; and frames that wander about both. The real side is a large set of the same kind. Method A lies beside it; A' is
another draw of A (truly tied); the others lie further off along one line, so that their true Frechet distances differ
from A's by known amounts. Each is scored by ``frechet_replicates`` and compared by ``paired.below``.

Each trial states its power for each true difference (``results.power``), as evaluate does: from the pair itself, and
for a difference that is asked for, from all pairs (``pair_for``). The differences are those for which about 40, 70 and
90 % are stated.
"""

from __future__ import annotations

import json
import sys
import zlib
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from flythrough.evaluate.metrics.bootstrap import kept
from flythrough.evaluate.metrics.cache import Rows
from flythrough.evaluate.metrics.fid import Reference
from flythrough.evaluate.metrics.sets import frechet_replicates
from flythrough.results.paired import Score, below
from flythrough.results.power import Spread, pair_for, pairs_of

TRIALS, REPLICATES = 200, 100
ASIDE = 1.0  # of A from the real side, in the features' own standard deviation


@dataclass(frozen=True)
class Case:
    """A setting: the numbers of flights, of frames per flight, and of feature dimensions."""

    flights: int
    differences: tuple[float, ...]  # of the true distances
    frames: int = 10
    dimensions: int = 16
    start: float = 0.6  # standard deviations of the effects, where the frames' own is 1
    method: float = 0.3

    @property
    def name(self) -> str:
        return f"{self.flights} flights of {self.frames} frames, {self.dimensions} features"


CASES = (Case(20, (0.9, 1.4, 1.9)), Case(8, (1.8, 3.2, 5.0)), Case(3, (6.0, 14.0, 30.0)))


def real_side(case: Case) -> Reference:
    """The real frames' exact moments, as from an infinite real set."""
    spread = 1 + case.start**2 + case.method**2
    return Reference.of(np.zeros(case.dimensions), spread * np.eye(case.dimensions))


def flown(case: Case, starts: np.ndarray, aside: float, random: np.random.Generator) -> Rows:
    """The features of one method's flights, ``aside`` from the real side along the first axis."""
    parts = []
    for start in starts:
        centre = start + case.method * random.normal(size=case.dimensions)
        centre[0] += aside
        parts.append(centre + random.normal(size=(case.frames, case.dimensions)))
    return Rows(parts)


def score(reference: Reference, made: Rows) -> Score:
    drawn = frechet_replicates(reference, made, REPLICATES, 0)
    names = [str(flight) for flight in range(len(made.parts))]
    return Score(reference.distance_of(made), replicates=kept(drawn, names, 0))  # type: ignore[arg-type]


def trial(case: Case, number: int) -> dict[str, object]:
    """One trial: whether A and A' are tied, which differences are told apart, and the power stated for each."""
    random = np.random.default_rng([number, zlib.crc32(case.name.encode())])
    reference = real_side(case)
    starts = case.start * random.normal(size=(case.flights, case.dimensions))
    sides = [ASIDE, ASIDE, *(np.sqrt(ASIDE**2 + each) for each in case.differences)]
    scores = [score(reference, flown(case, starts, side, random)) for side in sides]
    under = below(scores)
    named = {str(place): each for place, each in enumerate(scores)}
    pairs = pairs_of(named)
    own = [Spread.of(scores[0], each) for each in scores[2:]]
    asked = [pair_for(pairs, each).spread for each in case.differences]
    return {
        "tied": not (under[0, 1] or under[1, 0]),
        "apart": [bool(under[0, place]) for place in range(2, len(scores))],
        "wrong": [bool(under[place, 0]) for place in range(2, len(scores))],
        "own": [each.power(d, case.flights) for each, d in zip(own, case.differences, strict=True)],
        "asked": [each.power(d, case.flights) for each, d in zip(asked, case.differences, strict=True)],
        "spread": [each.each for each in own],
        "off": [each.value - scores[0].value for each in scores[2:]],
    }


def measure(case: Case, trials: int = TRIALS) -> dict[str, object]:
    """All trials of a case, as its line in the JSON."""
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(partial(trial, case), range(trials), chunksize=5))

    def column(name: str) -> np.ndarray:
        return np.array([each[name] for each in found], dtype=float)

    return {
        **asdict(case),
        "trials": trials,
        "replicates": REPLICATES,
        "tied": float(column("tied").mean()),
        "spread_true": (np.std(column("off"), axis=0, ddof=1) * np.sqrt(case.flights)).tolist(),
        "spread_median": np.median(column("spread"), axis=0).tolist(),
        "apart": column("apart").mean(0).tolist(),
        "wrong_way": column("wrong").mean(0).tolist(),
        "stated": column("own").mean(0).tolist(),
        "stated_10_90": np.quantile(column("own"), (0.1, 0.9), axis=0).T.tolist(),
        "stated_asked": column("asked").mean(0).tolist(),
    }


def draw(lines: list[dict[str, object]], file: Path) -> None:
    """Power stated and reached, over the true difference."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(lines), figsize=(3.1 * len(lines), 3.0), sharey=True)
    for panel, line in zip(panels, lines, strict=True):
        panel.plot(line["differences"], line["apart"], "o-", label="told apart")
        panel.plot(line["differences"], line["stated"], "--", color="grey", label="stated")
        panel.plot([0], [1 - float(str(line["tied"]))], "s", label="two draws of one")
        panel.axhline(0.05, lw=0.6, color="black")
        panel.set_title(f"{line['flights']} x {line['frames']}, d = {line['dimensions']}", fontsize=9)
        panel.set_xlabel("true difference")
    panels[0].set_ylabel("share of trials")
    panels[0].legend(fontsize=7)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main(data: Path, picture: Path | None, trials: int) -> None:
    lines = []
    print(
        "| case | called tied | true difference: told apart (stated by the pair, its 10th to 90th percentile; asked) |"
    )
    print("|---|---|---|")
    for case in CASES:
        lines.append(line := measure(case, trials))
        columns = ("differences", "apart", "stated", "stated_10_90", "stated_asked")
        each = zip(*(line[name] for name in columns), strict=True)  # type: ignore[call-overload]
        powers = ", ".join(
            f"{difference:g}: {apart:.0%} ({stated:.0%}, {low:.0%} to {high:.0%}; {asked:.0%})"
            for difference, apart, stated, (low, high), asked in each
        )
        data.write_text(json.dumps(lines, indent=1, allow_nan=False) + "\n", encoding="utf-8")
        print(f"| {case.name} | {line['tied']:.1%} | {powers} |", flush=True)
    if picture is not None:
        draw(lines, picture)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]) if len(sys.argv) > 2 else None,
        int(sys.argv[3]) if len(sys.argv) > 3 else TRIALS,
    )
