"""The paired bootstrap: differences that it finds, ties, and scores that cannot be paired."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.special import stdtrit

from flythrough.results.paired import (
    Score,
    below,
    difference_interval,
    difference_spread,
    half_width,
    paired_half_widths,
    pairing_note,
    quantile,
    replicates_by_key,
)
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


def test_half_an_interval_is_students_t_times_the_spread_of_few_starts() -> None:
    """Of the mean of n values whose spread is s, the textbook's interval is t s / sqrt(n)."""
    for starts in (2, 3, 10):
        of_mean = 4 / np.sqrt(starts)
        drawn = of_mean * np.sqrt((starts - 1) / starts)  # what the bootstrap shows of it
        expected = stdtrit(starts - 1, 0.975) * of_mean
        assert half_width(drawn, starts) == pytest.approx(expected, rel=1e-9)
        assert half_width(drawn, starts, 0.8) == pytest.approx(stdtrit(starts - 1, 0.9) * of_mean, rel=1e-9)
    a = Score(7.0, replicates=Replicates(drawn="x", starts=3, values=(1.0, 2.0, 6.0)))
    b = Score(4.0, replicates=Replicates(drawn="x", starts=3, values=(1.0, 0.0, 2.0)))
    assert difference_spread(a, b) == (2.0, 3)  # of 0, 2 and 4
    half = half_width(2.0, 3)
    assert difference_interval(a, b) == pytest.approx((3 - half, 3 + half))
    assert paired_half_widths([a, b]) == pytest.approx(np.array([[0, half], [half, 0]]), abs=1e-6)


def test_only_scores_of_the_same_draws_are_paired() -> None:
    def of(drawn: str) -> Score:
        return Score(1.0, replicates=Replicates(drawn=drawn, starts=3, values=(1.0, 2.0, 6.0)))

    found = paired_half_widths([of("x"), Score(1.0), of("y"), of("x"), of("y")])
    assert np.isfinite(found).tolist() == [
        [True, False, False, True, False], [False, False, False, False, False], [False, False, True, False, True],
        [True, False, False, True, False], [False, False, True, False, True],
    ]  # fmt: skip
    assert of("x").pairs_with(of("x"))
    assert not of("x").pairs_with(of("y"))
    assert not of("x").pairs_with(Score(1.0))
    assert not Score(1.0).pairs_with(of("x"))
    with pytest.raises(ValueError, match="same draws"):
        difference_spread(of("x"), of("y"))


def test_intervals_that_only_touch_are_not_told_apart() -> None:
    assert below([Score(1.0, 0.0, 2.0), Score(3.0, 2.0, 4.0), Score(4.0, 2.1, 5.0)]).tolist() == [
        [False, False, True], [False, False, False], [False, False, False],
    ]  # fmt: skip


def test_replicates_are_found_by_protocol_method_metric_and_step(hard: np.ndarray) -> None:
    one = result("a", hard)
    kept = one.replicates["fd_lite0"]
    of_step = one.model_copy(update={"replicates": {"fd_lite0": kept, "psnr@5": kept}})
    assert list(replicates_by_key([of_step])) == [("ab", "a", "fd_lite0", None), ("ab", "a", "psnr", 5)]


def test_the_note_names_those_outside_the_commonest_draws() -> None:
    def of(drawn: str | None) -> Score:
        return Score(1.0, replicates=(drawn and Replicates(drawn=drawn, starts=3, values=(1.0, 2.0))) or None)

    note = pairing_note({"a": of("x"), "b": of("y"), "c": of("y"), "d": of(None)})
    assert note is not None
    assert note.endswith(": a, d")
    assert pairing_note({"a": of("x"), "b": of("x")}) is None
    assert pairing_note({}) is None
    assert str(pairing_note({"a": of(None), "b": of(None)})).endswith(": a, b")


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
