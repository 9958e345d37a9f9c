"""Every file of the site, by its path from the top."""

from __future__ import annotations

from collections.abc import Iterator

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
from .boards import board_views
from .cards import draw_cards
from .compare import compare_document, method_data
from .methods import method_document
from .model import Site, data_file, method_page, protocol_page
from .page import front_files
from .protocols import protocol_document, protocol_files
from .sheets import Sheet, draw_sheets


def site_files(standing: Standing, config: LeaderboardConfig) -> Iterator[tuple[str, bytes]]:
    """All files of the site by path; the same results give the same bytes."""
    site = Site.of(standing, config)
    sheets: dict[tuple[str, str], dict[str, Sheet]] = {}
    for row, start, sheet, files in draw_sheets(site):
        sheets.setdefault((row.protocol.hash, row.name), {})[start] = sheet
        yield from files.items()
    yield from draw_cards(site)
    for path, text in _texts(site, sheets):
        yield path, text.encode()
    yield "starts.jsonl", as_jsonl(standing.held)


def _texts(site: Site, sheets: dict[tuple[str, str], dict[str, Sheet]]) -> Iterator[tuple[str, str]]:
    standing, config = site.standing, site.config
    views = board_views(site)
    yield from front_files(site, views)
    for method in site.methods:
        yield method_page(method), method_document(method, site, sheets)
    for name, rows in site.by_name.items():
        yield data_file(name), method_data(name, rows, site, sheets)
    yield "compare.html", compare_document(site)
    for protocol in standing.protocols:
        files = protocol_files(protocol, site)
        yield from files.items()
        yield protocol_page(protocol.hash), protocol_document(protocol, site, views[protocol.hash], files)
    yield from _downloads(standing, config)


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
