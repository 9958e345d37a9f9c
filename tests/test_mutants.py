"""docs/reliability.md shows what make mutants counted last, and why the survivors survive."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.mutants import GROUPS, LEAST, survivors_table, table

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def found() -> list[dict[str, Any]]:
    return list(json.loads((ROOT / "docs/data/mutants.json").read_text(encoding="utf-8")))


def test_the_page_shows_the_counts_and_the_survivors(found: list[dict[str, Any]]) -> None:
    page = (ROOT / "docs/reliability.md").read_text(encoding="utf-8")
    assert table(found) in page
    assert survivors_table(found) in page


def test_enough_mutants_of_each_group_are_killed_and_each_survivor_has_a_reason(found: list[dict[str, Any]]) -> None:
    assert {each["group"]: [row["module"] for row in each["modules"]] for each in found} == {
        group: list(modules) for group, modules in GROUPS.items()
    }
    for each in found:
        assert each["tried"] >= min(40, each["made"])
        assert each["killed"] == each["tried"] - len(each["survivors"])
        assert each["killed"] >= LEAST * each["tried"]
        assert [survivor for survivor in each["survivors"] if not survivor["reason"]] == []


def test_the_modules_and_their_tests_are_here() -> None:
    for modules in GROUPS.values():
        for module, tests in modules.items():
            assert (ROOT / module).is_file()
            for file, _, name in (test.partition("::") for test in tests):
                assert (f"def {name}(" if name else "def test_") in (ROOT / file).read_text(encoding="utf-8")


def test_numbers_and_operators_are_changed_but_no_signatures_annotations_or_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cosmic_ray")
    from benchmarks import mutating

    (tmp_path / "made_up.py").write_text(
        "Key = tuple[int | None, str]\n"
        "\n"
        "def f(a: int | None, *, b: float = 2.5) -> int | None:\n"
        "    if a is None:\n"
        "        raise ValueError(f'{1 + 2}')\n"
        "    assert a > 0, 'not ' + str(1)\n"
        "    return a\n"
    )
    monkeypatch.setattr(mutating, "ROOT", tmp_path)
    made = [mutating.Mutant.of(*change) for change in mutating.changes("made_up.py")]
    assert {mutant.line for mutant in made} == {3, 4, 6}
    assert all("b: float = " in mutant.now for mutant in made if mutant.line == 3)
    asserts = {mutant.now.partition(",")[0] for mutant in made if mutant.line == 6}
    assert {"assert not a > 0", "assert a >= 0", "assert a <= 0"} <= asserts
    for mutant in made:
        ast.parse(mutant.source)
