"""docs/reliability.md shows what the last campaign of kills counted, and that is no loss at all."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from flythrough.workspace.stage import STAGES

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return dict(json.loads((ROOT / "docs/data/faults.json").read_text(encoding="utf-8")))


def test_the_page_shows_the_campaign(found: dict[str, Any]) -> None:
    spec = importlib.util.spec_from_file_location("fault_campaign", ROOT / "benchmarks/fault_campaign.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    assert module.table(found) in page
    assert f"{sum(sum(row['kills'].values()) for row in found['stages'])} kills" in page


def test_the_campaign_went_over_all_stages_and_lost_nothing(found: dict[str, Any]) -> None:
    assert [row["stage"] for row in found["stages"]] == list(STAGES)
    for row in found["stages"]:
        assert sum(row["kills"].values()) >= 10
        assert (row["orphans"], row["tables_that_differ"], row["broken_files"]) == (0, [], 0)
