"""The authors' weights as the method ``infinite-nature-release``: fetched, flown and scored as any other."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import EntryPoint
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import tests.golden.recipe as recipe
from flythrough.errors import MissingWeights
from flythrough.evaluate.methods.checkpoint import checkpoint_of
from flythrough.evaluate.methods.registry import GROUP, find_specs, installed
from flythrough.evaluate.stage import STAGE, EvaluateConfig
from flythrough.networks import weights
from flythrough.results.schema import Result, read_result
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.files import sha256_of_folder
from flythrough.workspace.pipeline import run_stage
from tests.acquire.http_server import Page, Server, serve
from tests.clip_factory import make_workspace

NAME, WEIGHTS, PREFIX = "infinite-nature-release", "infinite-nature", "ckpt/model.ckpt-7"
CONFIG = EvaluateConfig(
    methods=(NAME, "static"), steps=2, view_steps=(2,), starts_per_clip=1, sfm_flights=0, replicates=20,
    set_replicates=10,
)  # fmt: skip
# Where tensorflow is not installed: its reader's two calls, over a file of numpy's.
STAND_IN = """
import types
import numpy as np

class Reader:
    def __init__(self, prefix):
        self.held = np.load(prefix + ".data-00000-of-00001")
    def get_variable_to_shape_map(self):
        return {name: list(self.held[name].shape) for name in self.held.files}
    def get_tensor(self, name):
        return self.held[name]

train = types.SimpleNamespace(load_checkpoint=Reader)
errors = types.SimpleNamespace(OpError=OSError)
"""


def archive(folder: Path, variables: dict[str, np.ndarray]) -> bytes:
    """``ckpt.tar.gz``, by TensorFlow itself where it is installed."""
    (folder / "ckpt").mkdir(parents=True)
    if find_spec("tensorflow") is not None:
        from tests.train.test_train_checkpoint import write

        write(folder / PREFIX, variables)
    else:
        with open(folder / f"{PREFIX}.data-00000-of-00001", "wb") as file:
            np.savez(file, allow_pickle=False, **variables)
        (folder / f"{PREFIX}.index").touch()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as target:
        target.add(folder / "ckpt", "ckpt")
    return packed.getvalue()


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """The publisher's server; tensorflow, or its stand-in, for the process that flies."""
    monkeypatch.setenv("FLYTHROUGH_WEIGHTS", str(tmp_path / "weights"))
    if find_spec("tensorflow") is None:
        (tmp_path / "site").mkdir()
        (tmp_path / "site" / "tensorflow.py").write_text(STAND_IN)
        known = filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")])
        monkeypatch.setenv("PYTHONPATH", os.pathsep.join(known))
    with serve() as found:
        published = weights.WEIGHTS[WEIGHTS]
        file = replace(published.files[0], url=found.url("/ckpt.tar.gz"))
        monkeypatch.setitem(weights.WEIGHTS, WEIGHTS, replace(published, files=(file,)))
        yield found


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "w", clips=2, frames=8, splits=("train", "test"))


def score(workspace: Workspace) -> tuple[dict[str, Result], list[Row]]:
    report = run_stage(STAGE, workspace, CONFIG, InlineExecutor(), retry_errors=True)
    files = {row["method"]: row["results_file"] for row in workspace.rows("results")}
    return {name: read_result(workspace / file) for name, file in files.items()}, report.errors


def test_the_method_is_found_with_its_spec() -> None:
    (spec,) = find_specs([NAME])
    assert (spec.checkpoint, spec.entry_point) == (f"weights:{WEIGHTS}", "flythrough.train.fly.method:ReleaseMethod")
    (ours,) = find_specs(["infinite-nature"])
    assert ours.needs == ("checkpoint",)


def test_any_installed_class_is_described_by_the_spec_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "theirs.py").write_text("raise RuntimeError('not to be imported')")
    point = EntryPoint("their-method", "theirs:Method", GROUP)
    assert installed(point).needs == ()
    (tmp_path / "their-method.toml").write_text('needs = ["checkpoint"]\nabout = "theirs"\nentry_point = "other:Class"')
    spec = installed(point)
    assert (spec.name, spec.needs, spec.about) == ("their-method", ("checkpoint",), "theirs")
    assert (spec.entry_point, spec.folder) == ("theirs:Method", None)
    (tmp_path / "their-method.toml").write_text('checkpoint = "weights"')
    assert installed(point).checkpoint == str(tmp_path / "weights")
    assert installed(EntryPoint("gone", "no_such_package.module:Method", GROUP)).name == "gone"


def test_without_its_weights_it_fails_with_the_command_and_the_others_are_scored(
    workspace: Workspace, server: Server
) -> None:
    results, errors = score(workspace)
    assert [(e["id"], e["remedy"].partition(" (")[0]) for e in errors] == [
        (NAME, f"Run: flythrough weights fetch {WEIGHTS}")
    ]
    assert {name: each.status for name, each in results.items()} == {NAME: "failed", "static": "scored"}
    assert "not on this machine" in str(results[NAME].failure)
    with pytest.raises(MissingWeights, match=f"flythrough weights fetch {WEIGHTS}"):
        checkpoint_of(find_specs([NAME])[0], workspace)
    server.pages["/ckpt.tar.gz"] = Page(archive(workspace.root.parent / "a", {"resnet/kernel": np.ones(3, np.float32)}))
    weights.fetch(WEIGHTS)
    results, errors = score(workspace)  # it runs again by itself: its checkpoint is another
    assert "is not a checkpoint of Infinite Nature" in errors[0]["message"], errors


def test_with_its_weights_it_flies_and_is_scored(workspace: Workspace, server: Server, tmp_path: Path) -> None:
    release = {name: recipe.weight(name, shape) for name, shape in recipe.variables().items()}
    server.pages["/ckpt.tar.gz"] = Page(archive(tmp_path / "a", release))
    folder = weights.fetch(WEIGHTS)
    results, errors = score(workspace)
    assert errors == []
    flown = results[NAME]
    assert flown.status == "scored"
    assert flown.weights["method"] == sha256_of_folder(folder)
    assert set(flown.frames_sha256) == set(results["static"].frames_sha256)
    assert set(flown.frames_sha256.values()).isdisjoint(results["static"].frames_sha256.values())
    assert {value.metric for value in flown.values if value.value is not None} >= {"fd_lite0", "psnr"}
