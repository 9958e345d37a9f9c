"""Does the ranking keep its word? Methods whose true difference is known, scored and compared as evaluate does.

    python benchmarks/rank_power.py docs/data/rank_power.json docs/img/rank_power.svg

A trial draws flights of Gaussian features: an effect of the start, the same for every method; one of the method on that
flight; and frames that wander about both. The real side is a large set of the same kind. Method A lies beside it; A' is
another draw of A (truly tied); the others lie further off along one line, so that their true Frechet distances differ
from A's by known amounts. Each is scored by ``frechet_replicates`` and compared by ``paired.below``, and each trial
states beforehand, from A and A' alone, the power that its starts have (``results.power``).
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
from flythrough.results.power import Spread

TRIALS, REPLICATES = 200, 100
ASIDE = 1.0  # of A from the real side, in the features' own standard deviation


@dataclass(frozen=True)
class Case:
    """What is flown: so many flights of so many frames, features of so many dimensions."""

    flights: int
    frames: int
    dimensions: int
    start: float = 0.6  # standard deviations of the effects, where the frames' own is 1
    method: float = 0.3

    @property
    def name(self) -> str:
        return f"{self.flights} flights of {self.frames} frames, {self.dimensions} features"

    @property
    def differences(self) -> tuple[float, ...]:
        """Of the true distances: around what this many flights can tell apart."""
        return tuple(round(each / np.sqrt(self.flights), 4) for each in (2.5, 5.0))


CASES = (Case(20, 20, 16), Case(3, 20, 16))


def real_side(case: Case) -> Reference:
    """The real frames' exact moments: what an endless real set would give."""
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
    spread = Spread.of(scores[0], scores[1])
    return {
        "tied": not (under[0, 1] or under[1, 0]),
        "apart": [bool(under[0, place]) for place in range(2, len(scores))],
        "wrong": [bool(under[place, 0]) for place in range(2, len(scores))],
        "stated": [spread.power(each, case.flights) for each in case.differences],
        "spread": spread.each,
        "off": scores[0].value - scores[1].value,
    }


def measure(case: Case, trials: int = TRIALS) -> dict[str, object]:
    """All trials of a case, as its line in the JSON."""
    with ProcessPoolExecutor(2) as pool:
        found = list(pool.map(partial(trial, case), range(trials), chunksize=5))
    stated = np.array([each["stated"] for each in found])
    off = np.array([each["off"] for each in found], dtype=float)
    return {
        **asdict(case),
        "trials": trials,
        "replicates": REPLICATES,
        "tied": float(np.mean([each["tied"] for each in found])),
        "spread_true": float(np.std(off) * np.sqrt(case.flights)),
        "spread_median": float(np.median([each["spread"] for each in found])),  # type: ignore[arg-type]
        "differences": case.differences,
        "apart": np.mean([each["apart"] for each in found], axis=0).tolist(),
        "wrong_way": np.mean([each["wrong"] for each in found], axis=0).tolist(),
        "stated": stated.mean(0).tolist(),
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
    print("| case | called tied | true difference: told apart (stated) |\n|---|---|---|")
    for case in CASES:
        lines.append(line := measure(case, trials))
        each = zip(case.differences, line["apart"], line["stated"], strict=True)  # type: ignore[call-overload]
        powers = ", ".join(f"{difference:.2f}: {apart:.0%} ({stated:.0%})" for difference, apart, stated in each)
        data.write_text(json.dumps(lines, indent=1) + "\n", encoding="utf-8")
        print(f"| {case.name} | {line['tied']:.1%} | {powers} |", flush=True)
    if picture is not None:
        draw(lines, picture)


if __name__ == "__main__":
    main(
        Path(sys.argv[1]),
        Path(sys.argv[2]) if len(sys.argv) > 2 else None,
        int(sys.argv[3]) if len(sys.argv) > 3 else TRIALS,
    )
