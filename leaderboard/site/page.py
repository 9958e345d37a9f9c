"""The front page: one protocol's tables at a time, with their pictures and videos, and the tables of papers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from markupsafe import Markup

from flythrough.cli.line_plot import Line, line_plot
from flythrough.cli.page import data_uri, jpeg_uri
from flythrough.errors import MissingDependency
from flythrough.media import flight_grid
from flythrough.results.ranking import FLOOR_METHOD, ProtocolBoards
from flythrough.results.schema import Result
from flythrough.workspace.files import JsonObject

from ..config import LeaderboardConfig
from ..reported import DAGGER
from ..standing.gather import Standing
from ..tiers import RANKED
from .boards import BoardView, board_views
from .document import document, fragment, json_block, link
from .model import Site, protocol_page

MOST_LINES = 200  # of tables in the front page itself: larger ones are loaded when it is opened
MOST_DRAWN = 8  # methods on a plot
MOST_PICTURED = 12  # methods whose flights are side by side


def leaderboard_page(standing: Standing, config: LeaderboardConfig) -> str:
    """The page ``index.html``."""
    site = Site.of(standing, config)
    return dict(front_files(site, board_views(site)))["index.html"]


def front_files(site: Site, views: dict[str, list[BoardView]]) -> Iterator[tuple[str, str]]:
    """``index.html`` and what it loads: one file per protocol, except for the first if its tables are short."""
    standing, config = site.standing, site.config
    first = ""
    choices = []
    for number, each in enumerate(standing.protocols):
        file = tables_file(each.hash)
        choices.append([each.hash[:16], file])
        html = fragment("section.html", protocol=_protocol(each, views[each.hash], standing, config))
        if number == 0 and sum(view.lines for view in views[each.hash]) <= MOST_LINES:
            first = html
        else:
            yield file, f"flythroughTables({json.dumps(each.hash[:16])},{json.dumps(html)});\n"
    known = document(
        config.title,
        "index.html",
        subtitle="Measured under frozen protocols, with 95 % bootstrap intervals",
        protocols=[{"name": p.name, "key": p.hash[:16], "page": protocol_page(p.hash)} for p in standing.protocols],
        choices=json_block(choices),
        first=Markup(first),
        reported=standing.reported,
        dagger=DAGGER,
        report=standing.report,
        **filters(site, [view for found in views.values() for view in found]),
    )
    yield "index.html", known


def tables_file(protocol: str) -> str:
    """Link to the tables of the protocol with this hash, as the front page loads them."""
    return link("tables", f"{protocol[:16]}.js")


def filters(site: Site, views: list[BoardView]) -> JsonObject:
    """The choices by which the tables' rows can be filtered."""
    return {
        "tiers": sorted({row.held.tier for row in site.rows if row.held.method != FLOOR_METHOD}),
        "years": sorted({row.held.date[:4] for row in site.rows}, reverse=True),
        "metrics": list(dict.fromkeys(metric for view in views for metric in view.columns)),
    }


def _protocol(
    each: ProtocolBoards, views: list[BoardView], standing: Standing, config: LeaderboardConfig
) -> JsonObject:
    flights = standing.flights.get(each.hash, {})
    order = _best_first(each)
    pictured = {name: flights[name] for name in sorted(flights, key=order.index)[:MOST_PICTURED]}
    plots = list(_plots(each, standing, order))
    return {
        "name": each.name,
        "hash": each.hash,
        "page": protocol_page(each.hash),
        "facts": _facts(standing.results.get(each.hash, [])),
        "versions": standing.versions.get(each.name),
        "metrics": list(dict.fromkeys(metric for board in each.boards for metric in board.columns)),
        "boards": views,
        "held_out": not _note_everywhere(each, "not held out"),
        "plots": plots,
        "starts": list(_starts(pictured, config)),
    }


def _best_first(each: ProtocolBoards) -> list[str]:
    """Methods in the order of the first board, then of the others."""
    entries = [e for b in each.boards for e in (*b.ranked, *b.unranked, *([b.floor] if b.floor else []))]
    return list(dict.fromkeys(entry.method for entry in entries))


def _facts(results: list[Result]) -> str:
    """What was flown, from the first results file that says so."""
    known = next((r.protocol for r in results if r.protocol.steps is not None), None)
    if known is None:
        return ""
    size = f"{known.flights} flights of {known.steps} steps, {known.width} x {known.height} pixels"
    return f"{size}, scoring version {known.scoring_version}"


def _note_everywhere(each: ProtocolBoards, text: str) -> bool:
    """Whether every score that was measured here has this note; what submissions note says nothing of the protocol."""
    entries = (e for b in each.boards for e in (*b.ranked, *b.unranked) if e.source in RANKED)
    notes = [cell.note or "" for entry in entries for cell in entry.cells.values()]
    return bool(notes) and all(text in note for note in notes)


def _plots(each: ProtocolBoards, standing: Standing, order: list[str]) -> Iterator[tuple[str, Markup, int]]:
    """Scores over steps, one figure per metric, and how many methods are not on it."""
    results = standing.results.get(each.hash, [])
    ranked = {board.primary: {entry.method for entry in board.ranked} for board in each.boards}
    for metric in dict.fromkeys(name for result in results for name in result.curves):
        among = ranked.get(metric.removesuffix("_sw")) or set().union(*ranked.values())
        curves = {r.method.name: r.curves[metric] for r in results if r.curves.get(metric)}
        names = sorted((name for name in curves if name != FLOOR_METHOD), key=order.index)
        lines = [Line(name, curves[name], name not in among) for name in names[:MOST_DRAWN]]
        floors = [v.floor for r in results for v in r.values if v.metric == metric.removesuffix("_sw")]
        floor = next(((f, "real against real (all frames)") for f in floors if f is not None), None)
        if lines:
            yield metric, line_plot(lines, "step, the last of its window", metric, floor), len(names) - len(lines)


def _starts(flights: dict[str, Path], config: LeaderboardConfig) -> Iterator[JsonObject]:
    for start in flight_grid.shared_starts(flights)[: config.pictures]:
        steps, rows = flight_grid.grid(flights, start, config.picture_width)
        video = no_video = None
        if config.video:
            try:
                video = data_uri(flight_grid.side_by_side(flights, start, config.picture_width), "video/mp4")
            except MissingDependency as error:  # the page is complete without it
                no_video = str(error)
        images = {method: [jpeg_uri(image, 80) for image in found] for method, found in rows.items()}
        yield {"id": start, "steps": steps, "rows": images, "video": video, "no_video": no_video}
