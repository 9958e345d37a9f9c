"""The registry of metrics: declared once, shown everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flythrough.evaluate.report.page import build_report
from flythrough.leaderboard.config import LeaderboardConfig
from flythrough.leaderboard.site.page import leaderboard_page
from flythrough.leaderboard.standing.gather import Standing
from flythrough.results.metrics import METRICS, Metric, higher_is_better, in_order, markdown_table, needs_following
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
