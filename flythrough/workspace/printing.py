"""Plain tables for the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of a formula


def csv_cell(text: str) -> str:
    """The text as a CSV cell that a spreadsheet does not run as a formula: an apostrophe is put before one."""
    return f"'{text}" if text.startswith((*_FORMULA, "'")) else text


def from_csv_cell(cell: str) -> str:
    """The text that :func:`csv_cell` made the cell from; other cells as they are."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


def number(value: float | None) -> str:
    """Four significant digits, or a dash for None."""
    return "-" if value is None else f"{value:.4g}"


def print_table(headers: list[str], rows: Iterable[Iterable[object]]) -> None:
    """Print rows below headers, in columns."""
    for line in table_lines(headers, rows):
        print(line)


def table_lines(headers: list[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    """A table's lines, with each column padded to one width."""
    text = [headers, *([("" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in text) for i in range(len(headers))]
    for row in text:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def one_line(text: str, most: int = 200) -> str:
    """Text from outside, safe to print: control and formatting characters escaped, cut after ``most`` characters."""
    return escaped(text if len(text) <= most else text[: most - 3] + "...")


def escaped(text: str) -> str:
    """As :func:`one_line`, uncut."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
