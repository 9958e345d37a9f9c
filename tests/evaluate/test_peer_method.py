"""InfiniteNature-Zero's adapter (examples/peers) against a stand-in of its code: request in, frames out, a row."""

from __future__ import annotations

import ast
import importlib.util
import os
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from flythrough.evaluate.cli import check
from flythrough.evaluate.methods.registry import MethodFailure, read_spec
from flythrough.evaluate.stage import STAGE, EvaluateConfig
from flythrough.results.schema import Result, read_result
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stage
from tests.clip_factory import make_workspace
from tests.evaluate.zero_stand_in import lay_out

FOLDER = Path(__file__).parents[2] / "examples" / "peers" / "infinite-nature-zero"
NAME = "infinite-nature-zero"
CODE = "google-research/infinite_nature_zero"


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The adapter's folder as installed: this Python in place of its environment, the stand-in in place of its code."""
    folder = Path(shutil.copytree(FOLDER, tmp_path / "peer"))
    lay_out(folder / CODE, tmp_path / "site")
    known = filter(None, [str(tmp_path / "site"), os.environ.get("PYTHONPATH")])
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(known))
    spec = folder / f"{NAME}.toml"
    spec.write_text(spec.read_text().replace('"env/bin/python"', f'"{sys.executable}"'))
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "w", clips=2, frames=8, height=128, width=128, splits=("train", "test"))


def config(peer: Path) -> EvaluateConfig:
    return EvaluateConfig(
        methods=(str(peer / f"{NAME}.toml"), "static"), steps=2, view_steps=(2,), starts_per_clip=1, sfm_flights=0,
        replicates=20, set_replicates=10,
    )  # fmt: skip


def score(workspace: Workspace, peer: Path) -> tuple[dict[str, Result], list[Row]]:
    report = run_stage(STAGE, workspace, config(peer), InlineExecutor(), retry_errors=True)
    files = {row["method"]: row["results_file"] for row in workspace.rows("results")}
    return {name: read_result(workspace / file) for name, file in files.items()}, report.errors


def value(result: Result, metric: str) -> float:
    (found,) = [each.value for each in result.values if each.metric == metric and each.value is not None]
    return found


def adapter() -> ModuleType:
    found = importlib.util.spec_from_file_location("zero_adapter", FOLDER / "fly.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_it_gets_a_row_beside_others_and_its_cameras_go_where_they_should(workspace: Workspace, peer: Path) -> None:
    results, errors = score(workspace, peer)
    assert errors == []
    assert {name: each.status for name, each in results.items()} == {NAME: "scored", "static": "scored"}
    flown = results[NAME]
    assert {each.metric for each in flown.values if each.value is not None} >= {"fd_lite0", "psnr", "ssim"}
    # It warps, so where the cameras are right its frames are nearly the recorded ones (static: 15 dB).
    assert value(flown, "psnr") > 27
    assert value(flown, "follow_correlation") > 0.7


@pytest.mark.parametrize(
    ("right", "wrong"), [("(there, here, factor, model", "(here, there, factor, model"), ("/ factor", "* factor")]
)
def test_wrong_cameras_would_show(workspace: Workspace, peer: Path, right: str, wrong: str) -> None:
    script = (peer / "fly.py").read_text()
    assert right in script
    (peer / "fly.py").write_text(script.replace(right, wrong))
    results, _ = score(workspace, peer)
    assert value(results[NAME], "psnr") < 20


def test_it_conforms(peer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    check(str(peer / f"{NAME}.toml"), height=128, width=128)
    shown = capsys.readouterr().out
    assert "ok  every frame is 8-bit RGB, 128 x 128" in shown
    assert "ok  the same seed gives the same frames" in shown
    assert f"{NAME} conforms" in shown


def test_other_sizes_are_refused_with_a_remedy_or_stretched(peer: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = peer / f"{NAME}.toml"
    with pytest.raises(MethodFailure, match=r"makes frames of 128 x 128, not 96 x 64: .*add --resize"):
        check(str(spec), height=64, width=96)
    spec.write_text(spec.read_text().replace('"fly.py", ', '"fly.py", "--resize", "--no-sky", '))
    check(str(spec), height=64, width=96)
    assert "ok  every frame is 8-bit RGB, 96 x 64" in capsys.readouterr().out


def test_without_its_checkpoint_the_others_are_scored_and_with_it_it_runs_again(
    workspace: Workspace, peer: Path, tmp_path: Path
) -> None:
    (peer / CODE / "checkpoints" / "zero_latest.tar").rename(tmp_path / "kept.tar")
    results, errors = score(workspace, peer)
    assert {name: each.status for name, each in results.items()} == {NAME: "failed", "static": "scored"}
    assert [each["id"] for each in errors] == [NAME]
    assert "checkpoints/*latest.tar: unpack https://" in errors[0]["message"]
    (tmp_path / "kept.tar").rename(peer / CODE / "checkpoints" / "zero_latest.tar")
    results, errors = score(workspace, peer)
    assert (results[NAME].status, errors) == ("scored", [])


def lay_out_again(peer: Path, speckle: float) -> None:
    shutil.rmtree(peer / CODE)
    lay_out(peer / CODE, peer.parent / "site", speckle)


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no code": (lambda peer: shutil.rmtree(peer / CODE), "is not the folder infinite_nature_zero .*: see install.sh"),
    "no package": (
        lambda peer: (peer.parent / "site" / "splatting.py").unlink(),
        "splatting.*environment of InfiniteNature-Zero is incomplete, see install.sh",
    ),
    "another checkpoint": (
        lambda peer: torch.save({"epoch": 1}, peer / CODE / "checkpoints" / "zero_latest.tar"),
        "does not load .*'global_step'.* NVIDIA GPU",
    ),
    "not finite": (lambda peer: lay_out_again(peer, float("nan")), r"step 1: its model made .* not finite"),
}


@pytest.mark.parametrize("case", DAMAGE)
def test_what_is_broken_is_named(peer: Path, case: str) -> None:
    damage, said = DAMAGE[case]
    damage(peer)
    with pytest.raises(MethodFailure, match=said):
        check(str(peer / f"{NAME}.toml"), height=128, width=128)


def test_cameras_and_disparity_become_theirs() -> None:
    theirs = adapter()
    camera = theirs.pixels([0.5, 1.0, 0.5, 0.25])[0].numpy()
    assert camera.tolist() == [[64, 0, 63.5], [0, 128, 31.5], [0, 0, 1]]
    disparity = np.full((128, 128), 0.4, np.float32)
    disparity[:40] = 0
    assert theirs.disparity_factor(disparity) == pytest.approx(2)
    assert theirs.disparity_factor(np.zeros((128, 128))) == 1
    here = np.concatenate([np.eye(3), [[0.0], [0.0], [0.0]]], 1)
    there = here.copy()
    there[:, 3] = [0.2, 0.0, -0.4]  # the camera moves left and ahead
    rotation, translation = theirs.moved(there, here, 2.0, "cpu")
    assert rotation[0].tolist() == np.eye(3).tolist()
    assert translation[0].tolist() == pytest.approx([0.1, 0, -0.2])
    right = np.array([[0.0, 0, -1, 0], [0, 1, 0, 0], [1, 0, 0, 0]])  # looks along the world's x
    rotation, translation = theirs.moved(there, right, 2.0, "cpu")
    assert rotation[0].tolist() == right[:, :3].T.tolist()
    assert translation[0].tolist() == pytest.approx([0.1, 0, -0.2])


def test_the_start_frames_sky_stays() -> None:
    theirs = adapter()
    start = torch.full((1, 4, 128, 128), 0.5)
    was_sky = torch.zeros(1, 1, 128, 128)
    was_sky[:, :, :64] = 1
    refined = torch.zeros(1, 4, 128, 128)
    refined[:, 3, 32:] = 0.5  # there is land now from row 32 on

    class Model:
        def render_forward_splat(self, src_imgs, src_depths, r_cam, t_cam, k_src, k_dst):  # type: ignore[no-untyped-def]
            assert src_imgs.shape == (1, 128, 128, 4)
            return src_imgs.permute(0, 3, 1, 2), 1 / src_depths[:, None], torch.ones(1, 1, 128, 128)

    seen, disparity = theirs.keep_sky(Model(), refined, start, was_sky, torch.eye(3)[None], torch.eye(3)[None])
    assert seen[0, 0, :29].min() == pytest.approx(0.5)
    assert seen[0, 0, 35:].max() == 0
    assert disparity[0, 0, 10, 10] == pytest.approx(0.5)


def test_its_files_are_for_its_environment() -> None:
    ast.parse((FOLDER / "fly.py").read_text(), feature_version=(3, 8))
    spec = read_spec(FOLDER / f"{NAME}.toml")
    card = tomllib.loads((FOLDER / f"{NAME}.toml").read_text())
    assert spec.name == NAME
    assert "Apache-2.0" in card["code"]
    assert "ECCV 2022" in card["citation"]
    assert card["weights"].split()[0] == adapter().WEIGHTS
    installs = (FOLDER / "install.sh").read_text()
    assert {"./env", CODE, adapter().WEIGHTS} <= set(installs.replace("code=", " ").split())
