"""Training speed: optimiser steps of the preset ``tiny`` on the CPU. Run with ``make bench``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from clip_factory import make_workspace
from flythrough.train.config import TrainConfig, resolve
from flythrough.train.crew import Crew
from flythrough.train.data import Batch, Loader, Sequences
from flythrough.train.trainer import Trainer

from flythrough.clips import load_clips


def prepare(folder: Path, unroll: int) -> tuple[Trainer, Batch, Sequences]:
    settings = resolve(TrainConfig(preset="tiny", device="cpu", unroll=unroll, unroll_start=unroll))[1]
    clips = load_clips(make_workspace(folder, clips=2, frames=8), "train")
    drawn = Sequences(clips, unroll=unroll, height=settings.height, width=settings.width)
    batch = next(iter(Loader(drawn, batch=settings.batch, unroll_at=settings.unroll_at).batches(0, 1)))
    return Trainer(settings, Crew("cpu")), batch, drawn


@pytest.mark.parametrize("unroll", [1, 4])
def test_optimiser_step(benchmark: Any, tmp_path: Path, unroll: int) -> None:
    """Beside it: the discriminators' and the perceptual network's share shows as the part that does not grow with T."""
    trainer, batch, _ = prepare(tmp_path, unroll)
    trainer.step(batch)
    benchmark.extra_info["images_a_step"] = int(batch.rgbd.shape[0]) * unroll
    benchmark.pedantic(trainer.step, args=(batch,), rounds=5)


def test_decoding_keeps_up(benchmark: Any, tmp_path: Path) -> None:
    """Forty batches decoded in the background, the cache cold at first: far less than forty optimiser steps."""
    _, _, drawn = prepare(tmp_path, 3)
    loader = Loader(drawn, batch=4, unroll_at=lambda step: 3, workers=1)
    benchmark.pedantic(lambda: sum(1 for _ in loader.batches(0, 40)), rounds=3)
