"""The results table for the terminal: one line per method, best first, and why the others are not ranked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from ..workspace.catalog import Row
from ..workspace.printing import number, table_lines
from .metrics import MAX_DEVIATION, METRICS
from .paired import TIED, Key
from .ranking import DEVIATION, Board, Cell, build_boards
from .schema import Replicates


def standings(rows: Iterable[Row], replicates: Mapping[Key, Replicates] | None = None) -> Iterator[str]:
    """Lines that show the measured rows of ``results``: one table per protocol, of its first board.

    ``replicates`` are those of the results files (:func:`.paired.replicates_by_key`), for paired comparisons.
    """
    measured = [row for row in rows if row["source"] == "measured" and row["step"] is None]
    for protocol in build_boards(measured, replicates):
        if protocol.boards:
            yield from _lines(protocol.name, protocol.boards[0])


def _lines(protocol: str, board: Board) -> Iterator[str]:
    columns = [name for name in board.columns if name in METRICS and METRICS[name].brief]
    floor = [board.floor] if board.floor else []
    lines = [
        [
            entry.place,
            entry.method,
            _spread(entry.cells.get(board.primary)),
            *(_value(entry.cells.get(name)) for name in columns),
        ]
        for entry in (*board.ranked, *board.unranked, *floor)
    ]
    counts = {e.cells[board.primary].n for e in (*board.ranked, *board.unranked) if board.primary in e.cells}
    basis = ", ".join([METRICS[board.primary].arrow, "95 % interval", *(f"N = {n}" for n in sorted(counts - {0}))])
    yield f"Scores on {protocol}, best first by {board.primary} ({basis})"
    yield from table_lines(["rank", "method", board.primary, *columns], lines)
    if any(entry.tied for entry in board.ranked):
        yield f"{TIED}: not distinguishable from a neighbour: the 95 % interval of their difference contains 0"
    if board.pairing:
        yield board.pairing
    if DEVIATION in board.columns:
        limit = f"{DEVIATION} of at most {MAX_DEVIATION:g} path lengths"
        yield f"Ranked only with {limit} (0.29: a camera that goes another way)"
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
