"""Submissions that leave out what they could be checked by: weights, floors, starts; and names that are paths."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flythrough.errors import InputError
from flythrough.leaderboard.standing.gather import gather
from flythrough.leaderboard.store import FOLDER
from flythrough.leaderboard.submissions import add_submission
from flythrough.leaderboard.tiers import LOOSE, NOT_SCORED_HERE
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_json

HASH = "ab" * 32
STARTS = ("c-000000", "c-000004")
PSNR = (20.0, 22.0)


def record(name: str) -> dict[str, Any]:
    """A consistent results file."""
    values = [
        {"metric": "fd_lite0", "value": 90.0, "low": 89.0, "high": 91.0, "n": 60, "floor": 9.0, "ranked": True},
        {"metric": "psnr", "step": 5, "value": 21.0, "low": 19.0, "high": 23.0, "n": 2, "ranked": True},
    ]
    starts = {id: {"psnr@5": psnr, "follow_correlation": 0.9} for id, psnr in zip(STARTS, PSNR, strict=True)}
    known = {"status": "scored", "protocol": {"name": "p-v1", "hash": HASH}, "method": {"name": name}}
    return {**known, "weights": {"metric:lite0": "cd" * 32}, "follows_camera": True, "values": values, "starts": starts}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    found = Workspace(tmp_path / "w")
    file = "evaluate/ours.0/results.json"
    write_json(found / file, record("ours"))
    common = {"protocol": "p-v1", "protocol_hash": HASH, "method": "ours", "source": "measured", "results_file": file}
    found.write("results", [{**value, **common} for value in record("ours")["values"]])
    return found


def hand_in(workspace: Workspace, claim: dict[str, Any]) -> Path:
    file = workspace.root.parent / "theirs.json"
    file.write_text(json.dumps(claim), encoding="utf-8")
    return add_submission(workspace, file)


def test_one_that_holds_together_is_kept(workspace: Workspace) -> None:
    assert hand_in(workspace, record("theirs")).parent == workspace / FOLDER


def no_floor(claim: dict[str, Any]) -> None:
    del claim["values"][0]["floor"]


def no_psnr(claim: dict[str, Any]) -> None:
    del claim["values"][1]
    claim.update(starts={}, follows_camera=None)


LEFT_OUT = {
    "weights": (lambda claim: claim.pop("weights"), "does not say what its weights for lite0 are"),
    "floors": (no_floor, "has no floor of fd_lite0"),
    "starts": (lambda claim: claim.pop("starts"), "no raw values of the protocol's starts"),
    "starts and all that rests on them": (no_psnr, "no raw values of the protocol's starts"),
    "one start": (lambda claim: claim["starts"].pop(STARTS[1]), "it lacks psnr@5 of c-000004"),
    "a camera": (lambda claim: [s.pop("follow_correlation") for s in claim["starts"].values()], "without measuring"),
}


@pytest.mark.parametrize("what", LEFT_OUT)
def test_what_it_could_be_checked_by_cannot_be_left_out(workspace: Workspace, what: str) -> None:
    leave_out, says = LEFT_OUT[what]
    claim = record("theirs")
    leave_out(claim)
    with pytest.raises(InputError, match=says):
        hand_in(workspace, claim)
    assert not (workspace / FOLDER).exists()


def loose(name: str) -> dict[str, Any]:
    """Distances of a video's frames, which belong to no start."""
    claim = record(name) | {"starts": {}, "follows_camera": None, "frames_sha256": {"frames": "12" * 32}}
    return claim | {"values": [claim["values"][0] | {"ranked": False}]}


def test_a_videos_frames_may_be_handed_in_and_are_never_ranked(workspace: Workspace) -> None:
    hand_in(workspace, loose("film"))
    held = gather(workspace)
    lines = [line for board in held.protocols[0].boards for line in board.unranked if line.method == "film"]
    assert [line.reason for line in lines] == [f"{NOT_SCORED_HERE}; {LOOSE}"]
    assert [line.cells["fd_lite0"].value for line in lines] == [90.0]
    assert "film" not in [line.method for board in held.protocols[0].boards for line in board.ranked]


FROM_NO_START: dict[str, tuple[dict[str, Any], str]] = {
    "a value of starts": ({"values": record("film")["values"]}, "no raw values of the protocol's starts"),
    "a followed camera": ({"follows_camera": True}, "no raw values of the protocol's starts"),
    "two sets": ({"frames_sha256": {"a": "12" * 32, "b": "34" * 32}}, "no raw values of the protocol's starts"),
    "a flight's name": (
        {"frames_sha256": {"generation/c-000000": "12" * 32}},
        "no raw values of the protocol's starts",
    ),
    "no hash": ({"frames_sha256": {}}, "no raw values of the protocol's starts"),
    "other weights": ({"weights": {"metric:lite0": "00" * 32}}, "weights for lite0 are not ours"),
    "no weights": ({"weights": {}}, "does not say what its weights"),
}


@pytest.mark.parametrize("what", FROM_NO_START)
def test_a_videos_frames_can_claim_nothing_else(workspace: Workspace, what: str) -> None:
    change, says = FROM_NO_START[what]
    with pytest.raises(InputError, match=says):
        hand_in(workspace, loose("film") | change)
    assert not (workspace / FOLDER).exists()


def test_a_listed_video_asks_nothing_of_other_submissions(workspace: Workspace) -> None:
    hand_in(workspace, loose("film"))
    assert hand_in(workspace, record("theirs")).parent == workspace / FOLDER


@pytest.mark.parametrize("flights_too", [False, True])
def test_kernel_floors_are_compared_between_sets_of_one_size(workspace: Workspace, flights_too: bool) -> None:
    """A video's set is larger than the flights', and so are the subsets that its floor is of."""
    kernel = {"metric": "kd_lite0", "value": 0.2, "low": 0.1, "high": 0.3, "n": 60, "floor": 0.02, "ranked": True}
    film = loose("film")
    film["values"] += [kernel | {"n": 300, "floor": 0.01, "ranked": False}]
    write_json(workspace / "evaluate/film.0/results.json", film)
    rows = workspace.rows("results")
    common = {"protocol": "p-v1", "protocol_hash": HASH, "method": "film", "source": "measured"}
    rows += [{**each, **common, "results_file": "evaluate/film.0/results.json"} for each in film["values"]]
    if flights_too:
        ours = record("ours")
        ours["values"] += [kernel | {"floor": 0.03}]
        write_json(workspace / "evaluate/ours.0/results.json", ours)
    workspace.write("results", rows)
    claim = record("theirs")
    claim["values"] += [kernel]
    if flights_too:
        with pytest.raises(InputError, match=r"its floor of kd_lite0 is 0\.02, ours 0\.03"):
            hand_in(workspace, claim)
    else:
        assert hand_in(workspace, claim).parent == workspace / FOLDER


def test_a_video_that_another_handed_in_is_refused(workspace: Workspace) -> None:
    hand_in(workspace, loose("film"))
    with pytest.raises(InputError, match="are those of film"):
        hand_in(workspace, loose("movie"))


@pytest.mark.parametrize("name", ["../../escaped", "/tmp/escaped", "..", ".hidden", "a/b", "a\\b", "a\nb", "x" * 300])
def test_a_submission_cannot_name_a_path(workspace: Workspace, name: str) -> None:
    with pytest.raises(InputError, match="cannot be a name"):
        hand_in(workspace, record(name))
    assert not (workspace / FOLDER).exists()
