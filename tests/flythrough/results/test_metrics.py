"""The registry of metrics: declared once, shown everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flythrough.evaluate.report.page import build_report
from flythrough.leaderboard.config import LeaderboardConfig
from flythrough.leaderboard.site.page import leaderboard_page
from flythrough.leaderboard.standing.gather import Standing
from flythrough.results.metrics import (
    CAMERA_FIGURES,
    METRICS,
    Metric,
    higher_is_better,
    in_order,
    markdown_table,
    names,
    needs_following,
    networks,
)
from flythrough.results.ranking import build_boards
from flythrough.results.schema import Result, Value, rows_of
from flythrough.results.standings import standings

ROOT = Path(__file__).parents[3]
PROTOCOL: dict[str, Any] = {
    "name": "p-v1", "hash": "ab" * 32, "held_out": True, "height": 64, "width": 96, "starts": 2,
}  # fmt: skip


def test_directions_and_needs_are_those_of_the_declarations() -> None:
    assert higher_is_better("psnr")
    assert higher_is_better("follow_correlation")
    assert not higher_is_better("fid")
    assert not higher_is_better("no such metric")
    assert needs_following("fd_lite0_sw")
    assert needs_following("style_lite0")
    assert not needs_following("psnr")
    assert not needs_following("follow_correlation")
    assert in_order(["zebra", "psnr", "fid"]) == ["fid", "psnr", "zebra"]


def test_columns_are_the_metrics_of_a_family_in_their_order() -> None:
    assert names("published") == ("rot_err_sum", "trans_err_sum", "cam_mc_sum", "nate")
    assert names("distance") == ()  # each is of a network
    assert len(networks()) == len({METRICS[name].network for name in METRICS if METRICS[name].network})
    for network in networks():
        first, *_ = names("distance", network)
        assert [name for name in names("distance", network) if METRICS[name].primary] == [first]
    assert {METRICS[name].direction for name in CAMERA_FIGURES} == {"lower"}
    assert "follow_sfm_registered" not in CAMERA_FIGURES
    qualify = {metric.family for metric in METRICS.values() if metric.qualifies}
    assert qualify == {"following", "published", "steadiness", "drift", "revisit"}
    assert Metric("x", "", "one", "drift").arrow == "1 is best"
    assert Metric("x", "", "higher", "drift").arrow == "higher is better"
    plain = Metric("x", "", "lower", "drift")
    assert (plain.primary, plain.brief, plain.unit, plain.network) == (False, False, "", "")
    assert [name for name, metric in METRICS.items() if metric.primary] == ["fid", "fd_lite0", "lpips_alex", "psnr"]


def test_the_table_in_the_docs_is_the_registrys() -> None:
    page = (ROOT / "docs" / "evaluate.md").read_text(encoding="utf-8")
    found = page.partition("results.metrics -->")[2].partition("<!-- /metrics -->")[0].strip()
    assert found == markdown_table(), "Update it with: python -m flythrough.results.metrics"


def test_a_new_metric_is_one_declaration(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is seen in the docs' table, the terminal, evaluate's report and the leaderboard without another edit."""
    sparkle = Metric("sparkle", "glitter of the sea", "higher", "style", unit="glints", brief=True)
    monkeypatch.setitem(METRICS, "sparkle", sparkle)
    results = [
        Result(
            status="scored", protocol=PROTOCOL, method={"name": name}, follows_camera=True,
            values=(
                Value(metric="fd_lite0", value=value, low=value - 1, high=value + 1, n=60, ranked=True),
                Value(metric="sparkle", value=10 * value, n=60, ranked=True),
            ),
        )
        for name, value in (("ours", 20.0), ("theirs", 30.0))
    ]  # fmt: skip
    rows = [row for result in results for row in rows_of(result, None)]
    board = build_boards(rows)[0].boards[0]
    assert [entry.method for entry in board.ranked] == ["ours", "theirs"]
    assert "sparkle" in board.columns
    assert "glitter of the sea (glints)" in markdown_table()
    assert "sparkle" in list(standings(rows))[1]
    assert "sparkle" in build_report([(result, Path("nowhere")) for result in results])
    standing = Standing(build_boards(rows), {}, {}, (), False)
    page = leaderboard_page(standing, LeaderboardConfig())
    assert "glitter of the sea; higher is better" in page
