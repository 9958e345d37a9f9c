"""Boards: which rows make one, by what it ranks, who is on it, in which order, and why others are not."""

from __future__ import annotations

from typing import Any

import pytest

from flythrough.results.differences import Comparisons
from flythrough.results.metrics import networks
from flythrough.results.paired import Score
from flythrough.results.ranking import Board, Entry, as_json, board, build_boards, primary, rank


def row(method: str, metric: str, value: float | None, **more: Any) -> dict[str, Any]:
    known: dict[str, Any] = {"protocol": "p-v1", "protocol_hash": "ab", "step": None, "low": value, "high": value}
    known |= {"ranked": True, "n": 90, "floor": None, "note": None, "source": "measured"}
    return {**known, "method": method, "metric": metric, "value": value, **more}


def boards(*rows: dict[str, Any]) -> list[Board]:
    (found,) = build_boards(rows)
    return found.boards


def ranked(made: Board) -> list[tuple[str, tuple[int, int] | None, tuple[str, ...]]]:
    return [(entry.method, entry.rank, entry.tied) for entry in made.ranked]


def test_ranks_are_the_places_that_the_comparisons_allow() -> None:
    spans = {"a": (1, 2), "b": (1.5, 4), "c": (3, 5), "d": (6, 7)}
    entries = [(Entry(name, "measured", {}), Score(sum(s) / 2, *s)) for name, s in spans.items()]
    up, down = rank(reversed(entries), False), rank(entries, True)
    assert [(e.method, e.rank, e.tied, e.place) for e in up] == [
        ("a", (1, 2), ("b",), "1–2 tied"), ("b", (1, 3), ("a", "c"), "1–3 tied"), ("c", (2, 3), ("b",), "2–3 tied"),
        ("d", (4, 4), (), "4"),
    ]  # fmt: skip
    assert [(e.method, e.rank) for e in down] == [("d", (1, 1)), ("c", (2, 3)), ("b", (2, 4)), ("a", (3, 4))]
    assert Entry("a", "measured", {}).place == ""
    assert rank([], False) == []


def test_equal_scores_are_in_order_of_name() -> None:
    same = [(Entry(name, "measured", {}), Score(1.0)) for name in "bca"]
    for higher in (False, True):
        assert [entry.method for entry in rank(same, higher)] == ["a", "b", "c"]


def test_each_question_feature_network_and_step_has_a_board() -> None:
    found = boards(
        row("a", "psnr", 20.0, step=10), row("a", "psnr", 30.0, step=5), row("a", "lpips_alex", 0.2, step=5),
        row("a", "fd_lite0", 5.0), row("a", "fid", 7.0), row("a", "follow_gain", 1.0), row("a", "fps", 3.0, step=7),
    )  # fmt: skip
    assert [(each.title.partition(",")[0], each.primary, each.step) for each in found] == [
        ("View generation", "fid", None), ("View generation", "fd_lite0", None),
        ("View synthesis", "lpips_alex", 5), ("View synthesis", "psnr", 10),
    ]  # fmt: skip
    assert [each.columns for each in found[:3]] == [
        ("fid", "follow_gain"),
        ("fd_lite0", "follow_gain"),
        ("lpips_alex", "psnr"),
    ]
    assert [each.higher_is_better for each in found] == [False, False, False, True]
    assert [network in each.title for network, each in zip(networks(), found, strict=False)] == [True, True]


def test_protocols_are_apart_by_name_and_by_hash() -> None:
    rows = [row("a", "fid", 1.0, protocol=name, protocol_hash=hash) for name, hash in ("pq", "pr", "oq", "pq")]
    assert [(each.name, each.hash) for each in build_boards(rows)] == [("p", "q"), ("p", "r"), ("o", "q")]
    with pytest.raises(AssertionError):
        build_boards([row("a", "fid", 1.0, source="reported: x")])


def test_submitted_numbers_open_no_board_where_something_was_measured() -> None:
    measured, submitted = row("a", "fd_lite0", 5.0), row("b", "fid", 1.0, source="submitted")
    assert [each.primary for each in boards(measured, submitted)] == ["fd_lite0"]
    assert [each.primary for each in boards(submitted)] == ["fid"]
    beside = row("c", "psnr", 30.0, step=5, source="submitted")
    assert [each.step for each in boards(measured, beside)] == [None]
    assert [each.step for each in boards(beside)] == [5]


def test_a_board_without_any_value_is_there_with_its_reasons() -> None:
    failed = row("a", "fd_lite0", None, note="crashed", ranked=False)
    (only,) = boards(failed)
    assert (only.columns, only.ranked, only.unranked[0].reason) == (("fd_lite0",), [], "crashed")
    assert [each.primary for each in boards(failed, row("b", "fid", 1.0))] == ["fid"]


def test_the_metric_that_ranks_is_the_first_that_all_have_else_the_last_that_any_has() -> None:
    assert primary([row("a", "lpips_alex", 0.1), row("a", "psnr", 9.0), row("b", "psnr", 8.0)]) == "psnr"
    assert primary([row(m, k, 1.0) for m in "ab" for k in ("psnr", "lpips_alex")]) == "lpips_alex"
    assert primary([row("a", "lpips_alex", 0.1), row("b", "psnr", 8.0), row("a", "lpips_vgg", 1.0)]) == "psnr"
    assert primary([row("a", "ssim", 0.5), row("a", "zebra", 1.0)]) == "ssim"
    assert primary([row("a", "lpips_alex", None), row("a", "psnr", 9.0)]) == "psnr"
    assert primary([row("real", "lpips_alex", 0.1), row("a", "psnr", 9.0), row("b", "psnr", 9.0)]) == "psnr"
    assert primary([]) == "psnr"


def test_the_same_method_measured_and_submitted_has_two_lines_and_recorded_frames_are_the_floor() -> None:
    (made,) = boards(
        row("a", "fid", 5.0, low=4.0, high=6.0), row("a", "fid", 3.0, source="submitted", low=2.0, high=3.5),
        row("real", "fid", 0.5, ranked=False), row("b", "fid", 1.0, ranked=False, note="stands still"),
        row("c", "kid", 1.0), row("d", "fid", None, ranked=False), row("e", "fid", 0.5, ranked=False),
    )  # fmt: skip
    assert [(entry.source, entry.rank) for entry in made.ranked] == [("submitted", (1, 1)), ("measured", (2, 2))]
    assert made.floor is not None
    assert made.floor.method == "real"
    assert [(entry.method, entry.reason) for entry in made.unranked] == [
        ("e", "not ranked by its protocol"), ("b", "stands still"), ("c", "has no fid"), ("d", "no value"),
    ]  # fmt: skip
    cell = made.ranked[1].cells["fid"]
    assert (cell.value, cell.low, cell.high, cell.n, cell.ranked, cell.note) == (5.0, 4.0, 6.0, 90, True, None)


def test_methods_that_are_not_ranked_are_in_order_from_best_to_worst() -> None:
    values = {"a": 20.0, "b": 30.0, "c": None}
    (psnr,) = boards(*(row(m, "psnr", v, step=5, ranked=False) for m, v in values.items()))
    assert [entry.method for entry in psnr.unranked] == ["b", "a", "c"]
    (fid,) = boards(*(row(m, "fid", v, ranked=False) for m, v in values.items()))
    assert [entry.method for entry in fid.unranked] == ["a", "b", "c"]


def test_a_reason_of_its_own_goes_before_wandering_off() -> None:
    far = {"metric": "follow_sfm_deviation", "value": 0.4, "ranked": False}
    (made,) = boards(
        row("a", "fid", 5.0), row("a", "-", 0) | far, row("b", "fid", 4.0, ranked=False, note="stands still"),
        row("b", "-", 0) | far, row("c", "fid", 4.0, ranked=False), row("c", "-", 0) | far,
    )  # fmt: skip
    reasons = {entry.method: str(entry.reason) for entry in made.unranked}
    assert reasons["a"].startswith("wanders off")
    assert reasons["b"] == "stands still"
    assert reasons["c"].startswith("wanders off")


def test_the_pages_data_say_what_the_boards_say() -> None:
    protocols = build_boards([
        row("a", "fid", 1.0, low=0.9, high=1.1), row("b", "fid", 1.05, low=0.9, high=1.2),
        row("c", "fid", None, ranked=False, note="crashed"), row("real", "fid", 0.1, ranked=False),
    ])  # fmt: skip
    found: Any = as_json(protocols, {"paper": 1})
    assert (found["schema_version"], found["reported"]) == (1, {"paper": 1})
    (each,) = found["protocols"]
    (made,) = each["boards"]
    assert (each["name"], each["hash"], made["ranked_by"], made["higher_is_better"]) == ("p-v1", "ab", "fid", False)
    first, second = made["ranked"]
    assert (first["method"], first["best_rank"], first["worst_rank"], first["tied_with"]) == ("a", 1, 2, ["b"])
    assert (second["values"]["fid"]["low"], second["best_rank"]) == (0.9, 1)
    assert "not_ranked_because" not in first
    (other,) = made["not_ranked"]
    assert (other["not_ranked_because"], "best_rank" in other) == ("crashed", False)
    assert made["floor"]["method"] == "real"
    found = as_json(build_boards([row("a", "fid", 1.0)]), {})
    assert found["protocols"][0]["boards"][0]["floor"] is None


def five() -> Comparisons:
    """Five methods, 1 apart; each is tied with those at most 1 away."""
    rows = [row(name, "fid", float(at), low=at - 0.5, high=at + 0.5) for at, name in enumerate("abcde")]
    return Comparisons.of("ab", board("", "fid", ("fid",), rows), {})


def test_neighbours_are_two_above_and_two_below() -> None:
    made = five()
    near = {place: [each.entry.method for each in made.neighbours(place)] for place in range(5)}
    assert near == {0: ["b", "c"], 1: ["a", "c", "d"], 2: ["a", "b", "d", "e"], 3: ["b", "c", "e"], 4: ["c", "d"]}
    other = made.difference(1, 3)
    assert (other.value, other.difference, other.half, other.verdict) == (3.0, -2.0, None, "better")
    assert (made.difference(3, 1).verdict, made.difference(3, 1).difference) == ("worse", 2.0)
    assert made.difference(2, 1).verdict == "tied"
    assert [made.place_of(entry) for entry in made.board.ranked] == [0, 1, 2, 3, 4]
    assert made.place_of(Entry("a", "measured", {})) is None


def test_groups_are_neighbours_that_are_all_tied_with_each_other() -> None:
    assert five().groups() == [("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]
    same = [row(name, "fid", 1.0, low=0.0, high=2.0) for name in "abc"] + [row("z", "fid", 9.0)]
    assert Comparisons.of("ab", board("", "fid", ("fid",), same), {}).groups() == [("a", "b", "c")]
