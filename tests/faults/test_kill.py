"""Kill -9 at any moment, run again: the tables are those of an undisturbed run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from flythrough.sample.film import film
from flythrough.workspace.catalog import TABLES, Workspace

COMMAND = [sys.executable, "-c", "from flythrough.cli.app import main; main()"]


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three short videos and a file that is none."""
    folder = tmp_path_factory.mktemp("videos")
    for seed, kind in enumerate(("forward", "static", "sideways")):
        film(seed, kind, 1.5, width=192, height=108, fps=12).write_video(folder / f"{kind}.mp4")
    (folder / "text.mp4").write_text("no video")
    return folder


def start(videos: Path, workspace: Path, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*COMMAND, "run", "--until", "curate", "--input", str(videos), "--workspace", str(workspace), *options],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def tables(workspace: Path) -> dict[str, bytes]:
    return {t: f.read_bytes() for t in TABLES if (f := Workspace(workspace).table_file(t)).exists()}


@pytest.fixture(scope="module")
def undisturbed(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    workspace = tmp_path_factory.mktemp("undisturbed")
    assert start(videos, workspace).wait(200) == 1  # the text file is an error
    found = tables(workspace)
    assert {"videos", "shots", "drops", "errors"} <= set(found)
    assert len(Workspace(workspace).rows("videos")) == 3
    assert len(Workspace(workspace).rows("errors")) == 1
    return found


def test_killed_again_and_again(videos: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    delays = random.Random(5)
    for _ in range(5):
        process = start(videos, tmp_path)
        time.sleep(delays.uniform(0.3, 6))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert start(videos, tmp_path).wait(200) == 1
    assert tables(tmp_path) == undisturbed


def wait_for_workers(driver: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The driver's worker processes, as soon as there is one; none if the driver ends first."""
    while driver.poll() is None:
        with suppress(psutil.Error):
            children = psutil.Process(driver.pid).children(recursive=True)
            if found := [child for child in children if "spawn_main" in " ".join(child.cmdline())]:
                return found
        time.sleep(0.02)
    return []


def test_workers_end_with_a_driver_that_is_killed_alone(
    videos: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    """Orphans that work on would share their scratch folders with the next run's workers."""
    delays, killed = random.Random(6), 0
    for _ in range(4):
        process = start(videos, tmp_path)
        if not (workers := wait_for_workers(process)):
            break  # all is done
        time.sleep(delays.uniform(0.0, 1.0))
        process.kill()
        killed += process.wait() == -signal.SIGKILL
        _, alive = psutil.wait_procs(workers, timeout=10)
        assert alive == []
    assert killed
    assert start(videos, tmp_path).wait(200) == 1
    assert tables(tmp_path) == undisturbed


def test_killed_workers_are_errors_that_a_retry_clears(
    videos: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    process = start(videos, tmp_path)
    workers = wait_for_workers(process)
    assert workers
    for worker in workers:
        worker.kill()
    process.wait(200)
    assert start(videos, tmp_path, "--retry-errors").wait(200) == 1
    found = Workspace(tmp_path)
    assert [row["id"] for row in found.rows("shots")] == [row["id"] for row in undisturbed_rows(undisturbed, tmp_path)]


def undisturbed_rows(undisturbed: dict[str, bytes], folder: Path) -> list[dict[str, object]]:
    (folder / "before").mkdir()
    (folder / "before" / "shots.parquet").write_bytes(undisturbed["shots"])
    return Workspace(folder / "before").rows("shots")


def test_ray_makes_the_same_tables(videos: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    assert start(videos, tmp_path, "--executor", "ray").wait(280) == 1
    assert tables(tmp_path) == undisturbed


def test_interrupted_it_says_what_is_kept(videos: Path, undisturbed: dict[str, bytes], tmp_path: Path) -> None:
    (tmp_path / "w").mkdir()
    process = start(videos, tmp_path / "w")
    while not (tmp_path / "w" / "acquire" / "summary.json").exists():  # the second stage has begun, or is about to
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    assert process.wait(100) == 130
    assert b"what is finished is kept" in process.stderr.read()
    assert start(videos, tmp_path / "w").wait(200) == 1
    assert tables(tmp_path / "w") == undisturbed
