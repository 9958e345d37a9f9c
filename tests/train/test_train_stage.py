"""The stage's front door: settings, the run as a task, its row, and the page about it."""

from __future__ import annotations

import json
import os
import re
import tarfile
from pathlib import Path
from typing import Any

import pytest

from flythrough.errors import ConfigError, InputError
from flythrough.scene.clips import load_clips
from flythrough.scene.trained_on import TrainedOn, read_trained_on
from flythrough.train.config import STATE_FILE, Settings, TrainConfig, resolve
from flythrough.train.data.islands import takes
from flythrough.train.fly.shipped import shipped_checkpoint
from flythrough.train.loop.watch import SCALARS
from flythrough.train.loop.worker import trained_on, training_clips
from flythrough.train.model.native import load_checkpoint
from flythrough.train.report import find_run, write_report
from flythrough.train.stage import STAGE
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.files import read_json, sha256_of_folder
from flythrough.workspace.pipeline import run_stage
from tests.clip_factory import make_workspace

TINY: dict[str, Any] = {
    "preset": "tiny", "height": 32, "width": 64, "base_width": 2, "style_size": 8, "discriminator_width": 4,
    "unroll": 2, "batch": 1, "steps": 3, "log_every": 1, "strip_every": 2, "video_steps": 3, "device": "cpu",
}  # fmt: skip


def run(workspace: Workspace, **changes: Any) -> dict[str, Any]:
    report = run_stage(STAGE, workspace, TrainConfig(**(TINY | changes)), InlineExecutor())
    assert report.errors == [], report.errors
    (row,) = workspace.rows("checkpoints")
    return row | {"ran": report.ran}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("clips"), clips=3, frames=6, height=32, width=64)


def test_a_run_leaves_a_checkpoint_its_row_and_a_page(workspace: Workspace) -> None:
    row = run(workspace)
    folder = workspace / row["path"]
    assert row["step"] == 3
    assert row["preset"] == "custom"
    assert row["sha256"] == sha256_of_folder(folder)
    measures = json.loads(row["measures"])
    assert measures["perceptual"] in ("lite0", "vgg19")
    assert measures["clips"] == 2
    assert load_checkpoint(folder).config.base_width == 2
    record = json.loads((folder / "model.json").read_text())
    assert record["perceptual"] == measures["perceptual"]
    assert record["settings"]["steps"] == 3
    page = write_report(workspace).read_text()
    assert page.count("data:image/png") == 2
    assert "data:video/mp4" in page
    assert not re.findall(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert run(workspace)["ran"] == 0  # finished: nothing is trained again
    assert run(workspace, workers=2, log_every=5)["ran"] == 0


def test_a_checkpoint_records_what_it_and_its_start_were_trained_on(workspace: Workspace, tmp_path: Path) -> None:
    checkpoint = workspace / workspace.rows("checkpoints")[0]["path"]
    clips = [row for row in workspace.rows("clips") if row["split"] == "train"]
    own = read_trained_on(checkpoint)
    assert own == TrainedOn(
        {row["id"]: row["sha256"] for row in clips}, frozenset(row["video_id"] for row in clips)
    )  # fmt: skip
    TrainedOn({"before": "b"}, islands=frozenset([100_000])).write(tmp_path)
    after = trained_on(Settings(init=str(tmp_path)), load_clips(workspace, "train"))
    assert after == own | TrainedOn({"before": "b"}, islands=frozenset([100_000]))


def test_the_model_in_the_package_says_which_islands_it_has_seen() -> None:
    runs = read_json(shipped_checkpoint() / "record.json")["runs"]
    width, height = map(int, runs[0]["size"].split("x"))
    seeds = {take.seed for run in runs for take in takes(run["islands"], height, width)}
    assert read_trained_on(shipped_checkpoint()) == TrainedOn({}, islands=frozenset(seeds))


def test_the_same_run_elsewhere_gives_the_same_bytes(workspace: Workspace, tmp_path: Path) -> None:
    other = make_workspace(tmp_path / "other", clips=3, frames=6, height=32, width=64)
    assert run(workspace)["sha256"] == run(other)["sha256"]


def test_the_test_split_is_never_trained_on_but_an_only_clip_is(tmp_path: Path) -> None:
    several = make_workspace(
        tmp_path / "a", clips=3, frames=3, height=32, width=64, splits=("test", "train", "validation")
    )
    settings = Settings(unroll=2, unroll_start=2)
    assert [clip.id for clip in training_clips(several, settings)] == ["clip1"]
    single = make_workspace(tmp_path / "b", clips=1, frames=3, height=32, width=64, splits=("test",))
    assert [clip.id for clip in training_clips(single, settings)] == ["clip0"]
    nothing = make_workspace(tmp_path / "c", clips=2, frames=3, height=32, width=64, splits=("test",))
    with pytest.raises(InputError, match="split train is empty"):
        list(STAGE.tasks(nothing, TrainConfig(**TINY)))


def test_new_clips_or_settings_make_a_new_run(workspace: Workspace, tmp_path: Path) -> None:
    config = TrainConfig(**TINY)
    (task,) = STAGE.tasks(workspace, config)
    assert set(task.inputs["clips"]) == {"clip0", "clip1"}
    others = make_workspace(tmp_path, clips=3, frames=6, height=32, width=64, seed=1)
    (other,) = STAGE.tasks(others, config)
    keys = {STAGE.key(each, config) for each in (task, other)}
    (faster,) = STAGE.tasks(workspace, TrainConfig(**(TINY | {"generator_rate": 0.5})))
    assert len(keys | {STAGE.key(faster, TrainConfig(**(TINY | {"generator_rate": 0.5})))}) == 3


def test_the_key_of_a_run_holds_the_state_it_starts_from(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "model.json").write_text("{}")
    inits = []
    for state in (None, b"one", b"two"):
        if state is not None:
            (tmp_path / STATE_FILE).write_bytes(state)
        (task,) = STAGE.tasks(workspace, TrainConfig(**(TINY | {"init": str(tmp_path)})))
        inits.append(task.inputs["settings"]["init"])
    assert len(set(inits)) == 3
    assert inits[0] == sha256_of_folder(tmp_path / "checkpoint")


def test_the_report_is_about_the_run_that_recorded_last(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    finished, stopped, begun = (workspace / "train" / name for name in ("done.0a1b2c3d", ".partial/a", ".partial/b"))
    row = {"id": "x", "path": "train/done.0a1b2c3d/checkpoint", "step": 1, "preset": "tiny", "sha256": "0"}
    workspace.write("checkpoints", [row | {"measures": "{}"}])
    for when, (folder, text) in enumerate(((stopped, '{"step": 1}\n'), (finished, '{"step": 1}\n'), (begun, ""))):
        folder.mkdir(parents=True)
        (folder / SCALARS).write_text(text)
        os.utime(folder / SCALARS, (when, when))
    assert find_run(workspace) == finished
    os.utime(stopped / SCALARS, (9, 9))
    assert find_run(workspace) == stopped
    for folder in (finished, stopped):
        (folder / SCALARS).write_text("")
    with pytest.raises(InputError, match="Nothing was trained"):
        write_report(workspace)


def test_training_from_shards_equals_training_from_the_workspace(workspace: Workspace, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "clips-0.tar", "w") as tar:
        for row in workspace.rows("clips"):
            (tmp_path / "row.json").write_text(json.dumps(row))
            tar.add(tmp_path / "row.json", f"{row['id']}.json")
            for file in sorted((workspace / row["folder"]).rglob("*.*")):
                tar.add(file, f"{row['id']}.{file.name}")
    shards = Workspace(tmp_path)
    from_shards = run(shards, data="shards", shards="*.tar")
    from_folders = run(workspace)
    weights = [
        (w / row["path"] / "model.safetensors").read_bytes()
        for w, row in ((shards, from_shards), (workspace, from_folders))
    ]
    assert weights[0] == weights[1]


def test_presets_are_the_specifications_and_explicit_values_win() -> None:
    name, paper = resolve(TrainConfig(preset="paper"))
    assert (name, paper.height, paper.width, paper.base_width, paper.unroll) == ("paper", 160, 256, 32, 5)
    weights = (
        paper.l1_weight,
        paper.perceptual_weight,
        paper.feature_weight,
        paper.adversarial_weight,
        paper.kl_weight,
    )
    assert weights == (0.5, 0.01, 10, 1.5, 0.05)
    assert resolve(TrainConfig(device="cpu"))[0] == "tune"
    assert resolve(TrainConfig(preset="laptop", batch=7))[1].batch == 7
    tiny = resolve(TrainConfig(preset="tiny", unroll=1))[1]
    assert (tiny.height, tiny.width, tiny.unroll, tiny.unroll_start) == (64, 96, 1, 1)


def test_unroll_grows_and_rates_fall_on_schedule() -> None:
    settings = Settings(unroll=4, unroll_start=2, unroll_every=10, steps=100, decay_from=0.5)
    assert [settings.unroll_at(step) for step in (0, 9, 10, 20, 99)] == [2, 2, 3, 4, 4]
    assert [settings.rate_at(step) for step in (0, 50, 75)] == pytest.approx([1, 1, 0.55])
    assert Settings(steps=100).rate_at(99) == 1


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"unroll": 2, "unroll_start": 3}, "unroll_start is 3, over unroll = 2"),
        ({"data": "shards"}, "needs shards"),
    ],
)
def test_values_that_do_not_go_together_are_refused(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve(TrainConfig(**values))


@pytest.mark.parametrize("values", [{"height": 50}, {"preset": "huge"}, {"batch": 0}, {"learning_rate": 1}])
def test_impossible_values_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(values))):
        TrainConfig(**values)


@pytest.mark.parametrize(
    ("settings", "gpus"),
    [
        ({"preset": "tiny"}, 0),
        ({"preset": "tiny", "device": "cuda"}, 1),
        ({"preset": "paper"}, 1),
        ({"preset": "paper", "processes": 4}, 4),
        ({"preset": "paper", "device": "cuda:1"}, 1),
        ({"preset": "paper", "device": "cpu", "processes": 4}, 0),
        ({}, 0),
    ],
)
def test_a_run_asks_a_node_for_the_gpus_that_it_uses(settings: dict[str, Any], gpus: int) -> None:
    assert STAGE.resources(TrainConfig(**settings)).gpus == gpus
