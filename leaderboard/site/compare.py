"""The page that compares two methods, and the file of each method that it loads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from flythrough.results.metrics import METRICS, higher_is_better, in_order
from flythrough.workspace.files import JsonObject

from .document import document, json_block
from .model import Row, Site, data_file, method_page
from .sheets import Sheet, Sheets


def compare_document(site: Site) -> str:
    """The page ``compare.html``; it holds the names only, and loads two methods' files when they are chosen."""
    names = list(site.by_name)
    places = {name: place for place, name in enumerate(names)}
    methods = [[name, data_file(name), method_page(rows[0].held.method)] for name, rows in site.by_name.items()]
    protocols = [
        {
            "key": each.hash[:16],
            "name": each.name,
            "methods": [places[row.name] for row in _in_order(site.by_protocol.get(each.hash, []))],
        }
        for each in site.standing.protocols
    ]
    metrics = {name: [metric.meaning, metric.arrow] for name, metric in METRICS.items()}
    return document(
        "Compare two methods",
        "compare.html",
        subtitle=site.config.title,
        data=json_block({"methods": methods, "protocols": protocols, "metrics": metrics}),
    )


def _in_order(rows: list[Row]) -> list[Row]:
    """Ranked ones first, by the first board."""
    return sorted(rows, key=lambda row: (_rank(row), row.name))


def _rank(row: Row) -> tuple[int, int]:
    return next((entry.rank for _, entry in row.places if entry.rank), (10**9, 10**9))


def method_data(name: str, rows: list[Row], site: Site, sheets: Sheets) -> str:
    """The script ``data/NAME.js``: all that a comparison shows of one method. A page from disk may load no JSON."""
    known = {row.protocol.hash[:16]: _row(row, site, sheets.get((row.protocol.hash, row.name), {})) for row in rows}
    texts = (json.dumps(value, allow_nan=False, separators=(",", ":")) for value in (name, known))
    return f"flythroughMethod({','.join(texts)});\n"


def _row(row: Row, site: Site, sheets: Mapping[str, Sheet]) -> JsonObject:
    result = row.held.result
    return {
        "tier": row.held.tier,
        "boards": list(_boards(row, site)),
        "starts": {s: {m: _short(v) for m, v in found.items()} for s, found in sorted(result.starts.items())},
        "curves": {m: [[step, _short(value)] for step, value in points] for m, points in result.curves.items()},
        "sheets": {start: [s.path, list(s.steps), s.across, s.width, s.height] for start, s in sheets.items()},
    }


def _boards(row: Row, site: Site) -> Iterator[JsonObject]:
    for board, entry in row.places:
        compared = site.comparisons[row.protocol.hash, board.title]
        place = compared.place_of(entry) if entry.rank else None
        yield {
            "title": board.title,
            "primary": board.primary,
            "higher": higher_is_better(board.primary),
            "rank": entry.place,
            "reason": entry.reason or "",
            "values": {
                metric: [_short(cell.value), _short(cell.low), _short(cell.high)]
                for metric in in_order(board.columns)
                if (cell := entry.cells.get(metric)) is not None and cell.value is not None
            },
            "half": {} if place is None else compared.halves(place),
        }


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
