"""What each part of the training recipe buys, at one budget: trains small models and flies them over new islands.

    python -m benchmarks.train_ablation WORKSPACE --out FOLDER [--seeds 0 1 2] [--steps 400] [--workers 2]

Each row of :data:`ROWS` is trained like the one above it with one more setting: the preset ``tiny`` (64 x 96, width 8)
with ``--steps`` optimiser steps of four sequences, so every row sees as many pictures. The first row trains on the
workspace's clips as sfm posed them. The rows of :data:`FLOWN` fly the last row's models with other settings of the
flight. All fly over islands that none was trained on, along the recorded path and with the autopilot. What is in
FOLDER is not trained or flown again; prints the table of mean and range over seeds, and writes ``ablation.json``.
"""

from __future__ import annotations

import argparse
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path
from time import process_time

import numpy as np
import torch

from benchmarks.train_flights import Fly, Frames, filmed, follow, inpainting, roam
from flythrough.evaluate.metrics.features import load_extractor
from flythrough.evaluate.metrics.fid import Reference
from flythrough.scene.autopilot import Flight
from flythrough.train.config import TrainConfig, resolve
from flythrough.train.data.islands import FRAMES
from flythrough.train.fly.rollout import fly, to_image
from flythrough.train.fly.runtime import fast
from flythrough.train.loop.worker import CHECKPOINT, train
from flythrough.train.model.native import load_checkpoint
from flythrough.workspace.catalog import Workspace

HEIGHT, WIDTH, AUTOPILOT = 64, 96, 100
ISLANDS = range(2100, 2108)  # nothing was trained or chosen on them
STEPS = (1, 5, 10, 20, 30)  # of the recorded path, as benchmarks.train_flights compares them
HALF_WAY = "half way"  # a setting's value: half of the run's steps

# What each row adds to the one above it.
ROWS: dict[str, dict[str, object]] = {
    "the paper's losses and fresh starts, on clips posed by sfm": {},
    "+ islands with true poses and disparity": {"data": "islands", "islands": 40},
    "+ replay": {"replay": 0.5, "replay_from": HALF_WAY, "replay_decay": 16.0},
    "+ roam": {"roam": 0.25},
    "+ texture distance": {"texture_weight": 1.0},
    "+ slope of disparity": {"gradient_weight": 20.0},
    "+ colour jitter": {"color_jitter": 0.4},
}
FLOWN: dict[str, dict[str, object]] = {
    "flown with the start's sky": {"sky": True},
    "and from keyframes, every second one mirrored": {"sky": True, "keyframe_every": 2, "mirror": True},
}
TRAINED = list(ROWS)


def settings_of(row: str, seed: int, steps: int) -> TrainConfig:
    """The row's own setting and those of all rows above it."""
    changes: dict[str, object] = {}
    for name in TRAINED[: TRAINED.index(row) + 1]:
        changes |= ROWS[name]
    changes = {key: steps // 2 if value == HALF_WAY else value for key, value in changes.items()}
    return TrainConfig.model_validate({"preset": "tiny", "device": "cpu", "seed": seed, "steps": steps, **changes})


def train_one(workspace: Path, folder: Path, row: str, seed: int, steps: int) -> None:
    """Train one model, unless it is trained."""
    took = folder / "processor_s.json"
    if took.is_file():
        return
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    began = process_time()
    train(Workspace(workspace), resolve(settings_of(row, seed, steps))[1], folder)
    took.write_text(json.dumps(process_time() - began))
    print(f"trained {row!r}, seed {seed}", flush=True)


def ours(folder: Path, **flown: object) -> Fly:
    """A trained model, flown with other settings than it was trained with."""
    model = load_checkpoint(folder / CHECKPOINT).at_size(HEIGHT, WIDTH)
    model.config = replace(model.config, **flown)
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

    def score(self, method: Fly) -> dict[str, float]:
        followed = np.mean([follow(method, clip, HEIGHT, WIDTH)[0] for clip in self.clips], 0)
        flights = [roam(method, clip, AUTOPILOT, HEIGHT, WIDTH, True)[0] for clip in self.clips]
        features = np.stack([self.extract(np.stack(frames[1:])) for frames in flights])
        parts = {"fd": features, "fd_first_20": features[:, :20], "fd_last_20": features[:, -20:]}
        distances = {key: self.real.distance_of(part.reshape(-1, part.shape[-1])) for key, part in parts.items()}
        return {f"psnr_{step}": float(value) for step, value in zip(STEPS, followed, strict=False)} | distances


def table(scores: dict[str, list[dict[str, float]]]) -> str:
    """Mean and range over seeds, as a Markdown table."""
    columns = [f"psnr_{step}" for step in STEPS] + ["fd", "fd_first_20", "fd_last_20"]
    lines = [f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name, seeds in scores.items():
        cells = []
        for column in columns:
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
    parser.add_argument("--steps", type=int, default=400, help="optimiser steps of each model")
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="models trained at once, a core each")
    given = parser.parse_args()
    folders = {(row, seed): given.out / f"row-{TRAINED.index(row)}-seed-{seed}" for row in ROWS for seed in given.seeds}
    with ProcessPoolExecutor(given.workers) as pool:
        jobs = [pool.submit(train_one, given.workspace, folder, *key, given.steps) for key, folder in folders.items()]
        for job in jobs:
            job.result()
    examination = Examination(given.out / "islands")

    def scored(file: Path, method: Fly) -> dict[str, float]:
        if not file.is_file():
            file.write_text(json.dumps(examination.score(method)))
        return dict(json.loads(file.read_text(encoding="utf-8")))

    def of_seeds(row: str, name: str, **flown: object) -> list[dict[str, float]]:
        chosen = [folders[row, seed] for seed in given.seeds]
        return [scored(folder / f"{name}.json", ours(folder, **flown)) for folder in chosen]

    scores = {row: of_seeds(row, "scores") for row in ROWS}
    scores |= {name: of_seeds(TRAINED[-1], f"flown-{k}", **flown) for k, (name, flown) in enumerate(FLOWN.items())}
    scores["render-inpaint"] = [scored(given.out / "render-inpaint.json", inpainting)]
    print(table(scores))
    record = {"steps": given.steps, "seeds": given.seeds, "islands": list(ISLANDS), "rows": scores}
    (given.out / "ablation.json").write_text(json.dumps(record, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
