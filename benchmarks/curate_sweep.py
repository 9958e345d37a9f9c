"""How the rules' thresholds were chosen: all measures of footage with known verdicts, and the effect of each threshold.

    python benchmarks/curate_sweep.py [--data ../shared/data/real] [--out docs/data/curate_sweep.json]

Good: the canyon clip, a generated coast flight, the sample world's moving takes. Bad, by what is wrong with them: the
film clips, and the sample world's static, rotating, zooming, open-sea and shaken takes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from flythrough.curate.config import CurateConfig
from flythrough.curate.scan import scan
from flythrough.rules import MissingMeasure

# Which measure each kind of bad footage is meant to fail.
MEANT = {
    "static": "shift_widths",
    "rotation": "translation",
    "zoom": "translation",
    "sea": "land",
    "shaken": "shake_widths_s2",
    "film": "nature",
}
CONFIG = CurateConfig.model_validate({"rules": {"short": {"min_s": 0.5}}})


def sample_shots(folder: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Takes of the sample world: (label, what is wrong or '', measures)."""
    from flythrough.sample.film import film

    plans = [(kind, "", {}) for kind in ("forward", "orbit", "sideways")]
    plans += [(kind, kind, {}) for kind in ("static", "rotation", "zoom", "sea")]
    plans += [("forward", "shaken", {"shake_deg": 0.8})]
    found = []
    for seed in (1, 2):
        for kind, wrong, more in plans:
            file = folder / "take.mp4"
            film(seed, kind, 3.0, width=320, height=180, fps=24, **more).write_video(file)
            label = f"sample {wrong or kind} {seed}"
            found += [(label, wrong, shot.measures) for shot in scan(file, CONFIG).shots]
    return found


def real_shots(folder: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """The real clips, likewise."""
    clips = [("canyon_drone_1fps", ""), ("infinite_nature_generated", ""), ("sintel_30s", "film")]
    return [
        (name, wrong, shot.measures) for name, wrong in clips for shot in scan(folder / f"{name}.mp4", CONFIG).shots
    ]


def sweep(good: list[float], bad: list[float], least: bool) -> list[dict[str, float]]:
    """For thresholds between the groups' figures: share of good dropped, share of bad dropped."""
    candidates = np.unique(np.quantile([*good, *bad], np.linspace(0, 1, 21)))
    drops = (lambda v, t: v < t) if least else (lambda v, t: v > t)
    return [
        {
            "threshold": float(t),
            "good_dropped": float(np.mean([drops(v, t) for v in good])) if good else 0.0,
            "bad_dropped": float(np.mean([drops(v, t) for v in bad])) if bad else 0.0,
        }
        for t in candidates
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/real"))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        shots = sample_shots(Path(folder))
    if options.data.is_dir():
        shots += real_shots(options.data)
    report: dict[str, Any] = {}
    for limit in CONFIG.rules.limits():
        groups = defaultdict(list)
        for _, wrong, measures in shots:
            if measures.get(limit.measure) is not None:
                groups[wrong].append(float(measures[limit.measure]))
        bad = [v for wrong, values in groups.items() if MEANT.get(wrong) == limit.measure for v in values]
        threshold = CONFIG.rules.threshold(limit)
        report[f"{limit.rule}.{limit.setting}"] = {
            "threshold": threshold,
            "groups": {w or "good": [min(v), float(np.median(v)), max(v)] for w, v in sorted(groups.items())},
            "sweep": sweep(groups[""], bad, limit.least) if bad else [],
        }
        spans = ", ".join(f"{w or 'good'} {min(v):.3g}..{max(v):.3g}" for w, v in sorted(groups.items()))
        print(f"{limit.rule}.{limit.setting} = {threshold:g}: {spans}", flush=True)
    for label, _, measures in shots:
        try:
            reason = CONFIG.rules.judge(measures).reason
        except MissingMeasure as error:
            reason = f"error: {error.message}"
        print(f"{label}: {reason or 'kept'}")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(report, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
