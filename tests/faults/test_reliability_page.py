"""docs/reliability.md shows what the last campaign of kills and the faults' tests counted: no loss at all."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

from flythrough.workspace.stage import STAGES

ROOT = Path(__file__).parents[2]


def script(name: str) -> Any:
    """A script of benchmarks/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def found() -> dict[str, Any]:
    return dict(json.loads((ROOT / "docs/data/faults.json").read_text(encoding="utf-8")))


def test_the_page_shows_the_campaign(found: dict[str, Any]) -> None:
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    assert script("fault_campaign").table(found) in page
    assert f"{sum(sum(row['kills'].values()) for row in found['stages'])} kills" in page


def test_the_campaign_went_over_all_stages_and_lost_nothing(found: dict[str, Any]) -> None:
    assert [row["stage"] for row in found["stages"]] == list(STAGES)
    for row in found["stages"]:
        assert sum(row["kills"].values()) >= 10
        assert (row["orphans"], row["tables_that_differ"], row["broken_files"]) == (0, [], 0)


def test_the_page_shows_each_faults_tries_and_no_loss() -> None:
    rows = json.loads((ROOT / "docs/data/fault_tests.json").read_text(encoding="utf-8"))
    module = script("fault_table")
    assert module.table(rows) in (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    assert [(row["fault"], row["happens"], *row["tests"]) for row in rows] == list(module.FAULTS)
    assert [row["fault"] for row in rows if row["losses"] or not row["tries"]] == []


def test_the_tests_of_each_fault_are_here() -> None:
    for _, _, *tests in script("fault_table").FAULTS:
        for file, _, name in (test.partition("::") for test in tests):
            assert (f"def {name}(" if name else "def test_") in (ROOT / file).read_text(encoding="utf-8")
