"""Plain tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def print_table(headers: list[str], rows: Iterable[Iterable[Any]]) -> None:
    for line in table_lines(headers, rows):
        print(line)


def table_lines(headers: list[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    """A table's lines, its columns padded to one width each."""
    text = [headers, *([("" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in text) for i in range(len(headers))]
    for row in text:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
