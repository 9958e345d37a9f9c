"""The tables of a protocol, as the front page and the protocol's own page show them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from markupsafe import Markup

from flythrough.results.metrics import MAX_DEVIATION
from flythrough.results.ranking import DEVIATION, Board, Cell, Entry, ProtocolBoards

from ..exports.grid import best_in, direction
from ..standing.holdings import page_name
from .document import html, number
from .model import Site, method_page

GATE = (
    f"Ranked only if the motion follows the commanded camera and {DEVIATION} is at most {MAX_DEVIATION:g} path lengths "
    "(a path that does not go that way at all has about 0.29)."
)
MOST_TIED = 6  # names in a tooltip
MOST_NAMED = 20  # methods named in the line about those that are not ranked


@dataclass(frozen=True)
class BoardView:
    """The data of a table in ``boards.html``; ``rows`` and ``other_rows`` take the relative path to the site's top."""

    id: str
    title: str
    primary: str
    columns: tuple[str, ...]
    floors: Mapping[str, float]
    count: str
    tied: bool
    pairing: str | None
    gate: str
    others: str
    lines: int
    rows: Callable[[str], Markup]
    other_rows: Callable[[str], Markup]


@dataclass(frozen=True)
class _Line:
    """One method's line: its cells are HTML, all else plain text."""

    entry: Entry
    id: str
    page: str
    year: str
    cells: str


def board_views(site: Site) -> dict[str, list[BoardView]]:
    """All tables, by protocol's hash."""
    years: dict[tuple[str, str, str], str] = {
        (row.protocol.hash, row.held.method, row.held.tier): row.held.date[:4] for row in site.rows
    }
    return {each.hash: [_view(each, board, years) for board in each.boards] for each in site.standing.protocols}


def board_id(protocol: ProtocolBoards, board: Board) -> str:
    """A table's id, for links to it on either page that has it."""
    return f"{protocol.hash[:8]}-{next(i for i, each in enumerate(protocol.boards) if each is board)}"


def _view(protocol: ProtocolBoards, board: Board, years: Mapping[tuple[str, str, str], str]) -> BoardView:
    best = {
        metric: best_in((c.value for e in board.ranked if (c := e.cells.get(metric))), direction(metric))
        for metric in board.columns
    }
    counts = sorted({e.cells[board.primary].n for e in board.ranked})
    usual = counts[0] if len(counts) == 1 else None
    id = board_id(protocol, board)

    def line(entry: Entry, best: Mapping[str, float | None]) -> _Line:
        anchor = protocol.hash[:8] + ("-submitted" if entry.source == "submitted" else "")
        page = f"{method_page(entry.method)}#{anchor}"
        cells = "".join(_cell(entry.cells.get(metric), best.get(metric), usual) for metric in board.columns)
        year = years.get((protocol.hash, entry.method, entry.source), "")
        return _Line(entry, f"{id}-{page_name(entry.method)}", page, year, cells)

    lines, others = [line(entry, best) for entry in board.ranked], [line(entry, {}) for entry in board.unranked]
    return BoardView(
        id=id,
        title=board.title,
        primary=board.primary,
        columns=board.columns,
        floors=_floors(board),
        count=f"N = {counts[0]}" if usual is not None else f"N = {counts[0]} to {counts[-1]}" if counts else "",
        tied=any(entry.tied for entry in board.ranked),
        pairing=board.pairing,
        gate=GATE if DEVIATION in board.columns else "",
        others=", ".join(e.method for e in board.unranked) if len(others) <= MOST_NAMED else str(len(others)),
        lines=len(lines) + len(others),
        rows=partial(_rows, lines, line(board.floor, {}) if board.floor else None),
        other_rows=partial(_other_rows, others),
    )


def _floors(board: Board) -> dict[str, float]:
    """The distances of real frames to real frames, by metric."""
    found: dict[str, float] = {}
    for entry in (*board.ranked, *board.unranked, *([board.floor] if board.floor else [])):
        for metric, cell in entry.cells.items():
            if cell.floor is not None:
                found.setdefault(metric, cell.floor)
    return found


def _cell(cell: Cell | None, best: float | None, usual: int | None) -> str:
    """A cell's HTML, made without a template because a site has 10^5. N is shown if it is not the whole table's."""
    if cell is None:
        return '<td class="number" data-value=""><b>–</b></td>'
    said = [f"n = {cell.n}"] if cell.n != usual else []
    tip = "; ".join([*said, cell.note] if cell.note else said)
    title = f' title="{html(tip)}"' if tip else ""
    value = "" if cell.value is None else f"{cell.value:.7g}"
    span = "" if cell.low is None or cell.high is None else f"<small>{cell.low:.3g} to {cell.high:.3g}</small>"
    among = " best" if cell.value is not None and best == cell.value else ""
    return f'<td class="number{among}" data-value="{value}"{title}><b>{number(cell.value)}</b>{span}</td>'


def _rows(lines: Sequence[_Line], floor: _Line | None, root: str) -> Markup:
    return Markup("".join(_ranked_rows(lines, floor, root)))


def _ranked_rows(lines: Sequence[_Line], floor: _Line | None, root: str) -> Iterator[str]:
    for place, line in enumerate(lines, 1):
        entry, tied = line.entry, line.entry.tied
        more = f" and {len(tied) - MOST_TIED} others" if len(tied) > MOST_TIED else ""
        title = f' title="not distinguishable from {html(", ".join(tied[:MOST_TIED]))}{more}"' if tied else ""
        rank = f'<td class="number" data-value="{place}"{title}>{entry.place}</td>'
        yield f'<tr id="{html(line.id)}"{_data(line)}>{rank}{_name(line, root)}</td>{line.cells}</tr>\n'
    if floor is not None:
        said = " <small>recorded frames: the floor</small></td>"
        yield f'<tr class="floor" data-last><td></td>{_name(floor, root)}{said}{floor.cells}</tr>\n'


def _other_rows(lines: Sequence[_Line], root: str) -> Markup:
    return Markup(
        "".join(
            f'<tr class="unranked"{_data(line)}>{_name(line, root)}</td>'
            f'<td class="why">{html(line.entry.reason or "")}</td>{line.cells}</tr>\n'
            for line in lines
        )
    )


def _data(line: _Line) -> str:
    entry = line.entry
    return f' data-method="{html(entry.method)}" data-tier="{html(entry.source)}" data-year="{line.year}"'


def _name(line: _Line, root: str) -> str:
    badge = ' <span class="badge">submitted</span>' if line.entry.source == "submitted" else ""
    return f'<td class="method"><a href="{root}{html(line.page)}">{html(line.entry.method)}</a>{badge}'
