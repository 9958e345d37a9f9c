"""A video enters a results repository by the commands of that repository's README, and nothing else."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from flythrough.evaluate.stage import STAGE, EvaluateConfig
from flythrough.leaderboard.exports.repository import make_repository
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stage
from tests.clip_factory import make_workspace


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A results repository of one measured method, with the clips beside it as ``mine``."""
    monkeypatch.setenv("FLYTHROUGH_CACHE", str(tmp_path / "cache"))
    own = make_workspace(tmp_path / "host", clips=3, frames=12, splits=("test",))
    config = EvaluateConfig(
        methods=("zoom",), steps=2, view_steps=(2,), starts_per_clip=1, sfm_flights=0, replicates=20, set_replicates=10
    )
    assert run_stage(STAGE, own, config, InlineExecutor()).errors == []
    make_repository(own, tmp_path / "repository")
    shutil.copytree(own.root, tmp_path / "repository" / "mine", ignore=shutil.ignore_patterns("evaluate", "results*"))
    return tmp_path / "repository"


def command(line: str, folder: Path) -> str:
    """Run one line of the README; returns what it printed."""
    words = shlex.split(line)
    if words[0] == "flythrough":
        words[:1] = [sys.executable, "-c", "from flythrough.cli.app import main; main()"]
    if words[0] == "ffmpeg":
        words[0] = imageio_ffmpeg.get_ffmpeg_exe()
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, (line, done.stdout, done.stderr)
    return done.stdout


def test_a_video_gets_its_row_by_the_readme(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(repository)
    film = cv2.VideoWriter("film.avi", cv2.VideoWriter.fourcc(*"MJPG"), 30.0, (128, 80))
    for level in np.linspace(20, 220, 150):
        film.write(np.full((80, 128, 3), level, np.uint8))
    film.release()
    readme = Path("README.md").read_text()
    protocol = next(Path("board/evaluate").rglob("*.toml"))
    shown = re.search(r"(\d+) x (\d+)", command(f"flythrough evaluate protocol show {protocol}", repository))
    assert shown
    named = {"VIDEO": "film.avi", "PROTOCOL": str(protocol), "WIDTH": shown[1], "HEIGHT": shown[2]}
    [block] = re.findall(r"```\n(.*?)```", readme, re.DOTALL)
    for line in block.splitlines():
        command(re.sub("|".join(named), lambda found: named[found[0]], line), repository)
    command("git init --quiet", repository)
    added = command("git add --all --dry-run", repository)
    assert "submissions/my-method.zip" in added
    assert not re.search("'(mine|FRAMES|results.json)", added)  # what a submitter makes stays out of the pull request
    checks = re.search(r"`(flythrough leaderboard check [^`]*)`", readme)
    assert checks
    assert "accepted" in command(checks[1], repository)
    command("flythrough leaderboard add submissions/my-method.zip --workspace board", repository)
    command("flythrough leaderboard --workspace board", repository)
    assert "my-method" in (repository / "board/leaderboard/index.html").read_text()
    listed = command("flythrough leaderboard list --workspace board", repository)
    assert re.search(r"my-method.*submitted", listed)
    assert Workspace(repository / "mine").rows("results") == []  # the third party's own tables are untouched
