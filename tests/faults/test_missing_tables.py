"""Missing input is an error and never an empty success: tables of earlier stages, and mistyped workspaces."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stage
from flythrough.workspace.stage import STAGES, load_stage
from tests.acquire.acquire_world import make_video

MAIN = "from flythrough.cli.app import main; main()"


def flythrough(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words], capture_output=True, text=True, timeout=200, check=False
    )


@pytest.mark.parametrize("stage", STAGES[1:])
def test_a_stage_without_the_table_before_is_an_error_and_writes_nothing(tmp_path: Path, stage: str) -> None:
    workspace = Workspace(tmp_path / "w")
    workspace.root.mkdir()
    with pytest.raises(InputError):
        run_stage(load_stage(stage), workspace, load_config()[stage], InlineExecutor())
    assert not [path for path in workspace.root.iterdir() if path.suffix == ".parquet"]


def test_a_deleted_table_leaves_what_is_downstream_as_it_is(tmp_path: Path) -> None:
    film, root = make_video(tmp_path / "a.mp4", frames=12), tmp_path / "w"
    assert flythrough("run", "--until", "curate", "-i", str(film), "-w", str(root)).returncode == 0
    before = (root / "shots.parquet").read_bytes(), (root / "drops.parquet").read_bytes()
    (root / "videos.parquet").unlink()
    done = flythrough("curate", "-w", str(root))
    assert (done.returncode, "has no table videos" in done.stderr) == (1, True)
    assert ((root / "shots.parquet").read_bytes(), (root / "drops.parquet").read_bytes()) == before


@pytest.mark.parametrize("command", ["run", *STAGES])
def test_a_mistyped_workspace_is_an_error_and_makes_nothing(tmp_path: Path, command: str) -> None:
    done = flythrough(command, "-w", str(tmp_path / "typo"))
    assert done.returncode == 1
    assert "is not a workspace" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_init_and_new_make_a_workspace(tmp_path: Path) -> None:
    assert flythrough("init", str(tmp_path / "a")).returncode == 0
    assert flythrough("init", str(tmp_path / "a")).returncode == 1
    for words in (("-w", str(tmp_path / "a")), ("-w", str(tmp_path / "b"), "--new")):
        assert "There is nothing to acquire" in flythrough("run", *words).stderr
    assert (tmp_path / "b" / "flythrough.toml").read_text() == (tmp_path / "a" / "flythrough.toml").read_text()
