"""What each part of the training recipe buys, at one budget: trains small models and flies them over new islands.

    python -m benchmarks.train_ablation WORKSPACE --out FOLDER [--seeds 0 1 2] [--steps 300] [--workers 2]

Each row of :data:`ROWS` is trained like the one above it with one more setting: the preset ``tiny`` (64 x 96, width 8)
with ``--steps`` optimiser steps of four sequences, so every row sees as many pictures. The first row trains on the
workspace's clips as sfm posed them. Each row of :data:`ALONE` is trained like the last of those with its own setting
alone; the rows of :data:`FLOWN` fly that last row's models with other settings of the flight. All fly over islands that
none was trained on, along the recorded path and with the autopilot. What is in FOLDER is not trained or flown again;
prints the table of mean and range over seeds, and writes ``ablation.json``.
"""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from time import process_time

import numpy as np
import torch

from benchmarks.train_flights import Fly, Frames, filmed, follow, inpainting, roam
from flythrough.evaluate.metrics.features import load_extractor
from flythrough.evaluate.metrics.fid import Reference
from flythrough.scene.autopilot import Flight
from flythrough.train.config import TrainConfig, resolve
from flythrough.train.data.islands import FRAMES, film_islands
from flythrough.train.fly.rollout import fly, to_image
from flythrough.train.fly.runtime import fast
from flythrough.train.loop.worker import CHECKPOINT, train
from flythrough.train.loop.worker import ISLANDS as FILMED
from flythrough.train.model.native import load_checkpoint
from flythrough.workspace.catalog import Workspace

HEIGHT, WIDTH, AUTOPILOT = 64, 96, 100
ISLANDS = range(2100, 2108)  # nothing was trained or chosen on them
STEPS = (1, 5, 10, 20, 30)  # of the recorded path, as benchmarks.train_flights compares them
TRAINING_ISLANDS = 40
HALF_WAY = "half way"  # a setting's value: half of the run's steps

# What each row adds to the one above it.
ROWS: dict[str, dict[str, object]] = {
    "the paper's losses and fresh starts, on clips posed by sfm": {},
    "+ islands with true poses and disparity": {"data": "islands", "islands": TRAINING_ISLANDS},
    "+ replay": {"replay": 0.5, "replay_from": HALF_WAY, "replay_decay": 16.0},
    "+ roam": {"roam": 0.25},
    "+ texture distance": {"texture_weight": 1.0},
    "+ slope of disparity": {"gradient_weight": 20.0},
    "+ colour jitter": {"color_jitter": 0.4},
    "+ texture of parts": {"local_texture_weight": 1.0},
}
ALONE: dict[str, dict[str, object]] = {
    "+ texture of parts, and noise on conditions": {"condition_noise": 0.02},
    "+ texture of parts, and R1": {"r1_weight": 1.0},
    "+ texture of parts, and discriminators of two frames": {"two_frames": True},
    "+ texture of parts, and discriminators of feature maps": {"map_weight": 0.4},
}
FLOWN: dict[str, dict[str, object]] = {
    "flown with the start's sky": {"sky": True},
    "and from keyframes, every second one mirrored": {"sky": True, "keyframe_every": 2, "mirror": True},
    "and with maps enlarged bilinearly": {"sky": True, "keyframe_every": 2, "mirror": True, "bilinear": True},
}
LAST = list(ROWS)[-1]
TRAINED = [*ROWS, *ALONE]


def settings_of(row: str, seed: int, steps: int) -> TrainConfig:
    """The row's own setting and those of the rows of :data:`ROWS` above it."""
    changes: dict[str, object] = {}
    for name in TRAINED[: TRAINED.index(row) + 1]:
        if name in ROWS or name == row:
            changes |= (ROWS | ALONE)[name]
    changes = {key: steps // 2 if value == HALF_WAY else value for key, value in changes.items()}
    return TrainConfig.model_validate({"preset": "tiny", "device": "cpu", "seed": seed, "steps": steps, **changes})


@dataclass(frozen=True)
class Run:
    """One model: a row of the table, one seed."""

    row: str
    seed: int
    steps: int
    folder: Path

    def train(self, workspace: Workspace) -> None:
        """Train the model, unless it is trained; a run that was stopped goes on."""
        took = self.folder / "processor_s.json"
        if not took.is_file():
            self.folder.mkdir(parents=True, exist_ok=True)
            began = process_time()
            train(workspace, resolve(settings_of(self.row, self.seed, self.steps))[1], self.folder)
            took.write_text(json.dumps(process_time() - began))

    def fly(self, examination: Examination) -> None:
        """Fly it, and those of the last of :data:`ROWS` with the other settings too."""
        examination.scored(self.folder / "scores.json", lambda: ours(self.folder))
        if self.row == LAST:
            for k, flown in enumerate(FLOWN.values()):
                examination.scored(self.folder / f"flown-{k}.json", lambda flown=flown: ours(self.folder, **flown))


def go(run: Run, workspace: Path, islands: Path) -> None:
    """Train and fly one model, on one core."""
    torch.set_num_threads(1)
    run.train(Workspace(workspace))
    run.fly(Examination.of(islands))
    print(f"done: {run.row!r}, seed {run.seed}", flush=True)


def ours(folder: Path, **flown: object) -> Fly:
    """A trained model, flown with other settings than it was trained with."""
    model = load_checkpoint(folder / CHECKPOINT).at_size(HEIGHT, WIDTH)
    model.config = replace(model.config, **flown)
    model.generator.bilinear = model.config.bilinear  # the network has a copy of its own
    model = fast(model)

    def go(rgbd: np.ndarray, lens: np.ndarray, flight: Flight) -> Frames:
        return map(to_image, fly(model, torch.from_numpy(rgbd), lens, flight, None))

    return go


class Examination:
    """The flights that every model flies."""

    def __init__(self, folder: Path) -> None:
        self.clips = [filmed(seed, HEIGHT, WIDTH, folder) for seed in ISLANDS]
        self.extract = load_extractor("lite0")
        real = [to_image(torch.from_numpy(c.rgbd(i, HEIGHT, WIDTH))) for c in self.clips for i in range(0, FRAMES, 3)]
        self.real = Reference.of_features(self.extract(np.stack(real)))

    @classmethod
    @lru_cache(maxsize=1)
    def of(cls, folder: Path) -> Examination:
        """Made once a process."""
        return cls(folder)

    def scored(self, file: Path, method: Callable[[], Fly]) -> dict[str, float]:
        """The scores in the file; if it is not there, the flights are flown and it is written."""
        if not file.is_file():
            file.write_text(json.dumps(self._score(method())))
        return dict(json.loads(file.read_text(encoding="utf-8")))

    def _score(self, method: Fly) -> dict[str, float]:
        followed = [follow(method, clip, HEIGHT, WIDTH)[0] for clip in self.clips]
        flights = [roam(method, clip, AUTOPILOT, HEIGHT, WIDTH)[0] for clip in self.clips]
        features = np.stack([self.extract(np.stack(frames[1:])) for frames in flights])
        parts = {"fd": features, "fd_first_20": features[:, :20], "fd_last_20": features[:, -20:]}
        distances = {key: self.real.distance_of(part.reshape(-1, part.shape[-1])) for key, part in parts.items()}
        keys = [f"psnr_{step}" for step in STEPS]
        return {key: float(np.mean([figures[key] for figures in followed])) for key in keys} | distances


HEADS = {f"psnr_{step}": f"PSNR at {step}" for step in STEPS} | {
    "fd": "fd_lite0, 100 autopilot steps",
    "fd_first_20": "first 20",
    "fd_last_20": "last 20",
}


def table(scores: dict[str, list[dict[str, float]]]) -> str:
    """Mean and range over seeds, as a Markdown table."""
    lines = [f"| | {' | '.join(HEADS.values())} |", f"|---|{'---|' * len(HEADS)}"]
    for name, seeds in scores.items():
        cells = []
        for column in HEADS:
            values, form = [each[column] for each in seeds], ".1f" if column.startswith("psnr") else ".0f"
            spread = f" [{min(values):{form}}, {max(values):{form}}]" if len(values) > 1 else ""
            cells.append(f"{np.mean(values):{form}}{spread}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("workspace", type=Path, help="a workspace after sfm")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=300, help="optimiser steps of each model")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="models trained at once, a core each")
    given = parser.parse_args()
    runs = [
        Run(row, seed, given.steps, given.out / f"row-{place}-seed-{seed}")
        for seed in given.seeds
        for place, row in enumerate(TRAINED)
    ]
    film_islands(given.workspace / "train" / FILMED, TRAINING_ISLANDS, HEIGHT, WIDTH)  # once, not by each run
    examination = Examination.of(given.out / "islands")
    floor = examination.scored(given.out / "render-inpaint.json", lambda: inpainting)
    with ProcessPoolExecutor(given.workers) as pool:
        for job in [pool.submit(go, run, given.workspace, given.out / "islands") for run in runs]:
            job.result()

    def of_seeds(row: str, name: str) -> list[dict[str, float]]:
        files = [run.folder / f"{name}.json" for run in runs if run.row == row]
        return [json.loads(file.read_text(encoding="utf-8")) for file in files]

    scores = {row: of_seeds(row, "scores") for row in ROWS}
    scores |= {name: of_seeds(LAST, f"flown-{k}") for k, name in enumerate(FLOWN)}
    scores |= {row: of_seeds(row, "scores") for row in ALONE}
    scores["render-inpaint"] = [floor]
    print(table(scores))
    record = {"steps": given.steps, "seeds": given.seeds, "islands": list(ISLANDS), "rows": scores}
    (given.out / "ablation.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
