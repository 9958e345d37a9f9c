"""A key changes with everything that changes the result, and with nothing else, such as a path's spelling."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from flythrough.acquire.fetch.store import copy, place
from flythrough.errors import InputError
from flythrough.evaluate.stage import STAGE as EVALUATE
from flythrough.evaluate.stage import EvaluateConfig
from flythrough.train.config import TrainConfig
from flythrough.train.stage import STAGE as TRAIN
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import sha256_of, unchanged
from flythrough.workspace.stage import Job, Task, load_stage
from tests.clip_factory import make_workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("stale") / "w", clips=1, frames=3, height=32, width=64)


def key(stage: Any, workspace: Workspace, config: Any) -> str:
    (task,) = stage.tasks(workspace, config)
    return str(stage.key(task, config))


def methods(spec: Path) -> EvaluateConfig:
    return EvaluateConfig(methods=(str(spec),), height=32, width=64, steps=2, view_steps=(1,), sfm_flights=0)


@pytest.mark.parametrize("way", ['command = ["python", "fly.py", "{request}", "{frames}"]', 'entry_point = "fly:Mine"'])
def test_a_changed_script_is_another_method(workspace: Workspace, tmp_path: Path, way: str) -> None:
    spec = tmp_path / "mine" / "spec.toml"
    spec.parent.mkdir()
    spec.write_text(f'name = "mine"\n{way}\n')
    (spec.parent / "fly.py").write_text("speed = 1\n")
    before = key(EVALUATE, workspace, methods(spec))
    assert key(EVALUATE, workspace, methods(spec.parent / ".." / "mine" / "spec.toml")) == before
    moved = Path(shutil.copytree(spec.parent, tmp_path / "moved")) / "spec.toml"
    assert key(EVALUATE, workspace, methods(moved)) == before
    (spec.parent / "fly.py").write_text("speed = 2\n")  # as long as before
    assert key(EVALUATE, workspace, methods(spec)) != before


def test_shards_are_known_by_content_and_not_by_name_or_size(workspace: Workspace, tmp_path: Path) -> None:
    shard = tmp_path / "a.tar"
    shard.write_bytes(b"1" * 1000)
    os.utime(shard, (1, 1))

    def now(name: Path) -> str:
        return key(TRAIN, workspace, TrainConfig(preset="tiny", data="shards", shards=str(name)))

    before = now(shard)
    assert now(tmp_path / ".." / tmp_path.name / "a.tar") == before
    shard.write_bytes(b"2" * 1000)
    os.utime(shard, (1, 1))
    assert now(shard) != before


def test_a_training_run_has_one_key_however_its_settings_are_spelled(workspace: Workspace) -> None:
    before = key(TRAIN, workspace, TrainConfig(device="cpu"))
    for same in ({"preset": "tune"}, {"steps": 30}, {"workers": 3}, {"log_every": 1}):
        assert key(TRAIN, workspace, TrainConfig(**{"device": "cpu", **same})) == before
    assert key(TRAIN, workspace, TrainConfig(device="cpu", steps=31)) != before


def test_an_input_edited_in_place_stays_as_it_was_taken_in(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"first")
    copy(film, tmp_path / "copied")
    place(film, tmp_path / "linked")
    with open(film, "r+b") as file:
        file.write(b"other")
    assert (tmp_path / "copied").read_bytes() == b"first"
    assert (tmp_path / "linked").read_bytes() == b"other"  # what the option is warned of


def test_a_file_edited_in_place_is_refused_by_who_would_read_it(tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"first")
    taken_in = sha256_of(film)
    assert unchanged(film, taken_in) == film
    film.write_bytes(b"other")
    os.utime(film, ns=(1, 1))  # as long as before; only its content and times say so
    with pytest.raises(InputError, match=r"no longer the file that was taken in.*verify --repair"):
        unchanged(film, taken_in)
    film.unlink()
    with pytest.raises(InputError, match="cannot be read"):
        unchanged(film, taken_in)


@pytest.mark.parametrize("stage", ["curate", "sfm"])
def test_stages_read_no_video_that_was_edited_in_place(tmp_path: Path, stage: str) -> None:
    (tmp_path / "film.mp4").write_bytes(b"edited")
    video = {"id": "v", "path": "film.mp4", "sha256": "0" * 64, "url": None, "width": 64, "height": 32}
    shot = {"overlay_file": None, "camera_file": None}
    inputs = {"curate": {**video, "camera_folder": None}, "sfm": {"video": video, "shot": shot}}[stage]
    room = load_stage(stage)
    with pytest.raises(InputError, match="no longer the file that was taken in"):
        room.run(Job(Task("v", inputs), tmp_path / "scratch", "v", tmp_path), room.config())
