"""What a checkpoint was trained on is never what it is scored on, whatever today's split says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flythrough.evaluate.methods.registry import MethodFailure
from flythrough.evaluate.protocols.build import Choices, build_from_workspace
from flythrough.evaluate.protocols.leakage import refuse_trained_on
from flythrough.evaluate.protocols.source import Source
from flythrough.evaluate.stage import STAGE, EvaluateConfig
from flythrough.scene.trained_on import TrainedOn
from flythrough.workspace.catalog import Workspace, to_json
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stage
from tests.clip_factory import make_workspace

CHOICES = Choices(steps=2, view_steps=(2,), starts_per_clip=1, sfm_flights=0)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "w", clips=3, frames=6, splits=("train", "train", "test"))


def refused(workspace: Workspace, history: TrainedOn | None, folder: Path) -> str | None:
    folder.mkdir(exist_ok=True)
    if history is not None:
        history.write(folder)
    try:
        refuse_trained_on(Source(build_from_workspace(workspace, CHOICES), workspace), folder)
    except MethodFailure as failure:
        return failure.message
    return None


def test_a_clip_that_was_trained_on_is_refused_by_name_by_content_and_by_video(
    workspace: Workspace, tmp_path: Path
) -> None:
    first, second, test = workspace.rows("clips")
    trained = TrainedOn({first["id"]: first["sha256"], second["id"]: second["sha256"]}, frozenset([first["video_id"]]))
    assert refused(workspace, None, tmp_path / "c") is None  # of an earlier version: nothing is known
    assert refused(workspace, trained, tmp_path / "c") is None
    for leak in (
        TrainedOn({test["id"]: "other"}),
        TrainedOn({"other": test["sha256"]}),
        TrainedOn({}, frozenset([test["video_id"]])),
    ):
        assert test["id"] in (refused(workspace, trained | leak, tmp_path / "c") or "")


def test_a_split_that_moved_after_training_is_found(workspace: Workspace, tmp_path: Path) -> None:
    rows = workspace.rows("clips")
    trained = TrainedOn({row["id"]: row["sha256"] for row in rows[:2]}, frozenset(row["video_id"] for row in rows[:2]))
    workspace.write("clips", [{**rows[0], "split": "test"}, rows[1], {**rows[2], "split": "train"}])
    assert rows[0]["id"] in (refused(workspace, trained, tmp_path / "c") or "")


def test_an_island_that_was_trained_on_is_refused(workspace: Workspace, tmp_path: Path) -> None:
    rows = [{**row, "measures": to_json({"island": 100_007})} for row in workspace.rows("clips")]
    workspace.write("clips", rows)
    assert refused(workspace, TrainedOn({}, islands=frozenset(range(100_000, 100_120))), tmp_path / "c") is not None
    assert refused(workspace, TrainedOn({}, islands=frozenset([100_120])), tmp_path / "c") is None


def test_a_protocol_that_says_it_is_not_held_out_is_flown(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", clips=1, frames=6, splits=("train",))
    (row,) = workspace.rows("clips")
    assert refused(workspace, TrainedOn({row["id"]: row["sha256"]}), tmp_path / "c") is None


def test_the_stage_names_the_leak_and_scores_nothing(workspace: Workspace) -> None:
    (test,) = (row for row in workspace.rows("clips") if row["split"] == "test")
    TrainedOn({test["id"]: test["sha256"]}).write(workspace / "train" / "c")
    checkpoint = {"id": "c", "path": "train/c", "step": 1, "preset": "tiny", "sha256": "c", "measures": "{}"}
    workspace.write("checkpoints", [checkpoint])
    config = EvaluateConfig(methods=("infinite-nature",), steps=2, view_steps=(2,), starts_per_clip=1, sfm_flights=0)
    report = run_stage(STAGE, workspace, config, InlineExecutor())
    assert [(error["id"], "was trained on" in error["message"]) for error in report.errors] == [
        ("infinite-nature", True)
    ]
    assert all(row["value"] is None and not row["ranked"] for row in workspace.rows("results"))
