"""The results table that a run ends with."""

from __future__ import annotations

from typing import Any

from flythrough.results.standings import standings


def row(method: str, metric: str, value: float | None, **more: Any) -> dict[str, Any]:
    known: dict[str, Any] = {"protocol": "p-v1", "protocol_hash": "ab", "step": None, "low": None, "high": None}
    known |= {"ranked": True, "n": 90, "floor": None}
    return {**known, "note": None, "source": "measured", "method": method, "metric": metric, "value": value, **more}


def test_best_first_then_the_unranked_with_their_reason_then_the_floor() -> None:
    rows = [
        row("real", "fd_lite0", 3.0, ranked=False),
        row("static", "fd_lite0", 9.0, ranked=False, note="does not follow"),
        row("worse", "fd_lite0", 30.0, low=28.0, high=33.0),
        row("broken", "fd_lite0", None, ranked=False, note="failed: crashed"),
        row("better", "fd_lite0", 20.0, low=19.0, high=21.0),
        row("better", "kd_lite0", 0.5),
        row("better", "psnr", 20.0, step=5),
        row("paper", "fd_lite0", 1.0, source="reported: x"),
    ]
    title, head, *lines = standings(rows)
    assert title == "Scores on p-v1, best first by fd_lite0 (lower is better, 95 % interval, N = 90)"
    assert head.split() == ["rank", "method", "fd_lite0", "kd_lite0"]
    assert [line.split()[:2] for line in lines[:2]] == [["1", "better"], ["2", "worse"]]
    assert [line.split()[0] for line in lines[2:5]] == ["static", "broken", "real"]
    assert "30 [28, 33]" in lines[1]
    assert "intervals only" in lines[5]  # these rows carry no replicates
    assert lines[6:8] == ["Not ranked: static: does not follow", "Not ranked: broken: failed: crashed"]


def test_inception_ranks_where_it_was_measured_and_protocols_are_apart() -> None:
    rows = [row("a", "fid", 1.0), row("a", "fd_lite0", 2.0), row("a", "fd_lite0", 2.0, protocol_hash="cd")]
    titles = [line for line in standings(rows) if line.startswith("Scores")]
    assert ["by fid" in title for title in titles] == [True, False]


def test_no_results_no_table() -> None:
    assert list(standings([])) == []
