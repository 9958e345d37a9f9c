"""Broken files of every kind that is read: a few mutants here, thousands in benchmarks/fuzz_readers.py."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.fuzz_readers import READERS, apart, mutants

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("group", [0, 1, 2, 3])
def test_a_broken_file_is_read_or_refused(group: int) -> None:
    for name in list(READERS)[group::4]:
        found = apart(name, 25, seed=7)
        assert found["wrong"] == [], name
        assert found["read"] + found["refused"] == 25, (name, found)  # type: ignore[operator]  # nothing else, such as no remedy
        assert found["refused"], name


def test_a_mutant_is_another_file_and_the_same_for_its_seed() -> None:
    whole = b"width = 640\nheight = 480\n" * 20
    broken = list(mutants(whole, 50, 3))
    assert broken == list(mutants(whole, 50, 3))
    assert sum(each != whole for each in broken) > 45
    assert broken != list(mutants(whole, 50, 4))


def test_the_campaign_in_docs_covered_every_reader_and_found_nothing() -> None:
    record = json.loads((ROOT / "docs" / "data" / "fuzz.json").read_text(encoding="utf-8"))
    assert set(record["files"]) == set(READERS)
    page = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
    for name, found in record["files"].items():
        assert found["wrong"] == []
        assert f"| {name} | {found['read']} | {found['refused']} |" in page
