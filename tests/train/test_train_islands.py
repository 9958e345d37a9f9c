"""Training clips of the sample world: filmed once, with the truth beside them, and recorded in the checkpoint."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from flythrough.errors import InputError
from flythrough.sample.biome import BIOMES
from flythrough.scene.geometry import camera_center
from flythrough.scene.trained_on import TrainedOn, read_trained_on
from flythrough.train.config import TrainConfig
from flythrough.train.data.islands import FIRST_SEED, FPS, FRAMES, SPEED, TAKES, IslandClip, film_islands, takes
from flythrough.train.loop.worker import ISLANDS
from flythrough.train.stage import STAGE
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stage
from tests.train.test_train_stage import TINY

HEIGHT, WIDTH = 32, 64


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace(tmp_path_factory.mktemp("islands"))


@pytest.fixture(scope="module")
def clips(workspace: Workspace) -> list[IslandClip]:
    return film_islands(workspace / "train" / ISLANDS, 1, HEIGHT, WIDTH)


def test_every_take_is_filmed_with_its_cameras(clips: list[IslandClip]) -> None:
    assert [(clip.take.kind, clip.take.take) for clip in clips] == list(TAKES)
    assert {clip.island for clip in clips} == {FIRST_SEED}
    for clip in clips:
        assert clip.cameras.poses.shape == (FRAMES, 3, 4)
        assert len(np.unique(clip.cameras.intrinsics, axis=0)) == 1
        rgbd = clip.rgbd(FRAMES - 1, HEIGHT, WIDTH)
        assert rgbd.shape == (4, HEIGHT, WIDTH)
        assert 0 <= rgbd.min() < rgbd.max() <= 1
    steps = np.linalg.norm(np.diff(camera_center(clips[0].cameras.poses), axis=0), axis=-1)
    assert np.median(steps) == pytest.approx(SPEED / FPS, rel=0.1)
    assert not np.array_equal(clips[0].rgbd(0, HEIGHT, WIDTH), clips[1].rgbd(0, HEIGHT, WIDTH))


def test_what_is_filmed_is_not_filmed_again(workspace: Workspace, clips: list[IslandClip]) -> None:
    files = {clip.take.file(workspace / "train" / ISLANDS) for clip in clips}
    before = {file: file.stat().st_mtime_ns for file in files}
    next(iter(files)).unlink()
    again = film_islands(workspace / "train" / ISLANDS, 1, HEIGHT, WIDTH)
    assert sum(file.stat().st_mtime_ns != before[file] for file in files) == 1
    for old, new in zip(clips, again, strict=True):
        assert np.array_equal(old.rgbd(30, HEIGHT, WIDTH), new.rgbd(30, HEIGHT, WIDTH))


FILM_MANY = """
import sys
from pathlib import Path
from flythrough.train.data.islands import film_islands
if __name__ == "__main__":
    film_islands(Path(sys.argv[1]), 100, 32, 64)
"""


def test_who_films_ends_with_the_process_that_asked(tmp_path: Path) -> None:
    script = tmp_path / "film.py"
    script.write_text(FILM_MANY)
    with subprocess.Popen([sys.executable, str(script), str(tmp_path)], stderr=subprocess.DEVNULL) as asked:
        while not list(tmp_path.rglob("*.npz")):
            assert asked.poll() is None
            time.sleep(0.1)
        family = psutil.Process(asked.pid).children(recursive=True)
        asked.kill()
    gone, alive = psutil.wait_procs(family, timeout=30)
    assert gone
    assert alive == []


def test_another_size_is_refused_with_a_remedy(clips: list[IslandClip]) -> None:
    with pytest.raises(InputError, match="filmed at 64 x 32, not 96 x 64") as refused:
        clips[0].rgbd(0, 64, 96)
    assert refused.value.remedy == "Film the islands at the training size"


def test_a_run_on_islands_records_them(workspace: Workspace, clips: list[IslandClip]) -> None:
    changes: dict[str, Any] = {"data": "islands", "islands": 1, "steps": 1}
    report = run_stage(STAGE, workspace, TrainConfig(**(TINY | changes)), InlineExecutor())
    assert report.errors == []
    (row,) = workspace.rows("checkpoints")
    assert read_trained_on(workspace / row["path"]) == TrainedOn({}, islands=frozenset([FIRST_SEED]))


def test_every_second_island_is_of_another_biome_if_wanted() -> None:
    biomes = [take.biome for take in takes(14, HEIGHT, WIDTH, all_biomes=True)][:: len(TAKES)]
    assert biomes[::2] == ["coast"] * 7
    assert set(biomes[1::2]) == set(BIOMES) - {"coast"}
    ids = [take.id for take in takes(14, HEIGHT, WIDTH, all_biomes=True)]
    assert len(set(ids)) == len(ids)
    coasts = {take.id for take in takes(14, HEIGHT, WIDTH)}
    assert {id for id in ids if id.startswith("island")} <= coasts  # coasts are the same either way


def test_more_islands_come_after_the_first_ones() -> None:
    few, more = ([take.seed for take in takes(count, HEIGHT, WIDTH)] for count in (2, 3))
    assert more[: len(few)] == few
    assert set(more) == {FIRST_SEED, FIRST_SEED + 1, FIRST_SEED + 2}
