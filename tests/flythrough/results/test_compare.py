"""``ft.compare``: the leaderboard's ranks, differences and groups as data frames, from tables, folders and files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import flythrough as ft
from flythrough.errors import InputError
from flythrough.results.collected import result_rows
from flythrough.results.paired import Score, difference_interval
from flythrough.results.schema import Result, write_result
from flythrough.workspace.catalog import Workspace
from tests.flythrough.results.test_paired import STARTS, result

HARD = np.random.default_rng(0).uniform(10, 100, STARTS)
NOISE = np.random.default_rng(1).normal(0, 3, (2, STARTS))
A, NEAR, FAR = result("a", HARD), result("near", HARD + NOISE[0]), result("far", HARD + 50 + NOISE[1])


def folder(root: Path, *results: Result) -> Path:
    """A workspace with the results as evaluate leaves them."""
    workspace = Workspace(root)
    for each in results:
        write_result(each, root / "evaluate" / f"{each.method.name}.0" / "results.json")
    workspace.write("results", result_rows(workspace))
    return root


def test_differences_have_the_rankers_intervals_and_ties(tmp_path: Path) -> None:
    compared = ft.compare(folder(tmp_path, A, NEAR, FAR))
    ranks = compared.ranks.set_index("method")
    assert set(compared.ranks.metric) == {"fd_lite0"}
    assert list(ranks.index)[-1] == "far"
    assert ranks.loc["far", ["best_rank", "worst_rank", "tied_with"]].tolist() == [3, 3, ()]
    assert ranks.loc["a", ["best_rank", "worst_rank", "tied_with"]].tolist() == [1, 2, ("near",)]
    assert len(compared.differences) == 3
    assert set(map(frozenset, compared.groups.methods)) == {frozenset({"a", "near"})}
    row = compared.differences.query("method == 'a' and other == 'far'").iloc[0]
    scores = [Score(e.values[0].value or 0, None, None, e.replicates["fd_lite0"]) for e in (A, FAR)]
    assert (row.low, row.high) == pytest.approx(difference_interval(*scores))
    assert (row.paired, row.verdict) == (True, "better")
    assert row.low < row.difference < row.high < 0


def test_tables_folders_and_files_are_the_same_source(tmp_path: Path) -> None:
    root = folder(tmp_path / "w", A, NEAR, FAR)
    files = sorted(root.glob("evaluate/*/results.json"))
    (root / "copied").mkdir()
    whole = ft.compare(root).differences
    table = ft.open(root).results
    for source in (str(root), table, table[table.metric == "fd_lite0"], files, [files[0], root], root / "evaluate"):
        pd.testing.assert_frame_equal(ft.compare(source).differences, whole)
    few = ft.compare(table[table.method != "near"])
    assert list(few.differences.other) == ["far"]
    assert few.groups.empty


def test_workspaces_of_one_protocol_are_compared_together(tmp_path: Path) -> None:
    both = ft.compare([folder(tmp_path / "one", A), folder(tmp_path / "two", FAR)])
    assert both.differences[["method", "other", "verdict"]].values.tolist() == [["a", "far", "better"]]


def test_without_common_draws_there_is_no_interval(tmp_path: Path) -> None:
    compared = ft.compare(folder(tmp_path, A, result("other", HARD + 500, drawn=None)))
    (row,) = compared.differences.itertuples()
    assert (row.paired, row.verdict) == (False, "better")
    assert np.isnan([row.low, row.high]).all()


def test_ties_that_are_not_transitive_are_two_groups(tmp_path: Path) -> None:
    either_way = 1 + 2 * (NOISE[0] - NOISE[0].mean())
    three = result("low", HARD), result("middle", HARD + either_way), result("high", HARD + 2)
    compared = ft.compare(folder(tmp_path, *three))
    assert compared.differences.query("method == 'low' and other == 'high'").verdict.tolist() == ["better"]
    assert list(compared.groups.methods) == [("low", "middle"), ("middle", "high")]


def test_what_cannot_be_compared_is_said(tmp_path: Path) -> None:
    root = folder(tmp_path / "w", A)
    other = folder(tmp_path / "v", result("a", HARD + 1))
    with pytest.raises(InputError, match="are both of a on p-v1"):
        ft.compare([root, other])
    with pytest.raises(InputError, match="does not say which results") as caught:
        ft.compare(pd.DataFrame({"method": ["a"]}))
    assert "ft.evaluate" in caught.value.remedy
    (root / "evaluate/a.0/results.json").write_text("{")
    with pytest.raises(InputError, match=r"a\.0/results\.json cannot be read"):
        ft.compare(root)


def test_not_ranked_methods_are_in_the_ranks_with_a_reason(tmp_path: Path) -> None:
    value = FAR.values[0].model_copy(update={"ranked": False, "note": "does not follow its commanded camera"})
    compared = ft.compare(folder(tmp_path, A, FAR.model_copy(update={"values": (value,)})))
    row = compared.ranks.set_index("method").loc["far"]
    assert pd.isna(row.best_rank)
    assert row.not_ranked_because == "does not follow its commanded camera"
    assert compared.differences.empty


def test_results_of_two_scoring_versions_are_compared_apart_and_it_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    protocol = FAR.protocol.model_copy(update={"scoring_version": 2, "hash": "2" * 64})
    compared = ft.compare(folder(tmp_path, A, NEAR, FAR.model_copy(update={"protocol": protocol})))
    assert list(map(set, zip(compared.differences.method, compared.differences.other, strict=True))) == [{"a", "near"}]
    assert compared.ranks.protocol_hash.nunique() == 2
    assert "p-v1 has results of scoring version 1 (a, near) beside those of version 2" in caplog.text
    assert "fly and score those methods again: flythrough evaluate" in caplog.text
