"""A name's numbers are those measured here, whatever was submitted before or after."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from flythrough.leaderboard.config import LeaderboardConfig
from flythrough.leaderboard.site.page import leaderboard_page
from flythrough.leaderboard.standing.gather import gather
from flythrough.leaderboard.store import FOLDER
from flythrough.results.ranking import Board, Entry
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_json

HASH = "ab" * 32


def record(name: str, fd: float, **more: Any) -> dict[str, Any]:
    """A results file of a distance and a measure of each step 5 frame."""
    values = [
        {"metric": "fd_lite0", "value": fd, "low": fd - 1, "high": fd + 1, "n": 60, "floor": 9.0, "ranked": True},
        {"metric": "psnr", "step": 5, "value": 20.0, "low": 19.0, "high": 21.0, "n": 2, "ranked": True},
    ]
    known = {"status": "scored", "protocol": {"name": "p-v1", "hash": HASH}, "method": {"name": name}}
    known |= {"follows_camera": True, "curves": {"fd_lite0_sw": [[20, fd], [30, fd]]}}
    return {**known, "values": values, **more}


def measure(workspace: Workspace, method: str, fd: float, folder: str = "evaluate", **more: Any) -> None:
    """Write results as evaluate does."""
    file = f"{folder}/{method}/results.json"
    write_json(workspace / file, record(method, fd))
    common = {"protocol": "p-v1", "protocol_hash": HASH, "method": method, "source": "measured", "results_file": file}
    rows = [{**value, **common, **more} for value in record(method, fd)["values"]]
    workspace.write("results", [*workspace.rows("results"), *rows])


def hand_in(workspace: Workspace, claim: dict[str, Any]) -> None:
    """Put a file into the store of submissions, without any check."""
    write_json(workspace / FOLDER / f"{claim['method']['name']}.{len(claim['values'])}.json", claim)


def boards(workspace: Workspace) -> list[Board]:
    return gather(workspace).protocols[0].boards


def entries(board: Board, method: str) -> dict[str, Entry]:
    return {e.source: e for e in (*board.ranked, *board.unranked) if e.method == method}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path)
    measure(found, "ours", 50.0)
    return found


@pytest.mark.parametrize("order", ["submitted first", "measured first"])
def test_a_name_both_submitted_and_measured_shows_the_measured_numbers(workspace: Workspace, order: str) -> None:
    if order == "submitted first":
        hand_in(workspace, record("theirs", 1.0))
    measure(workspace, "theirs", 80.0)
    if order == "measured first":
        hand_in(workspace, record("theirs", 1.0))
    board = boards(workspace)[0]
    assert [(e.method, e.cells["fd_lite0"].value) for e in board.ranked] == [("ours", 50.0), ("theirs", 80.0)]
    found = entries(board, "theirs")
    assert {tier: e.cells["fd_lite0"].value for tier, e in found.items()} == {"regenerated": 80.0, "submitted": 1.0}
    curves = {r.method.name: r.curves["fd_lite0_sw"][0][1] for r in gather(workspace).results[HASH]}
    assert curves["theirs"] == 80.0


@pytest.mark.parametrize("says", ["measured", "regenerated", "rescored"])
def test_a_submission_cannot_say_that_it_was_measured(workspace: Workspace, says: str) -> None:
    method = {"name": "forged", "tier": says, "source": says, "handed_in": True}
    hand_in(workspace, record("forged", 0.1, method=method))
    board = boards(workspace)[0]
    assert [e.method for e in board.ranked] == ["ours"]
    assert set(entries(board, "forged")) == {"submitted"}


def test_frames_handed_in_and_scored_here_are_rescored(workspace: Workspace) -> None:
    measure(workspace, "frames", 60.0, folder="evaluate/handed_in")
    assert {e.method: e.source for e in boards(workspace)[0].ranked} == {"ours": "regenerated", "frames": "rescored"}


def test_a_submission_makes_no_board_and_picks_no_metric(workspace: Workspace) -> None:
    before = [(b.title, b.primary) for b in boards(workspace)]
    wild = [{"metric": "psnr", "step": step, "value": 99.0, "ranked": True} for step in range(1, 200)]
    wild += [{"metric": "lpips_alex", "step": 5, "value": 0.0, "ranked": True}, {"metric": "fid", "value": 0.0}]
    hand_in(workspace, record("wild", 0.1, values=wild))
    assert [(b.title, b.primary) for b in boards(workspace)] == before


def test_a_submission_moves_no_axis_and_adds_no_curve(workspace: Workspace) -> None:
    def plots() -> list[str]:
        page = leaderboard_page(gather(workspace), LeaderboardConfig())
        return re.findall(r"<svg .*?</svg>", page, re.DOTALL)

    before = plots()
    assert any("fd_lite0_sw" in plot for plot in before)
    hand_in(workspace, record("wild", 0.1, curves={"fd_lite0_sw": [[0, 1e29], [10**9, -1e29]], "more": [[1, 2.0]]}))
    assert "wild" in leaderboard_page(gather(workspace), LeaderboardConfig())
    assert plots() == before


def test_a_submissions_notes_and_protocol_change_nothing_that_the_page_says_of_the_protocol(tmp_path: Path) -> None:
    def said(workspace: Workspace) -> str:
        (line,) = re.findall(r'<p class="note hash">.*?</p>', leaderboard_page(gather(workspace), LeaderboardConfig()))
        return str(line)

    workspace = Workspace(tmp_path)
    measure(workspace, "ours", 50.0, note="not held out: starts come from clips that may be trained on")
    before = said(workspace)
    assert "Its starts are not held out" in before
    protocol = {
        "name": "p-v1",
        "hash": HASH,
        "held_out": True,
        "steps": 10**6,
        "flights": 10**6,
        "width": 9,
        "height": 9,
    }
    hand_in(workspace, record("wild", 0.1, protocol=protocol))
    assert "wild" in leaderboard_page(gather(workspace), LeaderboardConfig())
    assert said(workspace) == before
