"""The page of one method: its card, its ranks and why, its starts, and the sources of its numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache, partial
from itertools import islice
from typing import TypeVar

from markupsafe import Markup, escape

from flythrough.cli.line_plot import Line, line_plot, strip_plot
from flythrough.results.metrics import METRICS, in_order
from flythrough.results.ranking import FLOOR_METHOD
from flythrough.results.schema import Result
from flythrough.workspace.files import JsonObject

from ..exports.bibtex import as_bibtex
from ..tiers import MEANINGS
from .cards import card_link
from .document import document, html, number
from .model import BY_START, Row, Site, method_page, protocol_page
from .places import compare_link, places
from .sheets import Sheet, Sheets

CARD = (("about", "About"), ("citation", "Paper"), ("code", "Code"), ("weights", "Weights"),
        ("environment", "Environment"), ("entry_point", "Class"), ("command", "Command"),
        ("needs", "Needs"))  # fmt: skip
MOST_LINES = 4  # on one plot
Drawn = TypeVar("Drawn")
Points = tuple[tuple[int, float], ...]  # (step, value)


def method_document(method: str, site: Site, sheets: Sheets) -> str:
    """The page ``methods/NAME.html``."""
    rows = site.methods[method]
    return document(
        method,
        "method.html",
        subtitle="The floor: recorded frames against other recorded frames" if method == FLOOR_METHOD else "A method",
        picture=card_link(method_page(method), site.config.base_url),
        card=list(_card(rows[0].held.result)),
        rows=[_row(row, site, sheets.get((row.protocol.hash, row.name), {})) for row in rows],
        bibtex=as_bibtex([row.held.result for row in rows], ()),
    )


def _card(result: Result) -> Iterator[tuple[str, str]]:
    stated = result.method.model_extra or {}
    for key, name in CARD:
        value = stated.get(key)
        text = " ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value or "")
        if text:
            yield name, text


def _row(row: Row, site: Site, sheets: Mapping[str, Sheet]) -> JsonObject:
    others = len(site.by_protocol[row.protocol.hash]) > 1
    beside = [each for each in site.ranked[row.protocol.hash][: 2 * MOST_LINES + 1] if each is not row]
    hash, name = row.protocol.hash, row.name

    def play(start: str) -> str:
        return compare_link(hash, name, start=start)

    return {
        "name": name,
        "anchor": row.anchor,
        "protocol": row.protocol.name,
        "protocol_page": protocol_page(row.protocol.hash),
        "tier": row.held.tier,
        "tier_meaning": MEANINGS[row.held.tier].capitalize(),
        "date": row.held.date[:10],
        "failure": row.held.result.failure,
        "places": places(row, site),
        "curves": list(_curves(row, beside)),
        "extremes": row.extremes,
        "sheets": list(_sheets(row, sheets)),
        "starts": _starts(row.held.result),
        "strips": list(_strips(row, beside)),
        "provenance": _definitions(_provenance(row)),
        "frames_sha256": _definitions(sorted(row.held.result.frames_sha256.items())),
        "compare": compare_link(hash, name) if others else "",
        "compare_start": play if others else None,
    }


def _curves(row: Row, ranked: list[Row]) -> Iterator[tuple[str, Markup]]:
    for metric, points in sorted(row.held.result.curves.items()):
        if points:
            base = metric.removesuffix("_sw")
            floors = [v.floor for v in row.held.result.values if v.metric == base and v.floor is not None]
            floor = (floors[0], "real against real (all frames)") if floors else None
            lines = [Line(row.name, points), *(Line(o.name, c, True) for o, c in _beside(ranked, _curve(metric)))]
            yield metric, line_plot(lines, "last step of the window", metric, floor)


def _curve(metric: str) -> Callable[[Row], Points | None]:
    return lambda row: row.held.result.curves.get(metric)


def _beside(ranked: list[Row], of: Callable[[Row], Drawn | None]) -> list[tuple[Row, Drawn]]:
    """The methods plotted beside one: the best ones that have values to plot."""
    found = ((other, of(other)) for other in ranked)
    return list(islice(((other, value) for other, value in found if value), MOST_LINES - 1))


def _strips(row: Row, ranked: list[Row]) -> Iterator[Markup]:
    for each in row.extremes:
        rows = [(row.name, each.values)]
        rows += [(o.name, values) for o, values in _beside(ranked, partial(_values, metric=each.metric))]
        yield strip_plot(rows, f"{each.metric} of each start")


def _values(row: Row, metric: str) -> tuple[float, ...] | None:
    return next((each.values for each in row.extremes if each.metric == metric), None)


def _sheets(row: Row, sheets: Mapping[str, Sheet]) -> Iterator[tuple[str, JsonObject, str]]:
    extreme = next((each for each in row.extremes if each.metric == BY_START), None)
    for start, sheet in sheets.items():
        worst = extreme and start == extreme.worst[0]
        what = "Worst start, " if worst else "Best start, " if extreme and start == extreme.best[0] else "From "
        whole = sheet.steps[-1] == len(sheet.steps)
        yield start, {**vars(sheet), "whole": whole}, what


def _starts(result: Result) -> JsonObject:
    """The table of raw values; its body is made without a template, as it can have 10^4 cells, all numbers."""
    columns = _columns(frozenset().union(*result.starts.values()))
    line = "".join(["<td>%.4g</td>"] * len(columns))
    lines = []
    for start, found in sorted(result.starts.items()):
        values = tuple(map(found.get, columns))
        cells = "".join(map(_number_cell, values)) if None in values else line % values
        lines.append(f"<tr><td>{html(start)}</td>{cells}</tr>")
    return {"count": len(lines), "head": _starts_head(columns), "body": Markup("".join(lines))}


@lru_cache(maxsize=64)
def _columns(metrics: frozenset[str]) -> tuple[str, ...]:
    """Metrics of single starts, ``METRIC`` or ``METRIC@STEP``, in order of the registry and of steps."""
    order = {name: place for place, name in enumerate(in_order({m.partition("@")[0] for m in metrics}))}
    return tuple(sorted(metrics, key=lambda m: (order[m.partition("@")[0]], len(m), m)))


@lru_cache(maxsize=64)
def _starts_head(columns: tuple[str, ...]) -> Markup:
    known = [(metric, METRICS.get(metric.partition("@")[0])) for metric in columns]
    return Markup(
        "".join(
            f'<th class="metric" title="{escape(each.meaning if each else "")}"><button>{escape(metric)}</button></th>'
            for metric, each in known
        )
    )


def _number_cell(value: float | None) -> str:
    return "<td>–</td>" if value is None else f"<td>{value:.4g}</td>"


def _definitions(pairs: Iterable[tuple[str, str]]) -> Markup:
    return Markup("".join([f"<dt>{html(name)}</dt><dd>{html(text)}</dd>" for name, text in pairs]))


def _provenance(row: Row) -> Iterator[tuple[str, str]]:
    result = row.held.result
    yield "results.json, SHA-256", row.held.sha256
    yield "protocol, SHA-256", result.protocol.hash
    yield from ((f"weights: {use}, SHA-256", digest) for use, digest in sorted(result.weights.items()))
    if result.follows_camera is not None or result.follow_note:
        said = "not measured" if result.follows_camera is None else "yes" if result.follows_camera else "no"
        yield "follows its camera", f"{said}{': ' + result.follow_note if result.follow_note else ''}"
    yield from ((f"not measured: {metric}", why) for metric, why in sorted(result.not_measured.items()))
    facts: JsonObject = {"code": result.code, "settings": result.settings, "hardware": result.hardware}
    facts |= {"libraries": result.libraries, "seconds": {k: number(v) for k, v in result.seconds.items()}}
    for name, found in facts.items():
        said = ", ".join(f"{key} {value}" for key, value in found.items() if value not in (None, ""))
        if said:
            yield name, said
