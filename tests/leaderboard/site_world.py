"""A synthetic workspace of four scored methods, for tests of the site."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from flythrough.leaderboard.config import LeaderboardConfig
from flythrough.results.schema import Result, rows_of
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_json

HASH = "ab" * 32
STARTS = tuple(f"coast-{k:06d}" for k in range(6))
CONFIG = LeaderboardConfig(pictures=1, video=False, picture_width=32)
HOSTILE = "<img src=x onerror=alert(1)>"


def result(method: str, level: float, seed: int, **more: Any) -> Result:
    """One method's results: its psnr is ``level`` and its paired replicates are those of one set of draws."""
    random = np.random.default_rng(seed)
    psnr = level + np.linspace(-1, 1, len(STARTS)) + random.normal(0, 0.05, len(STARTS))
    draws = np.random.default_rng(0).integers(0, len(STARTS), (50, len(STARTS)))
    mean = float(psnr.mean())
    return Result.model_validate(
        {
            "status": "scored",
            "protocol": {"name": "coasts-v1", "hash": HASH, "steps": 8, "flights": 6, "width": 32, "height": 16},
            "method": {"name": method, "about": f"About {method} {HOSTILE}", "citation": "https://example.org/paper"},
            "weights": {"metric:lite0": "cd" * 32},
            "frames_sha256": {f"generation/{start}": "ef" * 32 for start in STARTS},
            "follows_camera": True,
            "values": [
                {"metric": "psnr", "step": 5, "value": mean, "low": mean - 1, "high": mean + 1, "n": 6, "ranked": True},
                {"metric": "fd_lite0", "value": 200 - level, "low": 150, "high": 190, "n": 48, "floor": 9.0,
                 "ranked": True},
            ],
            "starts": {
                start: {"psnr@5": float(value), "style_lite0": float(k)}
                for k, (start, value) in enumerate(zip(STARTS, psnr, strict=True))
            },
            "replicates": {
                "psnr@5": {"drawn": "d", "starts": 6, "values": [float(psnr[draw].mean()) for draw in draws]}
            },
            "curves": {"fd_lite0_sw": [[4, 100.0], [8, 110.0]]},
            **more,
        }
    )  # fmt: skip


def make_workspace(root: Path) -> Workspace:
    """Four methods: two almost equal, two far below."""
    found = Workspace(root)
    rows = []
    for seed, (method, level) in enumerate((("alpha", 25.0), ("beta", 24.99), ("gamma", 20.0), ("delta", 15.0))):
        file = f"evaluate/{method}.0/results.json"
        record = result(method, level, seed)
        write_json(found / file, record.model_dump(mode="json"))
        for name in ("coasts-v1.toml", "coasts-v1.json"):
            (found / file).with_name(name).write_text("{}")
        rows += rows_of(record, file)
        for start in STARTS if seed < 2 else STARTS[:1]:
            folder = found / f"evaluate/{method}.0/frames/generation/{start}"
            folder.mkdir(parents=True)
            for step in range(1, 9):
                cv2.imwrite(str(folder / f"{step:06d}.png"), np.full((16, 32, 3), 20 * step, np.uint8))
    found.write("results", rows)
    return found
