"""Every file of the site, by its path from the top."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from pydantic_core import to_json

from flythrough.results.ranking import as_json

from ..config import LeaderboardConfig
from ..exports.bibtex import as_bibtex
from ..exports.feed import as_atom
from ..exports.grid import grids
from ..exports.tables import as_csv, as_latex, as_markdown
from ..reported import reported_json
from ..standing.gather import Standing
from ..standing.holdings import as_jsonl
from .boards import BoardView, board_views
from .cards import draw_cards
from .compare import compare_document, method_data
from .methods import method_document
from .model import Site, data_file, method_page, protocol_page
from .page import front_files
from .protocols import protocol_document, protocol_files
from .sheets import Sheet, Sheets, draw_sheets

SHARES = 16  # into which the methods are divided


def site_files(standing: Standing, config: LeaderboardConfig) -> Iterator[tuple[str, bytes]]:
    """All files of the site by path; the same results give the same bytes."""
    return chain.from_iterable(site_parts(standing, config))


def site_parts(standing: Standing, config: LeaderboardConfig) -> list[Iterable[tuple[str, bytes]]]:
    """As :func:`site_files`, in parts that need nothing of one another and are made as they are read."""
    site = Site.of(standing, config)
    sheets: dict[tuple[str, str], dict[str, Sheet]] = {}
    pictures: dict[str, bytes] = {}
    for row, start, sheet, files in draw_sheets(site):
        sheets.setdefault((row.protocol.hash, row.name), {})[start] = sheet
        pictures |= files
    views = board_views(site)
    assert site.comparisons is not None  # computed here, once for all parts
    names = list(site.by_name)
    return [
        pictures.items(),
        draw_cards(site),
        _encoded(_downloads(standing, config)),
        (("starts.jsonl", as_jsonl(held)) for held in [standing.held]),
        _encoded(front_files(site, views)),
        _encoded(_protocols(site, views)),
        *(_encoded(_methods(site, sheets, names[first::SHARES])) for first in range(SHARES)),
    ]


def _encoded(texts: Iterable[tuple[str, str]]) -> Iterator[tuple[str, bytes]]:
    return ((path, text.encode()) for path, text in texts)


def _methods(site: Site, sheets: Sheets, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The files of some methods, by the names of their rows; a page may have rows of two names."""
    for name in names:
        rows = site.by_name[name]
        yield data_file(name), method_data(name, rows, site, sheets)
        method = rows[0].held.method
        if site.methods[method][0].name == name:
            yield method_page(method), method_document(method, site, sheets)


def _protocols(site: Site, views: dict[str, list[BoardView]]) -> Iterator[tuple[str, str]]:
    yield "compare.html", compare_document(site)
    for protocol in site.standing.protocols:
        files = protocol_files(protocol, site)
        yield from files.items()
        yield protocol_page(protocol.hash), protocol_document(protocol, site, views[protocol.hash], files)


def _downloads(standing: Standing, config: LeaderboardConfig) -> Iterator[tuple[str, str]]:
    boards, reported = standing.protocols, standing.reported
    data = as_json(boards, reported_json(reported))
    # All numbers are finite: the schema of results refuses others.
    yield "leaderboard.json", to_json(data, inf_nan_mode="null").decode() + "\n"
    yield "leaderboard.csv", as_csv(boards, reported)
    tables = list(grids(boards, reported))
    yield "leaderboard.tex", as_latex(tables)
    yield "leaderboard.md", as_markdown(tables)
    results = [*standing.results.values(), *standing.claims.values()]
    yield "methods.bib", as_bibtex([each for found in results for each in found], reported)
    yield "feed.xml", as_atom(standing.held, title=config.title, base_url=config.base_url)
