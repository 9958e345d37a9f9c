"""docs/performance.md is what its JSON renders to, and the gate compares ratios."""

from __future__ import annotations

import copy
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import pytest

from benchmarks.side_by_side import Peer, Row, side_by_side

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "docs" / "data" / "performance.json").read_text(encoding="utf-8")
KEPT: dict[str, Any] = json.loads(TEXT)


@pytest.fixture(scope="module")
def performance() -> ModuleType:
    spec = importlib.util.spec_from_file_location("performance", ROOT / "benchmarks" / "performance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_what_its_figures_say(performance: ModuleType) -> None:
    assert (ROOT / "docs" / "performance.md").read_text(encoding="utf-8") == performance.page(KEPT)


def test_the_machine_is_named_and_no_path(performance: ModuleType) -> None:
    assert set(KEPT["machine"]) == set(performance.machine())
    assert re.search(r"/(home|root|work|tmp|usr)/", TEXT) is None


def test_a_ratio_is_of_the_same_round(performance: ModuleType) -> None:
    rows = [{"what": "a", "ours": [1.0, 2.0, 4.0], "peers": {"b": [3.0, 6.0, 12.0]}}]
    assert performance.ratios(rows)["a", "b"].tolist() == [3, 3, 3]


def test_the_gate_sees_a_loss_and_a_row_that_is_gone(performance: ModuleType) -> None:
    rows = KEPT["rows"]
    assert performance.behind(rows, rows) == []
    slow = copy.deepcopy(rows)
    slow[0]["ours"] = [20 * each for each in slow[0]["ours"]]
    wrong = performance.behind(rows, slow)
    assert len(wrong) == len(rows[0]["peers"])
    assert all(line.startswith(rows[0]["what"]) for line in wrong)
    # A machine that is slower for both sides is no loss.
    busy = [{**row, "ours": [9 * s for s in row["ours"]],
             "peers": {k: [9 * s for s in v] for k, v in row["peers"].items()}} for row in rows]  # fmt: skip
    assert performance.behind(rows, busy) == []
    assert [line.endswith("not measured") for line in performance.behind(rows, rows[1:])] == [True] * len(wrong)


def test_one_noisy_round_is_no_loss_and_a_skipped_peer_neither(performance: ModuleType) -> None:
    kept = [{"what": "a", "ours": [1.0] * 5, "peers": {"b": [3.0] * 5}}]
    noisy = [{"what": "a", "ours": [1.0, 9.0, 9.0, 1.0, 9.0], "peers": {"b": [3.0] * 5}}]
    assert performance.behind(kept, noisy) == []
    assert performance.behind(kept, [{"what": "a", "ours": [1.0], "peers": {}, "skipped": {"b": "absent"}}]) == []


def test_on_another_machine_a_ratio_may_fall_further(performance: ModuleType) -> None:
    rows = [{"what": "a", "ours": [1.0], "peers": {"b": [5.0]}}]
    fell = [{"what": "a", "ours": [1.0], "peers": {"b": [2.0]}}]
    assert performance.gate({"machine": performance.machine(), "rows": rows}, fell) != []
    assert performance.gate({"machine": performance.machine() | {"cpu": "another"}, "rows": rows}, fell) == []


def test_the_page_says_where_we_are_slower_and_who_was_skipped(performance: ModuleType) -> None:
    rows = [
        {"what": "a", "ours": [2.0], "peers": {"b": [1.0], "c": [3.0], "limit: d": [0.1]}, "skipped": {"e": "gone"}}
    ]
    text = performance.page({**KEPT, "rows": rows})
    assert "We are slower than: b at a (0.5).\n" in text
    assert "with 1 between the quartiles: no peer here.\n" in text
    assert "Peers skipped: e at a (gone).\n" in text


def test_peers_that_disagree_are_not_timed() -> None:
    class Never:
        extra_info: ClassVar[dict[str, Any]] = {}

        def pedantic(self, *_: Any, **__: Any) -> None:
            raise RuntimeError("timed")

    row = Row("a", agree=lambda ours, theirs: ours == theirs)
    with pytest.raises(AssertionError, match="a: ours 1, b 2"):
        side_by_side(Never(), row, lambda: 1, [Peer("b", lambda: 2)])
    with pytest.raises(RuntimeError, match="timed"):
        side_by_side(Never(), row, lambda: 1, [Peer("b", lambda: 2, needs="no_such_module")])
