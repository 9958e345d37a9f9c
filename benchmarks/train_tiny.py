"""Whether the preset ``tiny`` learns to fly: trains seeds one by one and compares each with the baselines.

    python benchmarks/train_tiny.py WORKSPACE --out FOLDER [--seeds 0 1 2 3 4] [--set balanced_sampling=true] [--sky]

Trains on the workspace's train clips and flies over its test clips: 30 steps of the autopilot from ``--starts``
starts per clip for ``fd_lite0``, and along the recorded path for L1 at step 10. Seeds in FOLDER are not trained or
scored again, so seeds may be run one at a time; prints the table of all seeds there and draws ``flights.png``.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from functools import cache
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch

from flythrough.evaluate.methods.baselines import RenderInpaint, RenderOnly
from flythrough.evaluate.metrics.features import load_extractor
from flythrough.evaluate.metrics.fid import Reference
from flythrough.evaluate.protocols.build import Choices, build_from_workspace
from flythrough.evaluate.protocols.real_frames import RealFrame
from flythrough.evaluate.protocols.source import Source
from flythrough.scene.autopilot import Autopilot, Flight
from flythrough.scene.plans import FixedFlight
from flythrough.train.config import TrainConfig, resolve
from flythrough.train.fly.rollout import fly, to_image
from flythrough.train.loop.worker import CHECKPOINT, train
from flythrough.train.model.native import load_checkpoint
from flythrough.workspace.catalog import Workspace

STEPS, COMPARED, LATE = 30, 10, slice(19, 30)  # of a flight; the step with a recorded frame; steps 20 to 30
SHOWN = (0, 1, 5, 10, 20, 30)
FORMATS = {"l1_at_10": ".3f", "flicker": ".3f", "seconds": ".0f", "cpu_seconds": ".0f"}
SCORES = ("l1_at_10", "fd_lite0", "fd_lite0_20_30", "flicker")
Frames = Iterator[np.ndarray]
Fly = Callable[[np.ndarray, np.ndarray, Flight], Frames]  # start rgbd, intrinsics, where to


def baseline(method: RenderOnly) -> Fly:
    return lambda rgbd, lens, flight: method.generate(rgbd, lens, flight, 0)


def ours(folder: Path, sky: bool) -> Fly:
    model = load_checkpoint(folder)

    def go(rgbd: np.ndarray, lens: np.ndarray, flight: Flight) -> Frames:
        return map(to_image, fly(model, torch.from_numpy(rgbd), lens, flight, None, sky=sky))

    return go


class Examination:
    """The flights that every method flies, and what they are compared with."""

    def __init__(self, workspace: Workspace, height: int, width: int, starts: int) -> None:
        choices = Choices(height=height, width=width, steps=STEPS, view_steps=(COMPARED,), starts_per_clip=starts)
        protocol = build_from_workspace(workspace, choices)
        assert protocol.header.held_out, "the workspace has no test clip"
        self.source = Source(protocol, workspace)
        self.extract = load_extractor("lite0")
        real, others = ([self.source.frame(frame) for frame in side] for side in self.source.real_sets())
        self.real = Reference.of_features(self.extract(np.stack(real)))
        self.floor = self.real.distance_of(self.extract(np.stack(others)))

    def score(self, method: Fly) -> tuple[dict[str, float], list[list[np.ndarray]]]:
        """The scores, and each start's frames."""
        flights, distances = [], []
        for start in self.source.protocol.starts:
            rgbd, lens, poses = self.source.rgbd(start), self.source.intrinsics(start), self.source.poses(start)
            flown = islice(method(rgbd, lens, Autopilot.from_start(rgbd[3], lens, poses[0])), STEPS)
            flights.append([to_image(torch.from_numpy(rgbd)), *flown])
            recorded = self.source.recorded(start)
            if len(recorded) >= COMPARED:
                made = list(islice(method(rgbd, lens, FixedFlight(poses)), COMPARED))[-1]
                real = self.source.frame(RealFrame(start.clip, recorded[COMPARED - 1]))
                distances.append(np.abs(made.astype(float) - real).mean() / 255)
        features = np.stack([self.extract(np.stack(frames[1:])) for frames in flights])  # [start, step, feature]
        late = features[:, LATE].reshape(-1, features.shape[-1])
        scores = {
            "l1_at_10": float(np.mean(distances)),
            "fd_lite0": self.real.distance_of(features.reshape(-1, features.shape[-1])),
            "fd_lite0_20_30": self.real.distance_of(late),
            "flicker": float(np.mean([flicker(frames) for frames in flights])),
        }
        return scores, flights


def flicker(frames: list[np.ndarray]) -> float:
    """Mean L1 of a frame to the mean of its two neighbours, steps 10 to 30: motion alone leaves little."""
    film = np.stack(frames[COMPARED:]).astype(np.float32) / 255
    return float(np.abs(film[1:-1] - (film[:-2] + film[2:]) / 2).mean())


def train_seed(workspace: Workspace, folder: Path, seed: int, changes: dict[str, object]) -> dict[str, float]:
    """Train one seed, unless it is trained; returns the seconds it took."""
    file = folder / "seconds.json"
    if not file.exists():
        settings = resolve(TrainConfig(preset="tiny", device="cpu", seed=seed, **changes))[1]
        folder.mkdir(parents=True, exist_ok=True)
        began, busy = time.monotonic(), time.process_time()
        train(workspace, settings, folder)
        took = {"seconds": time.monotonic() - began, "cpu_seconds": time.process_time() - busy}
        file.write_text(json.dumps(took))
    return dict(json.loads(file.read_text()))


def sheet(flights: list[list[np.ndarray]]) -> np.ndarray:
    """One row per start (three), one column per shown step."""
    chosen = [flights[i] for i in np.linspace(0, len(flights) - 1, min(3, len(flights))).round().astype(int)]
    return np.concatenate([np.concatenate([frames[step] for step in SHOWN], 1) for frames in chosen])


def table(scores: dict[str, dict[str, float]]) -> str:
    """All scores as a Markdown table."""
    columns = [*SCORES, "seconds", "cpu_seconds"]
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, values in scores.items():
        cells = [f"{values[c]:{FORMATS.get(c, '.1f')}}" if c in values else "" for c in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def wins(scores: dict[str, dict[str, float]]) -> str:
    """In how many seeds the model is nearer to the real frames than a baseline."""
    seeds = [values for name, values in scores.items() if name.startswith("seed")]
    pairs = [("render-only", "fd_lite0"), ("render-only", "l1_at_10"), ("render-inpaint", "fd_lite0_20_30")]
    return "\n".join(
        f"{metric} below {rival}'s: {sum(s[metric] < scores[rival][metric] for s in seeds)} of {len(seeds)} seeds"
        for rival, metric in pairs
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=list(range(5)))
    parser.add_argument("--starts", type=int, default=5, help="starts a test clip")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change the preset")
    parser.add_argument("--sky", action="store_true", help="fly with sky correction")
    given = parser.parse_args()
    changes = {key: json.loads(value) for key, _, value in (each.partition("=") for each in given.set)}
    workspace = Workspace(given.workspace)
    size = resolve(TrainConfig(preset="tiny", device="cpu", **changes))[1]
    examination = cache(lambda: Examination(workspace, size.height, size.width, given.starts))

    def score(name: str, method: Callable[[], Fly], extra: dict[str, float]) -> None:
        file = given.out / f"{name}.json"
        if not file.exists():
            given.out.mkdir(parents=True, exist_ok=True)
            scores, flights = examination().score(method())
            cv2.imwrite(str(given.out / f"{name}.png"), sheet(flights)[..., ::-1])
            file.write_text(json.dumps({**scores, "floor": examination().floor, **extra}))

    score("render-only", lambda: baseline(RenderOnly()), {})
    score("render-inpaint", lambda: baseline(RenderInpaint()), {})
    for seed in given.seeds:
        folder = given.out / f"train-{seed}"
        took = train_seed(workspace, folder, seed, changes)
        suffix = "-sky" if given.sky else ""
        score(f"seed-{seed}{suffix}", lambda folder=folder: ours(folder / CHECKPOINT, given.sky), took)  # type: ignore[misc]
    scores = {file.stem: json.loads(file.read_text()) for file in sorted(given.out.glob("*.json"))}
    print(table(scores))
    print(f"\nfloor (real against real): {scores['render-only']['floor']:.1f}\n{wins(scores)}")


if __name__ == "__main__":
    main()
