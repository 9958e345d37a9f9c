"""The results table for the terminal: one line per method, best first, and why the others are not ranked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ..workspace.catalog import Row
from ..workspace.printing import number, table_lines
from .metrics import METRICS
from .ranking import Board, Cell, build_boards


def standings(rows: Iterable[Row]) -> Iterator[str]:
    """Lines that show the measured rows of ``results``: one table per protocol, of its first board."""
    measured = [row for row in rows if row["source"] == "measured" and row["step"] is None]
    for protocol in build_boards(measured):
        if protocol.boards:
            yield from _lines(protocol.name, protocol.boards[0])


def _lines(protocol: str, board: Board) -> Iterator[str]:
    columns = [name for name in board.columns if name in METRICS and METRICS[name].brief]
    floor = [board.floor] if board.floor else []
    lines = [
        [entry.method, _spread(entry.cells.get(board.primary)), *(_value(entry.cells.get(name)) for name in columns)]
        for entry in (*board.ranked, *board.unranked, *floor)
    ]
    counts = {e.cells[board.primary].n for e in (*board.ranked, *board.unranked) if board.primary in e.cells}
    basis = ", ".join([METRICS[board.primary].arrow, "95 % interval", *(f"N = {n}" for n in sorted(counts - {0}))])
    yield f"Scores on {protocol}, best first by {board.primary} ({basis})"
    yield from table_lines(["method", board.primary, *columns], lines)
    for entry in board.unranked:
        yield f"Not ranked: {entry.method}: {entry.reason}"
    if board.floor:
        yield f"{board.floor.method} is the floor: recorded frames against other recorded frames"


def _value(cell: Cell | None) -> str:
    return "-" if cell is None else number(cell.value)


def _spread(cell: Cell | None) -> str:
    if cell is None or cell.low is None:
        return _value(cell)
    return f"{number(cell.value)} [{cell.low:.3g}, {cell.high:.3g}]"
