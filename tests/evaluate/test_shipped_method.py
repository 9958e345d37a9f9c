"""The model in the package as the method ``flythrough-coast-v1``, in a workspace in which nothing was trained."""

from __future__ import annotations

from pathlib import Path

import pytest

from flythrough.evaluate.methods.checkpoint import checkpoint_of
from flythrough.evaluate.methods.registry import find_specs
from flythrough.evaluate.protocols.protocol import load_protocol
from flythrough.evaluate.stage import STAGE, EvaluateConfig
from flythrough.results.schema import read_result
from flythrough.scene.trained_on import read_trained_on
from flythrough.train.fly.shipped import NAME, shipped_checkpoint
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stage
from tests.clip_factory import make_workspace

CONFIG = EvaluateConfig(
    methods=(NAME, "infinite-nature"), steps=2, view_steps=(2,), starts_per_clip=1, sfm_flights=0, replicates=20,
    set_replicates=10,
)  # fmt: skip


def test_it_is_scored_where_the_workspaces_own_model_is_missing(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w", clips=2, frames=8, splits=("train", "test"))
    (error,) = run_stage(STAGE, workspace, CONFIG, InlineExecutor()).errors
    assert (error["id"], NAME in error["remedy"]) == ("infinite-nature", True)
    files = {row["method"]: row["results_file"] for row in workspace.rows("results")}
    result = read_result(workspace / files[NAME])
    assert result.status == "scored"
    (spec,) = find_specs([NAME])
    checkpoint = checkpoint_of(spec, workspace)
    assert checkpoint is not None
    assert checkpoint.folder == shipped_checkpoint()
    assert result.weights["method"] == checkpoint.sha256
    published = (workspace / files[NAME]).read_text(encoding="utf-8")
    assert str(checkpoint.folder.parent) not in published  # where it lies on this machine is nobody's business


@pytest.mark.parametrize("protocol", ["sample-v1", "sample-v2"])
def test_no_island_of_a_shipped_protocol_has_trained_it(protocol: str) -> None:
    trained = read_trained_on(shipped_checkpoint())
    assert trained is not None
    used = {start.clip for start in load_protocol(protocol).index.starts}
    assert used
    assert not used & {f"island_{seed}" for seed in trained.islands}
