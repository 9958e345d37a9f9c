"""The leaderboard: ranks with ties, what is never ranked together, consistent submissions or not, the page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flythrough.errors import InputError
from flythrough.leaderboard.stage import STAGE, LeaderboardConfig
from flythrough.leaderboard.submissions import add_submission
from flythrough.results.ranking import build_boards
from flythrough.results.schema import Result, read_result, write_result
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.files import read_json, write_json
from flythrough.workspace.pipeline import run_stage

HASH = "ab" * 32
STARTS = ("coast-000000", "coast-000040")


def row(
    method: str, metric: str, value: float | None, low: float | None = None, high: float | None = None, **more: Any
):  # type: ignore[no-untyped-def]
    known = {"protocol": "sample-v1", "protocol_hash": HASH, "step": None, "n": 60, "floor": None, "ranked": True}
    known |= {"note": None, "source": "measured", "results_file": None}
    return {**known, "method": method, "metric": metric, "value": value, "low": low, "high": high, **more}


def result(method: str, *, psnr: tuple[float, float], fd: float, follows: bool = True) -> dict[str, Any]:
    """A results file as evaluate writes it."""
    note = None if follows else "does not follow its commanded camera: 2 of 2 flights"
    starts = {
        start: {"psnr@5": value, "follow_correlation": 0.9, "style_lite0": 0.2}
        for start, value in zip(STARTS, psnr, strict=True)
    }
    mean = float(np.mean(psnr))
    values = [
        {"metric": "psnr", "step": 5, "value": mean, "low": min(psnr), "high": max(psnr), "n": 2, "ranked": True},
        {
            "metric": "fd_lite0",
            "value": fd,
            "low": fd - 5,
            "high": fd + 5,
            "n": 60,
            "floor": 12.5,
            "ranked": follows,
            "note": note,
        },
        {"metric": "follow_correlation", "value": 0.9, "low": 0.9, "high": 0.9, "n": 58},
    ]
    return {
        "schema_version": 1,
        "status": "scored",
        "protocol": {"name": "sample-v1", "hash": HASH},
        "method": {"name": method},
        "weights": {"metric:lite0": "cd" * 32},
        "follows_camera": follows,
        "values": values,
        "starts": starts,
        "curves": {"fd_lite0_sw": [[20, fd], [21, fd + 1], [30, fd + 20]]},
    }


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Three methods measured: two that overlap, and one that does not follow its camera."""
    import cv2

    found = Workspace(tmp_path / "w")
    rows = []
    for method, psnr, fd, follows in (("ours", (18.0, 20.0), 100.0, True), ("render-only", (15.0, 15.5), 104.0, True),
                                      ("static", (12.0, 13.0), 30.0, False)):  # fmt: skip
        file = f"evaluate/{method}.0/results.json"
        record = result(method, psnr=psnr, fd=fd, follows=follows)
        write_json(found / file, record)
        common = {"results_file": file, "note": None, "floor": None, "step": None, "ranked": False}
        rows += [
            row(
                method,
                v["metric"],
                v["value"],
                **{**common, **{k: x for k, x in v.items() if k not in ("metric", "value")}},
            )
            for v in record["values"]
        ]
        for start in STARTS:
            folder = found / f"evaluate/{method}.0/frames/generation/{start}"
            folder.mkdir(parents=True)
            for step in range(1, 13):
                image = np.full((48, 64, 3), (40 * step % 256, 90, len(method) * 20), np.uint8)
                cv2.imwrite(str(folder / f"{step:06d}.png"), image)
    found.write("results", rows)
    return found


def publish(workspace: Workspace) -> str:
    report = run_stage(STAGE, workspace, LeaderboardConfig(), InlineExecutor())
    assert not report.errors
    return (workspace / "leaderboard" / "index.html").read_text()


def test_overlapping_intervals_share_their_ranks() -> None:
    rows = [row("a", "fd_lite0", 10, 9, 11), row("b", "fd_lite0", 12, 10.5, 13), row("c", "fd_lite0", 20, 18, 22)]
    board = build_boards(rows)[0].boards[0]
    assert [(e.method, e.rank) for e in board.ranked] == [("a", (1, 2)), ("b", (1, 2)), ("c", (3, 3))]


def test_a_chain_of_overlaps_is_no_single_tie() -> None:
    """a overlaps b, b overlaps c, but a is surely better than c."""
    rows = [row("a", "fd_lite0", 10, 9, 12), row("b", "fd_lite0", 13, 11, 15), row("c", "fd_lite0", 16, 14, 18)]
    board = build_boards(rows)[0].boards[0]
    assert [e.rank for e in board.ranked] == [(1, 2), (1, 3), (2, 3)]


def test_more_is_better_for_psnr_and_less_for_distances() -> None:
    rows = [row("low", "psnr", 10, step=5), row("high", "psnr", 20, step=5)]
    rows += [row("low", "fd_lite0", 10), row("high", "fd_lite0", 20)]
    generation, view = build_boards(rows)[0].boards
    assert [e.method for e in generation.ranked] == ["low", "high"]
    assert [e.method for e in view.ranked] == ["high", "low"]


def test_inception_and_lite0_are_never_on_one_board() -> None:
    rows = [row("theirs", "fid", 32.4), row("ours", "fd_lite0", 1.0)]
    boards = build_boards(rows)[0].boards
    assert [[e.method for e in board.ranked] for board in boards] == [["theirs"], ["ours"]]
    assert "fid" not in boards[1].columns
    assert boards[0].unranked[0].reason == "has no fid"


def test_protocols_of_one_name_but_another_hash_are_apart() -> None:
    rows = [row("a", "psnr", 10, step=5), row("b", "psnr", 11, step=5, protocol_hash="cd" * 32)]
    assert [len(p.boards[0].ranked) for p in build_boards(rows)] == [1, 1]


def test_real_is_a_floor_and_failures_say_why() -> None:
    rows = [row("real", "fd_lite0", 3.0, ranked=False), row("a", "fd_lite0", 9.0)]
    rows.append(row("b", "fd_lite0", None, ranked=False, note="failed: made 99 of 100 frames"))
    board = build_boards(rows)[0].boards[0]
    assert board.floor is not None
    assert [e.method for e in board.ranked] == ["a"]
    assert board.unranked[0].reason == "failed: made 99 of 100 frames"


def test_reported_values_do_not_pass_as_measured() -> None:
    with pytest.raises(AssertionError, match="table of their own"):
        build_boards([row("paper", "fid", 32.4, source="reported: arXiv")])


def test_page_and_data(workspace: Workspace) -> None:
    page = publish(workspace)
    data = read_json(workspace / "leaderboard" / "leaderboard.json")
    board = data["protocols"][0]["boards"][0]
    assert board["ranked_by"] == "fd_lite0"
    assert [(e["method"], e["best_rank"], e["worst_rank"]) for e in board["ranked"]] == [
        ("ours", 1, 2),
        ("render-only", 1, 2),
    ]
    assert "does not follow" in board["not_ranked"][0]["not_ranked_because"]
    assert board["not_ranked"][0]["method"] == "static"  # although its distance is by far the smallest
    assert HASH in page
    assert "not to be compared" in page
    assert page.count("data:video/mp4;base64,") == 2
    assert not re.search(r"(src|href)=.?https?:", page)  # self-contained


def test_frames_of_a_failed_method_are_not_shown(workspace: Workspace) -> None:
    import cv2

    file = workspace / "evaluate/render-only.0/results.json"
    write_json(file, read_json(file) | {"status": "failed", "failure": "wrong size"})
    for frame in (file.parent / "frames").rglob("*.png"):
        cv2.imwrite(str(frame), np.zeros((8, 64, 3), np.uint8))
    page = publish(workspace)
    assert "render-only, step" not in page
    assert "ours, step" in page


def test_nothing_changes_when_nothing_changed(workspace: Workspace) -> None:
    first = publish(workspace)
    report = run_stage(STAGE, workspace, LeaderboardConfig(), InlineExecutor())
    assert report.ran == 0
    assert (workspace / "leaderboard" / "index.html").read_text() == first


def test_a_method_name_cannot_carry_markup(workspace: Workspace, tmp_path: Path) -> None:
    hostile = "<script>alert(1)</script>"
    for name in (hostile, "../../elsewhere", "real", "A b"):
        write_json(tmp_path / "r.json", result(name, psnr=(21.0, 22.0), fd=80.0))
        with pytest.raises(InputError, match=r"cannot be a (method's )?name"):
            add_submission(workspace, tmp_path / "r.json")
    write_json(workspace / "leaderboard/submissions/smuggled.json", result(hostile, psnr=(21.0, 22.0), fd=80.0))
    page = publish(workspace)
    assert "alert(1)" not in page
    assert "ours" in page


def test_a_submission_is_shown_and_not_ranked(workspace: Workspace, tmp_path: Path) -> None:
    write_json(tmp_path / "r.json", result("theirs", psnr=(25.0, 26.0), fd=50.0))
    add_submission(workspace, tmp_path / "r.json")
    page = publish(workspace)
    board = read_json(workspace / "leaderboard" / "leaderboard.json")["protocols"][0]["boards"][0]
    assert [e["method"] for e in board["ranked"]] == ["ours", "render-only"]
    theirs = next(e for e in board["not_ranked"] if e["method"] == "theirs")
    assert theirs["source"] == "submitted"
    assert theirs["not_ranked_because"] == "submitted: not scored here"
    assert theirs["values"]["fd_lite0"]["value"] == 50.0
    assert "submitted" in page


def change_mean(record: dict[str, Any]) -> None:
    record["values"][0]["value"] += 1


def drop_start(record: dict[str, Any]) -> None:
    del record["starts"][STARTS[1]]


def other_protocol(record: dict[str, Any]) -> None:
    record["protocol"]["hash"] = "ef" * 32


def other_floor(record: dict[str, Any]) -> None:
    record["values"][1]["floor"] = 5.0


def other_weights(record: dict[str, Any]) -> None:
    record["weights"]["metric:lite0"] = "00" * 32


def measured_name(record: dict[str, Any]) -> None:
    record["method"]["name"] = "ours"


def foreign_start(record: dict[str, Any]) -> None:
    record["starts"]["elsewhere-000000"] = {"psnr@5": 25.5, "follow_correlation": 0.9}


def unmeasured_following(record: dict[str, Any]) -> None:
    for values in record["starts"].values():
        del values["follow_correlation"]


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        (change_mean, "raw values mean 25.5"),
        (drop_start, f"lacks .*{STARTS[1]}"),
        (other_protocol, "is not the one measured here"),
        (other_floor, "floor of fd_lite0 is 5, ours 12.5"),
        (other_weights, "weights for lite0"),
        (measured_name, "was measured here"),
        (foreign_start, "elsewhere-000000 is not in the protocol"),
        (unmeasured_following, "without measuring it"),
    ],
)
def test_submissions_that_do_not_hold_together(workspace: Workspace, tmp_path: Path, tamper, says: str) -> None:  # type: ignore[no-untyped-def]
    record = result("theirs", psnr=(25.0, 26.0), fd=50.0)
    tamper(record)
    write_json(tmp_path / "r.json", record)
    with pytest.raises(InputError, match=says):
        add_submission(workspace, tmp_path / "r.json")
    assert not list((workspace / "leaderboard").glob("submissions/*"))


def test_who_does_not_follow_is_not_ranked_whatever_the_file_says(workspace: Workspace, tmp_path: Path) -> None:
    record = result("theirs", psnr=(25.0, 26.0), fd=1.0, follows=False)
    for value in record["values"]:
        value["ranked"] = True
    write_json(tmp_path / "r.json", record)
    add_submission(workspace, tmp_path / "r.json")
    publish(workspace)
    boards = read_json(workspace / "leaderboard" / "leaderboard.json")["protocols"][0]["boards"]
    assert "theirs" in [e["method"] for e in boards[0]["not_ranked"]]
    assert "theirs" not in [e["method"] for board in boards for e in board["ranked"]]


def test_a_second_submission_of_a_name_needs_a_word(workspace: Workspace, tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", result("theirs", psnr=(25.0, 26.0), fd=50.0))
    write_json(tmp_path / "b.json", result("theirs", psnr=(25.0, 27.0), fd=50.0))
    add_submission(workspace, tmp_path / "a.json")
    with pytest.raises(InputError, match="listed already"):
        add_submission(workspace, tmp_path / "b.json")
    kept = add_submission(workspace, tmp_path / "b.json", replace=True)
    assert read_result(kept).values[0].value == 26.0


def test_what_is_no_results_file(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_text("no json")
    with pytest.raises(InputError, match="cannot be read"):
        add_submission(workspace, tmp_path / "r.json")
    (tmp_path / "r.json").write_text(json.dumps({"schema_version": 2}))
    with pytest.raises(InputError, match="schema_version"):
        add_submission(workspace, tmp_path / "r.json")


def test_no_results_no_page(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no results"):
        run_stage(STAGE, Workspace(tmp_path), LeaderboardConfig(), InlineExecutor())
    assert not (tmp_path / "leaderboard" / "index.html").exists()


def test_reads_what_evaluate_writes(tmp_path: Path) -> None:
    record = result("ours", psnr=(18.0, 20.0), fd=100.0)
    written = Result.model_validate(record)
    write_result(written, tmp_path / "r.json")
    assert read_result(tmp_path / "r.json").values[1].floor == 12.5
