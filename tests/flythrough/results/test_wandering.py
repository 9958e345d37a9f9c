"""A method that follows its camera but ends up elsewhere is not ranked above one that keeps to its path."""

from __future__ import annotations

from typing import Any

import pytest

from flythrough.results.metrics import MAX_DEVIATION, wanders
from flythrough.results.ranking import Board, build_boards
from flythrough.results.standings import standings


def rows(method: str, fd: float, deviation: float | None, *, n: int = 60, note: str | None = None) -> list[Any]:
    known = {"protocol": "p-v1", "protocol_hash": "ab", "method": method, "step": None, "low": None, "high": None}
    known |= {"floor": None, "source": "measured", "results_file": None}
    ranked = method != "real"
    return [
        {**known, "metric": "fd_lite0", "value": fd, "n": 60, "ranked": ranked, "note": None},
        {**known, "metric": "follow_sfm_deviation", "value": deviation, "n": n, "ranked": False, "note": note},
    ]


def board(*found: list[Any]) -> Board:
    return build_boards([row for each in found for row in each])[0].boards[0]


def test_the_better_distance_of_a_wanderer_does_not_rank() -> None:
    made = board(rows("wanders", 10, 0.2, note="no path found, counted as the worst of the others: c-000004"),
                 rows("follows", 90, MAX_DEVIATION))  # fmt: skip
    assert [entry.method for entry in made.ranked] == ["follows"]
    (other,) = made.unranked
    assert other.reason is not None
    assert "deviates by 0.20 of its length (at most 0.15)" in other.reason
    assert "c-000004" in other.reason


def test_what_cannot_be_posed_counts_as_wandering_where_recorded_frames_can_be() -> None:
    lost = rows("lost", 10, None, note="structure from motion finds no path in 2 of 2 flights")
    made = board(lost, rows("follows", 90, 0.01), rows("real", 3, 0.001))
    assert [entry.method for entry in made.ranked] == ["follows"]
    assert "finds no path in 2 of 2 flights" in str(made.unranked[0].reason)
    for floor in (rows("real", 3, None), []):
        assert [entry.method for entry in board(lost, rows("follows", 90, 0.01), floor).ranked] == ["lost", "follows"]


def test_where_deviation_was_not_measured_flow_decides() -> None:
    unmeasured = rows("unmeasured", 10, None, n=0)
    assert len(board(unmeasured[:1], rows("follows", 90, 0.01), rows("real", 3, 0.001)).ranked) == 2
    assert len(board(unmeasured, rows("follows", 90, 0.01), rows("real", 3, 0.001)).ranked) == 2


def test_frames_on_the_recorded_path_are_ranked_whatever_the_flights_do() -> None:
    views = [{**row, "metric": "psnr", "step": 5} for method in "ab" for row in rows(method, 20, None)[:1]]
    (found,) = build_boards([*views, *rows("a", 10, 0.2)[1:]])
    assert [len(each.ranked) for each in found.boards] == [2]


def test_the_table_says_the_threshold() -> None:
    lines = "\n".join(standings([*rows("wanders", 10, 0.2), *rows("follows", 90, 0.01)]))
    assert "at most 0.15 path lengths" in lines
    assert "Not ranked: wanders: wanders off its commanded path" in lines


@pytest.mark.parametrize(("deviation", "off"), [(None, False), (0.0, False), (0.15, False), (0.151, True), (5.0, True)])
def test_the_threshold(deviation: float | None, off: bool) -> None:
    assert (wanders(deviation) is not None) == off
