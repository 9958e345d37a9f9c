"""Plain tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def interval(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f"{row['low']:.4g} .. {row['high']:.4g}"


def print_table(headers: list[str], rows: Iterable[Iterable[Any]]) -> None:
    text = [headers, *([("" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in text) for i in range(len(headers))]
    for row in text:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
