"""``ft.evaluate(method, protocol)``: what can be a method, small tries, and results that travel."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import flythrough as ft
from flythrough.errors import InputError
from flythrough.evaluate import library
from flythrough.evaluate.protocols.protocol import load_protocol
from flythrough.evaluate.protocols.smaller import smaller
from flythrough.evaluate.protocols.source import Source
from flythrough.leaderboard.package import open_submission, pack
from flythrough.results.scored import Results
from flythrough.workspace.catalog import Workspace
from tests.clip_factory import make_workspace

SMALL = {"steps": 2, "sfm_flights": 0}


class Still:
    """The start frame, darkened: as an instance it carries by how much."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def setup(self, setting: Any) -> None:
        self.steps = setting.steps

    def generate(self, start_rgbd: np.ndarray, intrinsics: Any, flight: Any, seed: int) -> Iterator[np.ndarray]:
        for _ in range(self.steps):
            flight.next_pose(start_rgbd[3])
            yield np.round(255 * self.factor * start_rgbd[:3].transpose(1, 2, 0)).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_workspace(tmp_path_factory.mktemp("w") / "W", clips=3, frames=16, height=64, width=96).root


@pytest.fixture(scope="module")
def both(folder: Path) -> Results:
    return ft.evaluate([Still, "zoom"], workspace=folder, starts=2, **SMALL)


def value(results: Results, method: str, metric: str, step: int) -> float:
    found = results.table.query("method == @method and metric == @metric and step == @step")
    return float(found.value.iloc[0])


def test_the_tables_say_what_was_measured(both: Results) -> None:
    assert list(both.table.method.unique()) == ["still", "zoom"]
    of_one = both.starts.query("method == 'still' and metric == 'psnr' and step == 5")
    assert len(of_one) == 2
    assert of_one.value.mean() == pytest.approx(value(both, "still", "psnr", 5))
    assert "Scores on workspace-v1-try" in str(both)


def test_a_try_keeps_the_real_frames_and_is_another_protocol(folder: Path, both: Results) -> None:
    (file,) = (folder / "protocols").glob("*.toml")
    tried = load_protocol(str(file))
    assert (len(tried.starts), tried.header.generation.steps) == (2, 2)
    assert {each.protocol.hash for each in both.records.values()} == {tried.hash}
    source = Source(tried, Workspace(folder))
    again = smaller(tried, Workspace(folder), starts=1)
    assert again.hash != tried.hash
    assert Source(again, Workspace(folder)).real_sets() == source.real_sets()
    with pytest.raises(InputError, match="at least one start"):
        smaller(tried, Workspace(folder), starts=0)


def test_saved_results_make_a_site_a_submission_and_a_comparison(both: Results, tmp_path: Path) -> None:
    files = both.save(tmp_path / "scores", frames=True)
    assert [file.relative_to(tmp_path).as_posix() for file in files] == [
        "scores/still/results.json", "scores/zoom/results.json",
    ]  # fmt: skip
    command = [sys.executable, "-m", "flythrough", "leaderboard", "--workspace", str(tmp_path / "scores")]
    subprocess.run(command, check=True, capture_output=True)
    assert "still" in (tmp_path / "scores/leaderboard/index.html").read_text(encoding="utf-8")
    pack(tmp_path / "scores/still", tmp_path / "still.zip")
    assert len(open_submission(tmp_path / "still.zip").flights) == 4
    saved, live = ft.compare(tmp_path / "scores"), ft.compare(both)
    pd.testing.assert_frame_equal(saved.differences, live.differences)
    pd.testing.assert_frame_equal(ft.compare(both.table).ranks, live.ranks)


def test_an_instance_flies_as_it_is_each_time(folder: Path) -> None:
    bright = ft.evaluate(Still(), workspace=folder, starts=1, **SMALL)
    dark = ft.evaluate(Still(0.5), workspace=folder, starts=1, **SMALL)
    assert value(dark, "still", "psnr", 5) < value(bright, "still", "psnr", 5)
    assert dark.records.keys() != bright.records.keys()
    (record,) = dark.records.values()
    assert record.method.model_dump()["entry_point"] == f"{__name__}:Still"


def test_a_class_of_a_function_is_flown_in_this_process(folder: Path) -> None:
    class Local(Still):
        pass

    class Static(Still):
        pass

    assert set(ft.evaluate(Local, workspace=folder, starts=1, **SMALL).table.method) == {"local"}
    with pytest.raises(InputError, match="static is the name of a baseline"):
        ft.evaluate(Static(), workspace=folder, starts=1, **SMALL)


def test_a_script_without_a_guard_is_told_so(folder: Path, tmp_path: Path) -> None:
    lines = Path(__file__).read_text(encoding="utf-8").split("class Still:")[1].split("@pytest")[0]
    script = f"from typing import Any, Iterator\nimport numpy as np\nimport flythrough as ft\nclass Still:{lines}\n"
    script += f"ft.evaluate(Still, workspace={json.dumps(str(folder))}, starts=1, steps=2, sfm_flights=0)\n"
    (tmp_path / "open.py").write_text(script)
    done = subprocess.run([sys.executable, str(tmp_path / "open.py")], capture_output=True, text=True)
    assert "ft.evaluate was called while another process imported this file" in done.stderr
    assert "__main__" in done.stderr


def test_a_sample_protocol_is_filmed_once_into_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flythrough.evaluate.protocols import sample_clips

    filmed = []

    def film(workspace: Workspace, name: str) -> None:
        filmed.append(name)
        make_workspace(workspace.root, clips=1, frames=4, height=64, width=96)

    monkeypatch.setattr(sample_clips, "film_protocol", film)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    opened = [library._workspace(None, "sample-v1") for _ in range(2)]
    assert filmed == ["sample-v1"]
    assert opened[0].root == opened[1].root == tmp_path / "flythrough/protocols/sample-v1"
