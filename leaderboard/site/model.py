"""The data of the pages: every result with its places on the boards and its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from flythrough.media import flight_grid
from flythrough.results.differences import Comparisons
from flythrough.results.paired import replicates_by_key
from flythrough.results.ranking import FLOOR_METHOD, Board, Entry, ProtocolBoards

from ..config import LeaderboardConfig
from ..standing.gather import Standing
from ..standing.holdings import Holding, page_name
from .document import link

BY_START = "style_lite0"  # orders the starts: a distance between sets has no value per start


@dataclass(frozen=True)
class Extreme:
    """Worst and best start of one result by one metric, each with its value; and the values of all its starts."""

    metric: str
    worst: tuple[str, float]
    best: tuple[str, float]
    values: tuple[float, ...]


@dataclass(frozen=True)
class Row:
    """One result, as the site shows it.

    Attributes:
        held: its file.
        protocol: that it was flown on.
        places: the boards that it is on, each with its line there.
        extremes: its worst and best starts.
    """

    held: Holding
    protocol: ProtocolBoards
    places: tuple[tuple[Board, Entry], ...]
    extremes: tuple[Extreme, ...] = ()

    @cached_property
    def name(self) -> str:
        """Name, unique within its protocol: submitted numbers have another name than those measured here."""
        return f"{self.held.method} (submitted)" if self.held.tier == "submitted" else self.held.method

    @property
    def anchor(self) -> str:
        """Anchor of the row on its method's page."""
        return self.protocol.hash[:8] + ("-submitted" if self.held.tier == "submitted" else "")

    @cached_property
    def best_rank(self) -> int | None:
        """Its best place on any board; None if it has none."""
        return min((entry.rank[0] for _, entry in self.places if entry.rank), default=None)

    @property
    def page(self) -> str:
        """Link to it from the top of the site."""
        return f"{method_page(self.held.method)}#{self.anchor}"


@lru_cache(maxsize=10_000)
def method_page(method: str) -> str:
    """Link to a method's page from the top of the site."""
    return link("methods", f"{page_name(method)}.html")


def data_file(name: str) -> str:
    """Link to the file that the page of comparisons loads for the rows with one name."""
    return link("data", f"{page_name(name)}.js")


@lru_cache(maxsize=1000)
def protocol_page(protocol: str) -> str:
    """Link to the page of the protocol with this hash."""
    return link("protocols", f"{protocol[:16]}.html")


@dataclass(frozen=True)
class Site:
    """All rows of all pages."""

    standing: Standing
    config: LeaderboardConfig
    rows: tuple[Row, ...] = field(default=())

    @classmethod
    def of(cls, standing: Standing, config: LeaderboardConfig) -> Site:
        """The site of a workspace's standing."""
        boards = {each.hash: each for each in standing.protocols}
        lines = {each.hash: [(board, _lines(board)) for board in each.boards] for each in standing.protocols}
        rows = []
        for held in sorted(standing.held, key=lambda e: (e.method, e.result.protocol.name, e.sha256)):
            protocol = boards.get(held.result.protocol.hash)
            if protocol is None:
                continue
            key = held.method, held.tier
            places = tuple((board, line[key]) for board, line in lines[protocol.hash] if key in line)
            rows.append(Row(held, protocol, places, tuple(_extremes(held, protocol))))
        return cls(standing, config, tuple(rows))

    @cached_property
    def methods(self) -> Mapping[str, list[Row]]:
        """Rows by method's name."""
        return _grouped(self.rows, lambda row: row.held.method)

    @cached_property
    def by_name(self) -> Mapping[str, list[Row]]:
        """Rows by name, which differs between measured and submitted numbers."""
        return _grouped(self.rows, lambda row: row.name)

    @cached_property
    def by_protocol(self) -> Mapping[str, list[Row]]:
        """Rows by protocol's hash."""
        return _grouped(self.rows, lambda row: row.protocol.hash)

    @cached_property
    def ranked(self) -> Mapping[str, list[Row]]:
        """Rows that have a rank, the best first, by protocol's hash."""
        return {
            hash: sorted((row for row in rows if row.best_rank is not None), key=lambda row: row.best_rank or 0)
            for hash, rows in self.by_protocol.items()
        }

    @cached_property
    def comparisons(self) -> Mapping[tuple[str, str], Comparisons]:
        """Of every board, by protocol's hash and board's title."""
        drawn = replicates_by_key(each for found in self.standing.results.values() for each in found)
        return {
            (each.hash, board.title): Comparisons.of(each.hash, board, drawn)
            for each in self.standing.protocols
            for board in each.boards
        }

    def flight(self, row: Row, start: str) -> Path | None:
        """The folder of frames of one flight; None if the site shows none."""
        if row.held.tier == "submitted" or start not in self.shown_starts(row):
            return None
        root = self.standing.flights.get(row.protocol.hash, {}).get(row.held.method)
        folder = None if root is None else root / start
        return folder if folder is not None and any(folder.glob("[0-9]*.png")) else None

    def shown_starts(self, row: Row) -> list[str]:
        """The starts whose frames are shown: the first that all methods flew, then this result's worst and best."""
        if not self.config.pictures:
            return []
        shared = self._shared.get(row.protocol.hash, [])[: self.config.pictures]
        own = [s for e in row.extremes if e.metric == BY_START for s in (e.worst[0], e.best[0])]
        return list(dict.fromkeys([*shared, *own]))

    @cached_property
    def _shared(self) -> Mapping[str, list[str]]:
        return {hash: flight_grid.shared_starts(flights) for hash, flights in self.standing.flights.items()}


def _grouped(rows: Iterable[Row], of: Callable[[Row], str]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(of(row), []).append(row)
    return found


def _lines(board: Board) -> dict[tuple[str, str], Entry]:
    found: Iterable[Entry] = (*board.ranked, *board.unranked, *([board.floor] if board.floor else []))
    return {(entry.method, entry.source): entry for entry in found}


def _extremes(held: Holding, protocol: ProtocolBoards) -> Iterator[Extreme]:
    if held.method == FLOOR_METHOD:
        return
    ranked_by = [(f"{b.primary}@{b.step}", b.higher_is_better) for b in protocol.boards if b.step is not None]
    for metric, higher in [(BY_START, False), *ranked_by]:
        values = {s: v for s, found in held.result.starts.items() if (v := found.get(metric)) is not None}
        if len(values) > 1:
            order = sorted(values.items(), key=lambda pair: (pair[1] if higher else -pair[1], pair[0]))
            yield Extreme(metric, order[0], order[-1], tuple(values.values()))
