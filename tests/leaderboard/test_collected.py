"""A page from results files alone, such as those copied from where evaluate ran."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from flythrough.cli import app as command_line
from flythrough.errors import InputError
from flythrough.leaderboard.config import LeaderboardConfig
from flythrough.leaderboard.stage import STAGE
from flythrough.leaderboard.standing.holdings import holdings
from flythrough.results.collected import result_rows
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.files import read_json, write_json
from flythrough.workspace.pipeline import run_stage
from tests.leaderboard.test_leaderboard import result


def ours(name: str, **more: Any) -> dict[str, Any]:
    return result(name, psnr=(18.0, 20.0), fd=100.0) | more


def page(folder: Path) -> str:
    """By the command's own way in."""
    command_line._run(folder, None, (), "inline", None, None, False, False, only="leaderboard")
    return (folder / "leaderboard" / "index.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("place", ["{}", "evaluate/{}.0a1b", "copied/{}"])
def test_results_files_alone_make_the_page(tmp_path: Path, place: str) -> None:
    for method in ("ours", "theirs"):
        write_json(tmp_path / "w" / place.format(method) / "results.json", ours(method))
    found = page(tmp_path / "w")
    assert ">ours<" in found
    assert ">theirs<" in found
    write_json(tmp_path / "w" / place.format("third") / "results.json", ours("third"))
    assert ">third<" in page(tmp_path / "w")  # no table was written that would now be out of date
    assert not Workspace(tmp_path / "w").has("results")


def test_one_file_is_enough(tmp_path: Path) -> None:
    write_json(tmp_path / "results.json", ours("ours"))
    assert ">ours<" in page(tmp_path)


def test_the_page_is_that_of_the_workspace(tmp_path: Path) -> None:
    """The same results, with and without the table."""
    whole = Workspace(tmp_path / "whole")
    for method in ("ours", "theirs"):
        write_json(whole / f"evaluate/{method}.0/results.json", ours(method))
    bare = Workspace(shutil.copytree(whole.root, tmp_path / "bare"))
    whole.write("results", result_rows(whole))
    for workspace in (whole, bare):
        assert not run_stage(STAGE, workspace, LeaderboardConfig(), InlineExecutor()).errors
    first, second = (read_json(each / "leaderboard" / "leaderboard.json") for each in (whole, bare))
    assert first == second


def test_a_table_has_precedence_over_files_beside_it(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_json(workspace / "evaluate/ours.0/results.json", ours("ours"))
    workspace.write("results", result_rows(workspace))
    write_json(workspace / "evaluate/ours.1/results.json", ours("ours", follow_note="of an earlier run"))
    assert ">ours<" in page(tmp_path)


def test_tiers_are_told_from_the_file(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    write_json(workspace / "a/results.json", ours("made"))
    write_json(workspace / "b/results.json", ours("frames", method={"name": "frames", "handed_in": True}))
    assert {each.method: each.tier for each in holdings(workspace)} == {"made": "regenerated", "frames": "rescored"}


def test_damaged_and_foreign_files_are_named(tmp_path: Path) -> None:
    write_json(tmp_path / "good/results.json", ours("ours"))
    (tmp_path / "cut").mkdir()
    (tmp_path / "cut/results.json").write_text('{"schema_version": 1, "status": "sco')
    write_json(tmp_path / "foreign/results.json", {"accuracy": 0.9})
    with pytest.raises(InputError, match=r"cut/results.json.*; .*foreign/results.json") as caught:
        page(tmp_path)
    assert "move those of other programs away" in caught.value.remedy
    assert not (tmp_path / "leaderboard" / "index.html").exists()


def test_two_results_of_one_method_are_an_error_and_copies_are_not(tmp_path: Path) -> None:
    for place in ("a", "b"):
        write_json(tmp_path / place / "results.json", ours("ours"))
    assert page(tmp_path).count(">ours<") >= 1
    assert len(holdings(Workspace(tmp_path))) == 1
    write_json(tmp_path / "b/results.json", ours("ours", follow_note="another run"))
    with pytest.raises(InputError, match=r"a/results.json and .*b/results.json are both of ours on sample-v1"):
        page(tmp_path)


def test_a_folder_without_results_is_refused_and_stays_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "leaderboard").mkdir()
    write_json(tmp_path / "leaderboard/results.json", ours("ours"))
    write_json(tmp_path / ".hidden/results.json", ours("ours"))
    with pytest.raises(InputError, match="is not a workspace"):
        page(tmp_path)
    assert not (tmp_path / "flythrough.toml").exists()
