"""A board or a paper's table as cells of plain text, for Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from flythrough.results.metrics import METRICS, higher_is_better
from flythrough.results.paired import TIED
from flythrough.results.ranking import Board, Entry, ProtocolBoards

from ..reported import ReportedTable
from ..tiers import RANKED

FIGURES = 4
INTERVAL_FIGURES = 3


@dataclass(frozen=True)
class GridCell:
    """One number: ``value``, with ``interval`` such as ``[18, 20]`` or an empty text; ``best`` is set in bold."""

    value: str
    interval: str = ""
    best: bool = False


@dataclass(frozen=True)
class GridLine:
    """One method; ``reported`` asks for a dagger."""

    place: str
    method: str
    cells: tuple[GridCell, ...]
    reported: bool = False


@dataclass(frozen=True)
class Grid:
    """One table.

    Attributes:
        id: for labels: letters, digits, ``-``.
        title: what it compares.
        columns: metrics, each with whether higher is better; None: neither way.
        lines: best first; those without a place last.
        notes: sentences below it.
    """

    id: str
    title: str
    columns: tuple[tuple[str, bool | None], ...]
    lines: tuple[GridLine, ...]
    notes: tuple[str, ...]


def grids(protocols: Iterable[ProtocolBoards], reported: Iterable[ReportedTable]) -> Iterator[Grid]:
    """All tables: the boards of every protocol, then those of papers."""
    for protocol in protocols:
        for number, board in enumerate(protocol.boards, 1):
            yield _of_board(protocol, board, number)
    for table in reported:
        yield _of_paper(table)


def best_in(values: Iterable[float | None], higher: bool | None) -> float | None:
    """The best of some values; None if there are none, or the metric has no direction."""
    known = [value for value in values if value is not None]
    return None if not known or higher is None else max(known) if higher else min(known)


def direction(metric: str) -> bool | None:
    """Whether higher values of a metric are better; None: neither way."""
    return None if metric in METRICS and METRICS[metric].direction == "one" else higher_is_better(metric)


def _of_board(protocol: ProtocolBoards, board: Board, number: int) -> Grid:
    best = {
        metric: best_in((_value(entry, metric) for entry in board.ranked), direction(metric))
        for metric in board.columns
    }
    lines = [_line(entry, board.columns, best, board.primary) for entry in board.ranked]
    lines += [_line(entry, board.columns, {}, board.primary) for entry in board.unranked]
    lines += [_line(board.floor, board.columns, {}, board.primary)] if board.floor else []
    counts = sorted({entry.cells[board.primary].n for entry in board.ranked})
    n = f" (N = {', '.join(map(str, counts))})" if counts else ""
    notes = [f"Ranked by {board.primary}{n}; in brackets: 95 % bootstrap intervals over starts. Best in bold"]
    if any(entry.tied for entry in board.ranked):
        notes.append(f"{TIED}: not distinguishable, the 95 % interval of the paired difference contains 0")
    notes += [f"{entry.method} is not ranked: {entry.reason}" for entry in board.unranked]
    if board.floor:
        notes.append(f"{board.floor.method} is the floor: recorded frames against other recorded frames")
    columns = tuple((metric, direction(metric)) for metric in board.columns)
    title = f"{board.title}, {protocol.name} (protocol {protocol.hash[:12]})"
    return Grid(f"{protocol.hash[:8]}-{number}", title, columns, tuple(lines), tuple(notes))


def _value(entry: Entry, metric: str) -> float | None:
    return entry.cells[metric].value if metric in entry.cells else None


def _line(entry: Entry, columns: Sequence[str], best: dict[str, float | None], primary: str) -> GridLine:
    cells = []
    for metric in columns:
        cell = entry.cells.get(metric)
        if cell is None or cell.value is None:
            cells.append(GridCell(""))
            continue
        among = cell.value == best.get(metric)
        if metric == primary and entry.rank is not None:
            among = entry.rank[0] == 1  # the best, or not distinguishable from it
        between = ""
        if cell.low is not None and cell.high is not None:
            between = f"[{cell.low:.{INTERVAL_FIGURES}g}, {cell.high:.{INTERVAL_FIGURES}g}]"
        cells.append(GridCell(f"{cell.value:.{FIGURES}g}", between, among))
    claimed = entry.source not in (*RANKED, "measured")
    return GridLine(entry.place, f"{entry.method} ({entry.source})" if claimed else entry.method, tuple(cells))


def _of_paper(table: ReportedTable) -> Grid:
    columns = tuple((column.name, column.better == "higher") for column in table.columns)
    best = [best_in((row.values[place] for row in table.rows), higher) for place, (_, higher) in enumerate(columns)]
    lines = tuple(
        GridLine(
            "",
            row.method,
            tuple(
                GridCell("" if value is None else f"{value:.6g}", best=value is not None and value == top)
                for value, top in zip(row.values, best, strict=True)
            ),
            reported=True,
        )
        for row in table.rows
    )
    source = f"{table.source.citation}, {table.where}: {table.source.url}"
    notes = ("reported by the paper: not measured here, not comparable with measured values", table.setting, source)
    return Grid(table.id, f"{table.dataset}, reported by {table.source.citation}", columns, lines, notes)
