"""The front page: every protocol's tables, with their pictures and videos in it, and the tables of papers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from flythrough.cli.line_plot import Line, line_plot
from flythrough.cli.page import data_uri, jpeg_uri
from flythrough.errors import MissingDependency
from flythrough.media import flight_grid
from flythrough.results.metrics import MAX_DEVIATION, higher_is_better
from flythrough.results.ranking import DEVIATION, FLOOR_METHOD, Board, Cell, Entry, ProtocolBoards
from flythrough.results.schema import Result
from flythrough.workspace.files import JsonObject

from ..config import LeaderboardConfig
from ..reported import DAGGER
from ..standing.gather import Standing
from ..standing.holdings import page_name
from ..tiers import MEANINGS
from .document import arrow, document
from .model import method_page, protocol_page

GATE = (
    f"Ranked only if the motion follows the commanded camera and {DEVIATION} is at most {MAX_DEVIATION:g} path lengths "
    "(a path that does not go that way at all has about 0.29)."
)


def leaderboard_page(standing: Standing, config: LeaderboardConfig) -> str:
    """The page ``index.html``."""
    sources = {e.source for p in standing.protocols for b in p.boards for e in (*b.ranked, *b.unranked)}
    return document(
        config.title,
        "index.html",
        subtitle="Measured under frozen protocols, with 95 % bootstrap intervals",
        protocols=[_protocol(each, standing, config) for each in standing.protocols],
        reported=standing.reported,
        dagger=DAGGER,
        report=standing.report,
        tiers=[tier for tier in MEANINGS if tier in sources],
    )


def _protocol(each: ProtocolBoards, standing: Standing, config: LeaderboardConfig) -> JsonObject:
    flights = standing.flights.get(each.hash, {})
    return {
        "name": each.name,
        "hash": each.hash,
        "page": protocol_page(each.hash),
        "facts": _facts(standing.results.get(each.hash, [])),
        "metrics": list(dict.fromkeys(metric for board in each.boards for metric in board.columns)),
        "boards": [board_view(each, board) for board in each.boards],
        "held_out": not _note_everywhere(each, "not held out"),
        "plots": list(_plots(each, standing)),
        "starts": list(_starts(flights, config)),
    }


def _facts(results: list[Result]) -> str:
    """What was flown, as the first results file that says so tells it."""
    known = next((r.protocol for r in results if r.protocol.steps is not None), None)
    if known is None:
        return ""
    return f"{known.flights} flights of {known.steps} steps, {known.width} x {known.height} pixels"


def _note_everywhere(each: ProtocolBoards, text: str) -> bool:
    notes = [c.note or "" for b in each.boards for e in (*b.ranked, *b.unranked) for c in e.cells.values()]
    return bool(notes) and all(text in note for note in notes)


def board_id(protocol: ProtocolBoards, board: Board) -> str:
    """Of a table, for links to it on either page that has it."""
    return f"{protocol.hash[:8]}-{next(i for i, each in enumerate(protocol.boards) if each is board)}"


def board_view(protocol: ProtocolBoards, board: Board) -> JsonObject:
    """What ``boards.html`` needs of a table."""
    best: dict[str, float] = {}
    for metric in board.columns:
        values = [c.value for e in board.ranked if (c := e.cells.get(metric)) and c.value is not None]
        if values and arrow(metric) != "1 is best":
            best[metric] = max(values) if higher_is_better(metric) else min(values)
    counts = [e.cells[board.primary].n for e in board.ranked]
    return {
        "id": board_id(protocol, board),
        "title": board.title,
        "primary": board.primary,
        "columns": board.columns,
        "lines": [_line(entry, board, best, protocol) for entry in board.ranked],
        "others": [_line(entry, board, {}, protocol) for entry in board.unranked],
        "floor": _line(board.floor, board, {}, protocol) if board.floor else None,
        "floors": _floors(board),
        "count": f"N = {counts[0]}"
        if len(set(counts)) == 1
        else f"N = {min(counts)} to {max(counts)}"
        if counts
        else "",
        "tied": any(entry.tied for entry in board.ranked),
        "pairing": board.pairing,
        "gate": GATE if DEVIATION in board.columns else "",
    }


def _floors(board: Board) -> dict[str, float]:
    """Real against real, by metric."""
    found: dict[str, float] = {}
    for entry in (*board.ranked, *board.unranked, *([board.floor] if board.floor else [])):
        for metric, cell in entry.cells.items():
            if cell.floor is not None:
                found.setdefault(metric, cell.floor)
    return found


def _line(entry: Entry, board: Board, best: dict[str, float], protocol: ProtocolBoards) -> JsonObject:
    cells = []
    for metric in board.columns:
        cell = entry.cells.get(metric, Cell(None, None, None, 0, None, False, None))
        tip = f"n = {cell.n}" + (f"; {cell.note}" if cell.note else "")
        cells.append({**vars(cell), "best": cell.value is not None and best.get(metric) == cell.value, "tip": tip})
    with_whom = f"not distinguishable from {', '.join(entry.tied)}" if entry.tied else ""
    return {
        "method": entry.method,
        "file": page_name(entry.method),
        "page": f"{method_page(entry.method)}#{protocol.hash[:8]}{'-submitted' if entry.source == 'submitted' else ''}",
        "source": entry.source,
        "rank": entry.place,
        "tied": with_whom,
        "cells": cells,
        "reason": entry.reason,
    }


def _plots(each: ProtocolBoards, standing: Standing) -> Iterator[tuple[str, Markup]]:
    """Scores over steps, a figure a metric."""
    results = standing.results.get(each.hash, [])
    ranked = {board.primary: {entry.method for entry in board.ranked} for board in each.boards}
    for metric in dict.fromkeys(name for result in results for name in result.curves):
        among = ranked.get(metric.removesuffix("_sw")) or set().union(*ranked.values())
        curves = {r.method.name: r.curves[metric] for r in results if r.curves.get(metric)}
        lines = [Line(name, points, name not in among) for name, points in curves.items() if name != FLOOR_METHOD]
        floors = [v.floor for r in results for v in r.values if v.metric == metric.removesuffix("_sw")]
        floor = next(((f, "real against real (all frames)") for f in floors if f is not None), None)
        if lines:
            yield metric, line_plot(lines, "step, the last of its window", metric, floor)


def _starts(flights: dict[str, Path], config: LeaderboardConfig) -> Iterator[JsonObject]:
    for start in flight_grid.shared_starts(flights)[: config.pictures]:
        steps, rows = flight_grid.grid(flights, start, config.picture_width)
        video = no_video = None
        if config.video:
            try:
                video = data_uri(flight_grid.side_by_side(flights, start, config.picture_width), "video/mp4")
            except MissingDependency as error:  # the page is whole without it
                no_video = str(error)
        images = {method: [jpeg_uri(image, 80) for image in found] for method, found in rows.items()}
        yield {"id": start, "steps": steps, "rows": images, "video": video, "no_video": no_video}
