"""The examples run as they stand, and are short enough to read at a glance."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient

from flythrough.media.video_reader import frame_times
from flythrough.scene.cameras import Cameras, write_cameras
from tests.acquire.acquire_world import make_video
from tests.acquire.http_server import Page, serve
from tests.clip_factory import make_workspace

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("world"), clips=3, frames=16, height=64, width=96).root


@pytest.fixture
def workspace(clips: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clips, tmp_path / "W"))


def run(example: str, *arguments: object) -> str:
    command = [sys.executable, str(FOLDER / example), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_has_at_most_40_lines_and_a_test(example: Path) -> None:
    assert len(example.read_text(encoding="utf-8").splitlines()) <= 40
    assert f'"{example.name}"' in Path(__file__).read_text(encoding="utf-8")


def test_a_dataset_is_rebuilt_from_camera_files(tmp_path: Path) -> None:
    video = make_video(tmp_path / "source.mp4", frames=40, size=(128, 72))
    times = frame_times(video)[1][4:30]
    poses = np.tile(np.eye(3, 4), (len(times), 1, 1))
    poses[:, 2, 3] = -0.1 * np.arange(len(times))
    with serve() as server:
        server.pages["/a.mp4"] = Page(video.read_bytes())
        for name, url in (("have", server.url("/a.mp4")), ("gone", server.url("/gone.mp4"))):
            lens = np.tile([0.5, 0.9, 0.5, 0.5], (len(times), 1))
            file = tmp_path / "cameras" / "train" / f"{name}.txt"
            file.parent.mkdir(parents=True, exist_ok=True)
            write_cameras(file, Cameras(url, times, lens, poses))
        shown = run(
            "rebuild_from_camera_files.py", tmp_path / "cameras", tmp_path / "W",
            'acquire.download.private_hosts=["127.0.0.1"]', "acquire.download.attempts=1",
        )  # fmt: skip
    assert "of 1 videos" in shown
    assert "2 in error" in shown  # the video that is gone, and its clip


def test_a_catalog_is_looked_through(workspace: Path) -> None:
    shown = run("look_through_a_catalog.py", workspace)
    assert shown.count("nearest ground at") == 3


def test_a_class_is_scored_beside_baselines(workspace: Path) -> None:
    shown = run("evaluate_my_class.py", workspace)
    assert [line.split()[0] for line in shown.splitlines()[2:5]] == ["shift", "static", "zoom"]
    assert "NaN" not in shown


def test_a_command_is_scored(workspace: Path) -> None:
    shown = run("evaluate_my_command.py", workspace)
    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["hover", "zoom"]
    assert "NaN" not in shown


def test_the_notebook_flies(tmp_path: Path) -> None:
    notebook = nbformat.read(FOLDER / "fly.ipynb", as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)  # kept without: they are large, and soon old
    (choice,) = [cell for cell in notebook.cells if "STEPS = 100" in cell.source]
    choice.source = choice.source.replace("STEPS = 100", "STEPS = 3")
    NotebookClient(notebook, timeout=280, resources={"metadata": {"path": str(tmp_path)}}).execute()
    kinds = [kind for cell in notebook.cells for output in cell.get("outputs", []) for kind in output.get("data", {})]
    assert {"image/webp", "image/png"} & set(kinds) == {"image/webp", "image/png"}
    assert {"flight.mp4", "disparity.mp4", "poses.txt", "path.glb"} == {file.name for file in tmp_path.iterdir()}


def test_a_model_is_trained_and_flown(workspace: Path) -> None:
    video = Path(run("train_on_my_clips.py", workspace, 3).strip().splitlines()[-1])
    assert len(frame_times(video)[1]) == 21
