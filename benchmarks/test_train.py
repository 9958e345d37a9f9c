"""Speed on the CPU, beside what the machine's matrix products allow: ``make bench`` (needs a quiet machine).

The release's times in the same setting (two cores, float32, 160 x 256, batch 1): render 37 ms, refine 390 to 450 ms,
a whole step 530 to 590 ms. Limits hold for half of that step, for a render in 12 ms, and for its backward pass in
three times its forward; a refine is 73 GFLOP, so no step is quicker than 73 over the measured rate.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

import tests.golden.recipe as recipe
from flythrough.rendering.render import render
from flythrough.scene.clips import load_clips
from flythrough.train.config import TrainConfig, resolve
from flythrough.train.data.sequences import Batch, Loader, Sequences
from flythrough.train.loop.process_group import ProcessGroup
from flythrough.train.loop.trainer import Trainer
from flythrough.train.model.network import InfiniteNature
from tests.clip_factory import make_workspace

REFINE_GFLOP = 73  # of the release's size, 160 x 256
LENS = torch.from_numpy(recipe.INTRINSICS)[None]
HERE, THERE = torch.eye(3, 4)[None], torch.eye(3, 4)[None].clone()
THERE[:, 2, 3] = -0.2


def seconds(work: Callable[[], Any], rounds: int = 5) -> float:
    """The shortest of several times."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)


def matmul_rate(dtype: torch.dtype) -> float:
    """GFLOP per second of a large matrix product."""
    a, b = (torch.randn(2048, 2048).to(dtype) for _ in "ab")
    return 2 * 2048**3 / 1e9 / seconds(lambda: a @ b)


@pytest.mark.parametrize("path", ["numba", "torch"])
def test_render(benchmark: Any, path: str) -> None:
    rgbd = recipe.tensor(recipe.rgbd(0))
    benchmark.extra_info["release_ms"], benchmark.extra_info["limit_ms"] = 37, 12
    benchmark.pedantic(lambda: render(rgbd, HERE, LENS, THERE, LENS, path=path), rounds=20, warmup_rounds=2)


def test_render_backward(benchmark: Any) -> None:
    rgbd = recipe.tensor(recipe.rgbd(0)).requires_grad_()

    def forward() -> torch.Tensor:
        image, mask = render(rgbd, HERE, LENS, THERE, LENS)
        return image.sum() + mask.sum()

    forward().backward()
    benchmark.extra_info["forward_ms"] = 1e3 * seconds(forward, 20)
    benchmark.extra_info["limit"] = "3 x forward"
    benchmark.pedantic(lambda loss: loss.backward(), setup=lambda: ((forward(),), {}), rounds=20)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_step(benchmark: Any, precision: str) -> None:
    model = InfiniteNature().eval().requires_grad_(False).to(memory_format=torch.channels_last)
    rgbd, kernels = recipe.tensor(recipe.rgbd(0)), model.normalise()
    style = model.encode(rgbd, kernels)[0]
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    rate = matmul_rate(dtype)
    benchmark.extra_info["matmul_gflop_a_s"] = rate
    benchmark.extra_info["limit_ms"] = 1e3 * REFINE_GFLOP / rate
    benchmark.extra_info["release_ms"] = "530 to 590"

    def step() -> None:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            model.step(rgbd, HERE, THERE, LENS, style, kernels)

    benchmark.pedantic(step, rounds=8, warmup_rounds=2)


def prepare(folder: Path, unroll: int) -> tuple[Trainer, Batch, Sequences]:
    settings = resolve(TrainConfig(preset="tiny", device="cpu", unroll=unroll, unroll_start=unroll))[1]
    clips = load_clips(make_workspace(folder, clips=2, frames=8), "train")
    drawn = Sequences(clips, unroll=unroll, height=settings.height, width=settings.width)
    batch = next(iter(Loader(drawn, batch=settings.batch, unroll_at=settings.unroll_at).batches(0, 1)))
    return Trainer(settings, ProcessGroup("cpu")), batch, drawn


@pytest.mark.parametrize("unroll", [1, 4])
def test_optimiser_step(benchmark: Any, tmp_path: Path, unroll: int) -> None:
    """Of ``tiny``. The discriminators' and the perceptual network's share is the part that does not grow with T."""
    trainer, batch, _ = prepare(tmp_path, unroll)
    trainer.step(batch)
    benchmark.extra_info["images_a_step"] = int(batch.rgbd.shape[0]) * unroll
    benchmark.pedantic(trainer.step, args=(batch,), rounds=5)


def test_decoding_keeps_up(benchmark: Any, tmp_path: Path) -> None:
    """Forty batches decoded in the background, the cache cold at first: far less than forty optimiser steps."""
    _, _, drawn = prepare(tmp_path, 3)
    loader = Loader(drawn, batch=4, unroll_at=lambda step: 3, workers=1)
    benchmark.pedantic(lambda: sum(1 for _ in loader.batches(0, 40)), rounds=3)
