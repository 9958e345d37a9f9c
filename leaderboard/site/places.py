"""A method's places on its page: its rank on each board in a sentence, and the paired differences behind it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import quote

from markupsafe import Markup

from flythrough.results.differences import Difference
from flythrough.results.ranking import FLOOR_METHOD, Board, Entry

from .boards import board_id
from .document import arrow, html, number
from .model import Row, Site, method_page, protocol_page

_HEAD = "<thead><tr><th>Against</th><th>Its rank</th><th>Its {}</th><th>Difference</th><th>95 % interval</th>"
_HEAD += "<th>This one is</th></tr></thead>"
_NOTE = "<p class=\"note\">Difference: this method's value minus the other's, paired over the same starts; "
_NOTE += "tied where its interval contains 0.</p>\n"


def places(row: Row, site: Site) -> Markup:
    """The places as HTML, made without a template because a site has 10^5 of these rows."""
    return Markup("".join(part for board, entry in row.places for part in _place(row, site, board, entry)))


def compare_link(protocol: str, a: str, b: str = "", start: str = "") -> str:
    """Link from a method's page to a comparison."""
    known = {"protocol": protocol[:16], "a": a, "b": b, "start": start}
    return "../compare.html#" + "&".join([f"{key}={_quoted(value)}" for key, value in known.items() if value])


@lru_cache(maxsize=10_000)
def _quoted(text: str) -> str:
    return quote(text, safe="")


def _place(row: Row, site: Site, board: Board, entry: Entry) -> Iterator[str]:
    title, primary = html(board.title), html(board.primary)
    table = f"../{protocol_page(row.protocol.hash)}#{html(board_id(row.protocol, board))}"
    yield f'<h3>{title}</h3>\n<p>{_said(row, board, entry)} <a href="{table}">Table</a></p>\n'
    compared = site.comparisons[row.protocol.hash, board.title]
    place = compared.place_of(entry) if entry.rank else None
    others = [] if place is None else compared.neighbours(place)
    if others:
        label = f"Why this rank, {title}, {html(row.protocol.name)}"
        yield f'<h4>Why this rank</h4>\n<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
        yield f'<table class="board">{_HEAD.format(primary)}<tbody>\n'
        yield from (_against(each, row) for each in others)
        yield f"</tbody></table></div>\n{_NOTE}"


def _said(row: Row, board: Board, entry: Entry) -> str:
    cell = entry.cells.get(board.primary)
    value = None if cell is None else cell.value
    if not entry.rank:
        reason = "it is the floor" if row.held.method == FLOOR_METHOD else entry.reason
        return html(f"Not ranked: {reason}{'' if value is None else f'; {board.primary} {number(value)}'}.")
    between = ""
    if cell is not None and cell.low is not None:
        between = f", 95 % interval {number(cell.low, 3)} to {number(cell.high, 3)}"
    by = html(f"by {board.primary} ({arrow(board.primary)})")
    return f"Rank {entry.place} of {len(board.ranked)} {by}: <b>{number(value)}</b>{between}."


def _against(each: Difference, row: Row) -> str:
    name, hash = html(each.entry.method), row.protocol.hash
    low, high = (0.0, 0.0) if each.half is None else (each.difference - each.half, each.difference + each.half)
    between = "not paired" if each.half is None else f"{low:+.3g} to {high:+.3g}"
    compare = compare_link(hash, row.name, each.entry.method).replace("&", "&amp;")  # else letters and %XX
    return (
        f'<tr><td><a href="../{html(method_page(each.entry.method))}#{html(hash[:8])}">{name}</a></td>'
        f'<td>{each.entry.place}</td><td class="number">{number(each.value)}</td>'
        f'<td class="number">{each.difference:+.4g}</td><td class="number">{between}</td>'
        f'<td>{each.verdict} · <a href="{compare}">compare<span hidden> with {name}</span></a></td></tr>\n'
    )
