"""The page that compares two methods, and the file of each method that it loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from flythrough.media.flight_grid import FPS
from flythrough.results.metrics import METRICS, higher_is_better, in_order
from flythrough.results.paired import half_width
from flythrough.results.ranking import Cell
from flythrough.results.schema import Result
from flythrough.workspace.files import JsonObject

from .document import document, json_block
from .model import Row, Site, data_file, method_page
from .sheets import Sheet, Sheets

_compact = json.JSONEncoder(allow_nan=False, separators=(",", ":")).encode


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
        data=json_block({"methods": methods, "protocols": protocols, "metrics": metrics, "fps": FPS}),
    )


def _in_order(rows: list[Row]) -> list[Row]:
    """The rows, ranked ones first, by the first board that ranks them."""
    return sorted(rows, key=lambda row: (_rank(row), row.name))


def _rank(row: Row) -> tuple[int, int]:
    return next((entry.rank for _, entry in row.places if entry.rank), (10**9, 10**9))


def method_data(name: str, rows: list[Row], site: Site, sheets: Sheets) -> str:
    """The script ``data/NAME.js``: all that a comparison shows of one method; pages from disk cannot load JSON."""
    parts = []
    for row in rows:
        known = _row(row, sheets.get((row.protocol.hash, row.name), {}))
        whole = _compact(known)
        result = row.held.result
        numbers = f'"boards":{_boards(row)},"starts":{_starts(result)},"curves":{_curves(result)},"draws":{_draws(row)}'
        parts.append(f"{json.dumps(row.protocol.hash[:16])}:{whole[:-1]},{numbers}}}")
    return f"flythroughMethod({json.dumps(name)},{{{','.join(parts)}}});\n"


def _row(row: Row, sheets: Mapping[str, Sheet]) -> JsonObject:
    return {
        "tier": row.held.tier,
        "sheets": {start: [s.path, list(s.steps), s.across, s.width, s.height, s.film] for start, s in sheets.items()},
    }


def _starts(result: Result) -> str:
    """JSON: the names of metrics, then each start's values in that order; a site has 10^6 of them."""
    names = sorted(set().union(*result.starts.values()))
    line = ",".join(["%.6g"] * len(names))
    parts = []
    for start, found in sorted(result.starts.items()):
        values = tuple(map(found.get, names))
        text = json.dumps([_short(value) for value in values]) if None in values else f"[{line % values}]"
        parts.append(f"{_quoted(start)}:{text}")
    return f"[{json.dumps(names)},{{{','.join(parts)}}}]"


def _boards(row: Row) -> str:
    """JSON: the method's line on each board."""
    parts = []
    for board, entry in row.places:
        cells = ((key, entry.cells.get(metric)) for metric, key in _keys(board.columns))
        values = [f"{key}:{_cell(cell)}" for key, cell in cells if cell is not None and cell.value is not None]
        known = {"title": board.title, "primary": board.primary, "higher": higher_is_better(board.primary)}
        known |= {"rank": entry.place, "reason": entry.reason or ""}
        parts.append(f'{_compact(known)[:-1]},"values":{{{",".join(values)}}}}}')
    return f"[{','.join(parts)}]"


@lru_cache(maxsize=1000)
def _keys(metrics: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Metric names in the registry's order, each with its name as JSON."""
    return tuple((metric, json.dumps(metric)) for metric in in_order(metrics))


def _cell(cell: Cell) -> str:
    return f"[{','.join(['null' if each is None else f'{each:.6g}' for each in (cell.value, cell.low, cell.high)])}]"


def _curves(result: Result) -> str:
    """JSON: by metric, pairs of step and value."""
    points = {m: ",".join([f"[{step},{value:.6g}]" for step, value in found]) for m, found in result.curves.items()}
    return f"{{{','.join(f'{json.dumps(metric)}:[{text}]' for metric, text in points.items())}}}"


def _draws(row: Row) -> str:
    """JSON: for each board its replicates, and the ``factor`` from their standard deviation to half an interval."""
    parts = []
    for board, entry in row.places:
        name = board.primary if board.step is None else f"{board.primary}@{board.step}"
        drawn = row.held.result.replicates.get(name) if entry.rank else None
        if drawn is None:
            parts.append("null")
            continue
        values = ",".join(["%.8g"] * len(drawn.values)) % drawn.values
        head = f'"drawn":{json.dumps(drawn.drawn[:16])},"factor":{half_width(1.0, drawn.starts):.8g}'
        parts.append(f'{{{head},"values":[{values}]}}')
    return f"[{','.join(parts)}]"


@lru_cache(maxsize=10_000)
def _quoted(text: str) -> str:
    return json.dumps(text)


def _short(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.6g}")
