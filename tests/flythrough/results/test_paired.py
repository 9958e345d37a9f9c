"""The paired bootstrap: differences that it finds, ties, and scores that cannot be paired."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit

from flythrough.results.paired import Score, below, difference_interval, pairing_note, quantile, replicates_by_key
from flythrough.results.ranking import build_boards
from flythrough.results.schema import Replicates, Result, Value, rows_of

STARTS = 20


def result(method: str, per_start: np.ndarray, drawn: str | None = "same") -> Result:
    """A result whose fd_lite0 is the mean over starts, with 200 replicates over draws that all methods share."""
    draws = np.random.default_rng(7).multinomial(STARTS, np.full(STARTS, 1 / STARTS), size=200)
    values = draws @ per_start / STARTS
    low, high = np.percentile(values, (2.5, 97.5))
    value = Value(metric="fd_lite0", value=float(per_start.mean()), low=low, high=high, n=STARTS, ranked=True)
    kept = {"fd_lite0": Replicates(drawn=drawn, starts=STARTS, values=tuple(values))} if drawn else {}
    return Result(
        status="scored", protocol={"name": "p-v1", "hash": "ab"}, method={"name": method}, values=(value,),
        replicates=kept,
    )  # fmt: skip


def ranked(*results: Result) -> Any:
    rows = [row for each in results for row in rows_of(each, None)]
    return build_boards(rows, replicates_by_key(results))[0].boards[0]


@pytest.fixture
def hard() -> np.ndarray:
    """Starts of very different difficulty."""
    return np.random.default_rng(0).uniform(10, 100, STARTS)


def test_a_small_steady_difference_is_told_apart_although_the_intervals_overlap(hard: np.ndarray) -> None:
    noise = np.random.default_rng(1).normal(0, 0.3, STARTS)
    a, b = result("a", hard), result("b", hard + 1 + noise)
    assert a.values[0].high > b.values[0].low  # type: ignore[operator]
    board = ranked(b, a)
    assert [(e.method, e.rank, e.tied, e.place) for e in board.ranked] == [
        ("a", (1, 1), (), "1"), ("b", (2, 2), (), "2"),
    ]  # fmt: skip
    assert board.pairing is None


def test_a_difference_that_goes_either_way_is_a_tie(hard: np.ndarray) -> None:
    noise = np.random.default_rng(1).normal(0.2, 3, STARTS)
    board = ranked(result("a", hard), result("b", hard + noise), result("far", hard + 50))
    assert [(e.rank, e.tied, e.place) for e in board.ranked] == [
        ((1, 2), (board.ranked[1].method,), "1–2 tied"), ((1, 2), (board.ranked[0].method,), "1–2 tied"),
        ((3, 3), (), "3"),
    ]  # fmt: skip


def test_other_draws_are_compared_by_intervals_and_named(hard: np.ndarray) -> None:
    board = ranked(result("a", hard), result("c", hard + 0.5), result("b", hard + 1, "other"), result("d", hard, None))
    assert {e.method: e.tied for e in board.ranked}["b"] == ("a", "d", "c")
    assert board.pairing == "Compared by their intervals only, because they have no paired replicates: b, d"


def test_higher_is_better_turns_the_order_round() -> None:
    def of(method: str, value: float) -> dict[str, Any]:
        known = {"protocol": "p", "protocol_hash": "ab", "step": 5, "source": "measured", "floor": None, "note": None}
        return {**known, "method": method, "metric": "psnr", "value": value, "low": value - 1, "high": value + 1,
                "n": 5, "ranked": True}  # fmt: skip

    board = build_boards([of("low", 10), of("high", 20), of("near", 19)])[0].boards[0]
    assert [(e.method, e.rank) for e in board.ranked] == [("high", (1, 2)), ("near", (1, 2)), ("low", (3, 3))]


def test_the_matrix_is_the_interval_of_each_pair() -> None:
    random = np.random.default_rng(2)
    drawn = random.normal(size=(6, 200)) + np.linspace(0, 8, 6)[:, None]
    scores = [Score(float(row.mean()), replicates=Replicates(drawn="x", starts=9, values=tuple(row))) for row in drawn]
    found = below(scores)
    for i, a in enumerate(scores):
        for j, b in enumerate(scores):
            assert found[i, j] == (difference_interval(a, b)[1] < 0)
    assert 0 < found.sum() < 30
    with pytest.raises(ValueError, match="same draws"):
        difference_interval(scores[0], Score(1.0, 0.5, 2.0))


def test_a_value_without_an_interval_is_told_apart_from_none() -> None:
    assert not below([Score(1.0), Score(9.0, 8.0, 10.0), Score(100.0)]).any()
    assert pairing_note({"only": Score(1.0)}) is None


def test_students_t_agrees_with_scipy_and_with_tables() -> None:
    assert quantile(0.975, 2) == pytest.approx(12.706204736, rel=1e-9)
    assert quantile(0.975, 31) == pytest.approx(2.042272456, rel=1e-9)
    assert np.isnan(quantile(0.975, 1))
    for starts in (2, 3, 4, 5, 10, 31, 90, 1000, 50_000):
        for share in (0.05, 0.6, 0.9, 0.975, 0.9995):
            assert quantile(share, starts) == pytest.approx(stdtrit(starts - 1, share), rel=1e-9)
