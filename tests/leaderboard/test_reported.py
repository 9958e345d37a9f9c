"""Numbers of papers: complete, cited, shown with a dagger, and kept out of every ranking."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from flythrough.leaderboard.config import LeaderboardConfig
from flythrough.leaderboard.reported import DAGGER, ReportedTable, reported_json, reported_tables
from flythrough.leaderboard.site.page import leaderboard_page
from flythrough.leaderboard.standing.gather import Standing
from flythrough.results.ranking import as_json

TABLES = {table.id: table for table in reported_tables()}


@pytest.mark.parametrize(
    ("table", "method", "values"),
    [
        ("acid-zero", "InfiniteNature-Zero", (21.1, 0.71, 0.15, 19.3, 25.1, 0.11, 5.63)),
        ("acid-zero", "SLAMP", (None, None, None, 114, 138, 1.91, 15.2)),
        ("lhq-zero", "InfiniteNature-Zero", (19.4, 25.8, 0.09, 5.91)),
        ("re10k-cami2v", "CameraCtrl", (0.706, 1.938, 2.307)),
        ("re10k-cami2v-code", "CamI2V", (0.4758, 1.4955, 1.7153, 66.09, 55.701)),
        ("opensafari", "Captain Safari", (1023.46, 0.512, 0.369, 0.968, 0.2)),
    ],
)
def test_values_are_those_of_the_source(table: str, method: str, values: tuple[float | None, ...]) -> None:
    assert next(row.values for row in TABLES[table].rows if row.method == method) == values


def test_every_table_says_where_it_is_from_and_how_to_read_it() -> None:
    for table in TABLES.values():
        assert table.dataset in table.setting
        assert re.fullmatch(r"\w+( et al\.)? 20\d\d \(arXiv \d{4}\.\d{5}\)", table.source.citation)
        assert len({row.method for row in table.rows}) == len(table.rows)
    by_key: dict[str, set[str]] = {}
    for table in TABLES.values():
        by_key.setdefault(table.source.key, set()).add(table.source.title)
    assert all(len(titles) == 1 for titles in by_key.values())


def test_a_row_with_a_value_missing_is_no_table() -> None:
    record = TABLES["lhq-zero"].model_dump(mode="json")
    record["rows"][0]["values"].pop()
    with pytest.raises(ValidationError, match="3 values for 4 columns"):
        ReportedTable.model_validate(record)


def test_they_are_shown_apart_with_a_dagger() -> None:
    standing = Standing([], {}, {}, tuple(TABLES.values()), False)
    page = leaderboard_page(standing, LeaderboardConfig())
    apart = page[page.index("Reported by papers") :]
    for table in TABLES.values():
        assert f'id="reported-{table.id}"' in apart
        assert table.source.citation in apart
        for row in table.rows:
            assert f"{row.method}{DAGGER}" in apart
    assert DAGGER not in page[: page.index("Reported by papers")]


def test_they_are_no_board_of_the_data_file() -> None:
    data = as_json([], reported_json(tuple(TABLES.values())))
    assert data["protocols"] == []
    assert [table["id"] for table in data["reported"]["tables"]] == list(TABLES)  # type: ignore[index]
