"""Render and step against the machine's limits, measured in the same rounds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import tests.golden.recipe as recipe
from benchmarks.side_by_side import QUICK, Peer, Row, side_by_side
from flythrough.rendering.render import render
from flythrough.train.model.network import InfiniteNature

REFINE_GFLOP = 73  # of the release's size, 160 x 256: benchmarks/test_train.py
LENS = torch.from_numpy(recipe.INTRINSICS)[None]
HERE, THERE = torch.eye(3, 4)[None], torch.eye(3, 4)[None].clone()
THERE[:, 2, 3] = -0.2
TIMES = 20  # renders per round


def test_render(benchmark: Any) -> None:
    rgbd = recipe.tensor(recipe.rgbd(0))
    source = np.ones(rgbd.numel(), np.float32)
    target = np.empty_like(source)

    def ours() -> None:
        for _ in range(TIMES):
            render(rgbd, HERE, LENS, THERE, LENS)

    def copies() -> None:
        for _ in range(TIMES):
            np.copyto(target, source)

    row = Row(
        f"{TIMES} renders of 256 x 160",
        remark="a render also projects 40,960 points and rasterises 81,090 triangles: memory does not bound it.",
    )
    limit = Peer("limit: memory, input read and output written once", copies)
    side_by_side(benchmark, row, ours, [limit], rounds=9)


@pytest.mark.timeout(1200)
def test_step(benchmark: Any) -> None:
    model = InfiniteNature().eval().requires_grad_(False).to(memory_format=torch.channels_last)
    rgbd, kernels = recipe.tensor(recipe.rgbd(0)), model.normalise()
    style = model.encode(rgbd, kernels)[0]
    side = 2048
    a, b = torch.randn(side, side), torch.randn(side, round(REFINE_GFLOP * 1e9 / 2 / side**2))

    def ours() -> None:
        with torch.inference_mode():
            model.step(rgbd, HERE, THERE, LENS, style, kernels)

    row = Row(
        "a render-refine step of 256 x 160, float32",
        remark="above 1, the convolutions run at a higher rate than this product: a yardstick, no strict bound.",
    )
    limit = Peer(f"limit: arithmetic, a matrix product of {REFINE_GFLOP} GFLOP", lambda: a @ b)
    side_by_side(benchmark, row, ours, [limit], rounds=3 if QUICK else 11)
