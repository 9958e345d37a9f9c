"""Small videos and workspaces for the tests of acquire/."""

from __future__ import annotations

import csv
import subprocess
from collections import Counter
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from flythrough.acquire.config import AcquireConfig, Download
from flythrough.acquire.stage import STAGE
from flythrough.media.video_writer import VideoWriter, ffmpeg_path
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.executor import Executor, InlineExecutor
from flythrough.workspace.pipeline import Report, run_stage

FAST = Download(backoff_s=0.01, backoff_max_s=2, stall_timeout_s=20, connect_timeout_s=20, attempts=3, per_host=8,
                private_hosts=("127.0.0.1",))  # fmt: skip
FPS = Fraction(30000, 1001)


def make_video(
    path: Path, seed: int = 0, frames: int = 30, fps: Fraction = FPS, size: tuple[int, int] = (96, 64), crf: int = 18
) -> Path:
    """A pan over a random picture; the top left 8 x 8 block's gray is 4 times the frame's number, modulo 256."""
    width, height = size
    rng = np.random.default_rng(seed)
    wide = cv2.resize(rng.integers(0, 256, (9, 30, 3), dtype=np.uint8), (width + 2 * frames + 2, height))
    path.parent.mkdir(parents=True, exist_ok=True)
    with VideoWriter(path, width=width, height=height, fps=fps, crf=crf) as writer:
        for index in range(frames):
            image = wide[:, 2 * index : 2 * index + width].copy()
            image[:16, :16] = 4 * index % 256
            writer.write(image)
    return path


def acquire(root: Path, *, retry_errors: bool = False, executor: Executor | None = None, **settings: object) -> Report:
    """Run the stage with quick retries; every entry must end as a video, a drop or an error, and as one of them."""
    config = AcquireConfig.model_validate({"download": FAST, **settings})
    workspace = Workspace(root)
    with workspace.locked():
        report = run_stage(STAGE, workspace, config, executor or InlineExecutor(), retry_errors=retry_errors)
    found = tables(root)
    ends = Counter(row["id"] for name in ("videos", "drops", "errors") for row in found[name])
    with open(root / "acquire" / "entries.csv", encoding="utf-8", newline="") as file:
        entries = [row["id"] for row in csv.DictReader(file)]
    assert len(entries) == report.tasks
    assert {id: ends[id] for id in entries} == dict.fromkeys(entries, 1)
    return report


def tables(root: Path) -> dict[str, list[Row]]:
    """All that the stage wrote."""
    workspace = Workspace(root)
    return {name: workspace.rows(name) for name in ("videos", "clips", "drops", "errors")}


def kinds(root: Path) -> dict[str, str]:
    """Kind of error by id."""
    return {row["id"]: row["kind"] for row in Workspace(root).rows("errors")}


def ffmpeg(folder: Path, *arguments: str) -> None:
    """Run the program in a folder; existing files are overwritten."""
    subprocess.run([ffmpeg_path(), "-loglevel", "error", "-y", *arguments], cwd=folder, check=True)
