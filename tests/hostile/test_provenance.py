"""The provenance that a result states is true: its commit, its cameras, its disparity."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from flythrough.sfm.config import DisparityConfig
from flythrough.sfm.disparity.fit import Fit
from flythrough.sfm.disparity.networks import FitRefused, settle
from flythrough.sfm.given import other_lens

ROOT = Path(__file__).parents[2]
ASK = "from flythrough.results.schema import provenance; print(provenance('cpu')['code']['commit'])"


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    return subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("own", [True, False])
def test_the_commit_is_never_that_of_a_repository_around(tmp_path: Path, own: bool) -> None:
    """As with a package that is installed in a virtual environment inside somebody's repository."""
    for file in (ROOT / "flythrough").rglob("*.py"):
        copy = tmp_path / file.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy)
    (tmp_path / "paper.tex").write_text("theirs")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", "." if own else "paper.tex")
    git(tmp_path, "commit", "-qm", "one")
    told = subprocess.run([sys.executable, "-c", ASK], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert told.strip() == (git(tmp_path, "rev-parse", "HEAD") if own else "None")


@pytest.mark.parametrize(
    ("change", "figure", "value"),
    [
        ((0, 0.08 * 16 / 9, 0, 0), "aspect", 1.1),
        ((0, 0, 0.03, 0), "center_x", 0.53),
        ((0, 0, 0, -0.03), "center_y", 0.47),
    ],
)
def test_given_cameras_that_a_clip_cannot_hold_are_told_apart(
    change: tuple[float, ...], figure: str, value: float
) -> None:
    plain = np.tile([0.8, 0.8 * 16 / 9, 0.5, 0.5], (10, 1))
    assert other_lens(plain, 1920, 1080) is None
    found = other_lens(plain + np.array(change), 1920, 1080)
    assert found is not None
    assert found == pytest.approx({"aspect": 1, "center_x": 0.5, "center_y": 0.5, "zoom": 1} | {figure: value})
    zoom = plain * np.linspace(1, 1.1, 10)[:, None] ** [1, 1, 0, 0]
    assert (other_lens(zoom, 1920, 1080) or {})["zoom"] == pytest.approx(1.1)


@pytest.mark.parametrize("max_refused", [0.5, 1.0])
def test_where_every_fit_is_refused_there_is_no_disparity(max_refused: float) -> None:
    fits = [Fit(0.0, 0.0, np.inf)] * 4
    with pytest.raises(FitRefused):
        settle(fits, ["too few points"] * 4, DisparityConfig(max_refused=max_refused))
