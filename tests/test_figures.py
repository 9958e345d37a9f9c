"""Figures in README and docs are those of the JSON files beside them, which the commands named there wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flythrough.workspace.files import JsonObject

ROOT = Path(__file__).parents[1]
MODEL = "flythrough-coast-v1"


def table(file: str, header: str) -> dict[str, list[str]]:
    """The cells of a Markdown table's rows by their first cell; the table is the one whose head has ``header``."""
    text = (ROOT / file).read_text(encoding="utf-8")
    block = next(block for block in text.split("\n\n") if header in block and "|---" in block)
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if "|---" not in line]
    return {row[0]: row[1:] for row in rows[1:]}


def entries() -> dict[str, JsonObject]:
    """The entries of the demo's board by method."""
    (protocol,) = json.loads((ROOT / "docs" / "data" / "demo.json").read_text(encoding="utf-8"))["protocols"]
    board = next(board for board in protocol["boards"] if board["ranked_by"] == "fd_lite0")
    return {entry["method"]: entry for entry in [*board["ranked"], *board["not_ranked"], board["floor"]]}


def printed(cell: JsonObject | None) -> str:
    """A value as the terminal's table prints it."""
    if cell is None or cell["value"] is None:
        return "-"
    return f"{cell['value']:.4g}"


def test_readmes_table_is_the_demos() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    head, *lines = re.search(r"```\nScores on .*?\n(.*?)\ntied:", text, re.DOTALL)[1].splitlines()  # type: ignore[index]
    columns, known, seen = re.split(r"\s{2,}", head)[2:], entries(), set()
    for line in lines:
        cells = re.split(r"\s{2,}", line.strip())
        method = next(cell for cell in cells[:2] if cell in known)
        seen.add(method)
        entry = known[method]
        for column, cell in zip(columns, cells[cells.index(method) + 1 :], strict=True):
            value, _, interval = cell.partition(" ")
            assert value == printed(entry["values"].get(column)), (method, column)
            if interval:
                low, high = (entry["values"][column][end] for end in ("low", "high"))
                assert interval == f"[{low:.3g}, {high:.3g}]", (method, column)
    assert seen == set(known)


@pytest.mark.parametrize(("row", "method"), [(MODEL, MODEL), ("render-inpaint", "render-inpaint")])
def test_the_models_table_is_its_records(row: str, method: str) -> None:
    file = ROOT / "train" / "fly" / "shipped" / MODEL / "record.json"
    found = json.loads(file.read_text(encoding="utf-8"))["evaluation"]
    psnr, *distances = table("docs/train.md", "PSNR at steps 1 / 5 / 10 / 20 / 30 / 59")[row]
    assert [float(cell) for cell in psnr.split(" / ")] == pytest.approx(found["psnr_db"][method], abs=0.051)
    whole = found["fd_lite0, 100 autopilot steps; first 20; last 20"][method]
    assert distances == [f"{value:.0f}" for value in whole]
