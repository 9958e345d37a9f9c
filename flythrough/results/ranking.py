"""From result rows to ranked tables. A board holds one protocol, one question and one feature network."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from operator import itemgetter

import numpy as np

from ..workspace.catalog import Row
from .metrics import METRICS, higher_is_better, in_order, names, needs_following, networks, wanders
from .paired import TIED, Key, Score, below, pairing_note
from .schema import Replicates

DEVIATION = "follow_sfm_deviation"
FLOOR_METHOD = "real"  # recorded frames against recorded frames: a floor, not a method


@dataclass(frozen=True)
class Cell:
    """One number of a table, with its interval, count and floor."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    floor: float | None
    ranked: bool
    note: str | None


_OF_ROW = itemgetter(*(each.name for each in fields(Cell)))


@dataclass(frozen=True)
class Entry:
    """A method's line on a board.

    Attributes:
        method: its name.
        source: who measured it: ``measured``, or a tier of the leaderboard.
        cells: by metric.
        rank: best and worst place that the comparisons allow; None if it is not ranked.
        tied: the methods that it is not distinguishable from.
        reason: why it is not ranked.
    """

    method: str
    source: str
    cells: dict[str, Cell]
    rank: tuple[int, int] | None = None
    tied: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def place(self) -> str:
        """Its rank as text, the same in every table: ``1``, or ``1–2 tied``; empty if it is not ranked."""
        if self.rank is None:
            return ""
        best, worst = self.rank
        span = str(best) if best == worst else f"{best}–{worst}"
        return f"{span} {TIED}" if self.tied else span


@dataclass(frozen=True)
class Board:
    """One table: a question, the metric that ranks, and the metrics shown beside it."""

    title: str
    primary: str
    columns: tuple[str, ...]
    ranked: list[Entry]
    unranked: list[Entry]
    floor: Entry | None
    pairing: str | None = None  # which methods could not be compared in pairs
    step: int | None = None  # of the flights that it compares; None: all

    @property
    def higher_is_better(self) -> bool:
        """Whether a larger value of the metric that ranks is the better one."""
        return higher_is_better(self.primary)


@dataclass(frozen=True)
class ProtocolBoards:
    """All boards of a protocol."""

    name: str
    hash: str
    boards: list[Board] = field(default_factory=list)


def build_boards(rows: Iterable[Row], replicates: Mapping[Key, Replicates] | None = None) -> list[ProtocolBoards]:
    """Sort measured and submitted rows into boards, one list per protocol (name and hash), in order of appearance.

    Rows reported by papers must not be among them: they are never ranked with measured ones.

    Args:
        rows: of ``results``.
        replicates: of the measured results, for paired comparisons (:func:`.paired.replicates_by_key`).
    """
    protocols: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        assert not row["source"].startswith("reported"), "reported values have a table of their own"
        protocols.setdefault((row["protocol"], row["protocol_hash"]), []).append(row)
    return [ProtocolBoards(name, hash, _boards(found, replicates or {})) for (name, hash), found in protocols.items()]


def _boards(rows: list[Row], replicates: Mapping[Key, Replicates]) -> list[Board]:
    ruling = [row for row in rows if row["source"] != "submitted"] or rows  # submitted numbers add no board to others
    measured = {row["metric"] for row in ruling if row["value"] is not None} or {row["metric"] for row in ruling}
    whole = [row for row in rows if row["step"] is None]
    beside = [*names("style"), *names("steadiness"), *names("drift"), *names("revisit"), *names("following")]
    found = []
    for network in networks():
        family = names("distance", network)
        if family[0] in measured:
            title = f"View generation, by {network} features"
            found.append(board(title, family[0], [*family, *names("drift", network), *beside], whole, replicates))
    view = names("view synthesis")
    for step in sorted({row["step"] for row in ruling if row["step"] is not None and row["metric"] in view}):
        here = [row for row in rows if row["step"] == step]
        ranks_by = primary(row for row in ruling if row["step"] == step)
        found.append(replace(board(f"View synthesis, step {step}", ranks_by, view, here, replicates), step=step))
    return found


def primary(rows: Iterable[Row]) -> str:
    """The metric that ranks: the first primary one that every scored method has, else the last that any has."""
    having: dict[str, set[str]] = {}
    for row in rows:
        if row["value"] is not None and row["method"] != FLOOR_METHOD:
            having.setdefault(row["metric"], set()).add(row["method"])
    chosen = [name for name in in_order(having) if name in METRICS and METRICS[name].primary]
    everyone = set().union(*(having[name] for name in chosen))
    complete = [name for name in chosen if having[name] == everyone]
    return (complete or chosen[-1:] or in_order(having)[:1] or ["psnr"])[0]


def board(
    title: str,
    primary: str,
    metrics: Sequence[str],
    rows: Iterable[Row],
    replicates: Mapping[Key, Replicates] | None = None,
) -> Board:
    """One table.

    Args:
        title: its question.
        primary: the metric that ranks.
        metrics: columns, in order; a metric without any value is left out.
        rows: of one protocol, and of one step or of all.
        replicates: of the measured results, for paired comparisons.
    """
    scores: dict[tuple[str, str], Score] = {}  # of what may be ranked
    entries: dict[tuple[str, str], Entry] = {}  # a method both measured and submitted has two lines
    for row in rows:
        key = row["method"], row["source"]
        entry = entries.setdefault(key, Entry(*key, {}))
        cell = entry.cells[row["metric"]] = Cell(*_OF_ROW(row))
        if row["metric"] == primary and cell.ranked and cell.value is not None:
            drawn = (replicates or {}).get((row["protocol_hash"], row["method"], primary, row["step"]))
            scores[key] = Score(cell.value, cell.low, cell.high, drawn)
    columns = tuple(m for m in metrics if any(m in e.cells and e.cells[m].value is not None for e in entries.values()))
    floor = next((entries.pop(key) for key in list(entries) if key[0] == FLOOR_METHOD), None)
    away = _wandering(entries, floor) if needs_following(primary) else {}
    scores = {key: score for key, score in scores.items() if key in entries and key not in away}
    others = sorted((e for k, e in entries.items() if k not in scores), key=lambda e: _unranked_order(e, primary))
    unranked = [replace(e, reason=_reason(e, primary, away.get((e.method, e.source)))) for e in others]
    ranked = rank([(entries[key], score) for key, score in scores.items()], higher_is_better(primary))
    pairing = pairing_note({method: score for (method, _), score in scores.items()})
    return Board(title, primary, columns or (primary,), ranked, unranked, floor, pairing)


def _unranked_order(entry: Entry, primary: str) -> tuple[float, str]:
    cell = entry.cells.get(primary)
    if cell is None or cell.value is None:
        return math.inf, entry.method
    return -cell.value if higher_is_better(primary) else cell.value, entry.method


def _wandering(entries: Mapping[tuple[str, str], Entry], floor: Entry | None) -> dict[tuple[str, str], str]:
    """Which methods do not keep to their path, and why: they deviate too much, or none of their flights can be posed.

    The second counts only if recorded frames can be posed; else the frames are too few or too small for any method.
    """
    posable = floor is not None and _deviation(floor) is not None
    found = {}
    for key, entry in entries.items():
        cell = entry.cells.get(DEVIATION)
        if why := wanders(_deviation(entry)):
            lost = f"; {cell.note}" if cell and cell.note else ""
            found[key] = why + lost
        elif posable and cell is not None and cell.value is None and cell.n:
            found[key] = f"counts as wandering off: {cell.note or 'no flight can be posed'}"
    return found


def _deviation(entry: Entry) -> float | None:
    cell = entry.cells.get(DEVIATION)
    return None if cell is None else cell.value


def _reason(entry: Entry, primary: str, away: str | None) -> str:
    cell = entry.cells.get(primary)
    if cell is None:
        return f"has no {primary}"
    if away and (cell.ranked or not cell.note):
        return away
    return cell.note or ("no value" if cell.value is None else "not ranked by its protocol")


def rank(entries: Iterable[tuple[Entry, Score]], higher_is_better: bool) -> list[Entry]:
    """Rank entries, best first. Two that are not told apart (:func:`.paired.below`) are tied."""
    sign = -1.0 if higher_is_better else 1.0
    ordered = sorted(entries, key=lambda pair: (sign * pair[1].value, pair[0].method))
    under = below([score for _, score in ordered])
    better = under.T if higher_is_better else under  # [i, j]: i is surely better than j
    tied = ~(better | better.T) & ~np.eye(len(ordered), dtype=bool)
    methods = np.array([entry.method for entry, _ in ordered], dtype=object)
    spans = zip((better.sum(0) + 1).tolist(), (len(ordered) - better.sum(1)).tolist(), strict=True)
    return [
        replace(entry, rank=span, tied=tuple(methods[beside]))
        for (entry, _), span, beside in zip(ordered, spans, tied, strict=True)
    ]


def as_json(protocols: Iterable[ProtocolBoards], reported: dict[str, object]) -> dict[str, object]:
    """What the page shows, for machines."""

    def line(entry: Entry, board: Board) -> dict[str, object]:
        cells = {m: vars(entry.cells[m]) for m in board.columns if m in entry.cells}
        found: dict[str, object] = {"method": entry.method, "source": entry.source, "values": cells}
        if entry.rank:
            found |= {"best_rank": entry.rank[0], "worst_rank": entry.rank[1], "tied_with": list(entry.tied)}
        if entry.reason:
            found["not_ranked_because"] = entry.reason
        return found

    return {
        "schema_version": 1,
        "protocols": [
            {
                "name": each.name,
                "hash": each.hash,
                "boards": [
                    {
                        "title": board.title,
                        "ranked_by": board.primary,
                        "higher_is_better": board.higher_is_better,
                        "pairing": board.pairing,
                        "ranked": [line(entry, board) for entry in board.ranked],
                        "not_ranked": [line(entry, board) for entry in board.unranked],
                        "floor": line(board.floor, board) if board.floor else None,
                    }
                    for board in each.boards
                ],
            }
            for each in protocols
        ],
        "reported": reported,
    }
