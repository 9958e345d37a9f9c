"""Results compared from Python: ``ft.compare(results)``."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import InputError, extras_named
from ..workspace.catalog import Row, Workspace
from .collected import result_rows
from .differences import Comparisons
from .paired import replicates_by_key
from .ranking import build_boards
from .schema import Result, read_result, rows_of
from .scored import Results
from .versions import version_notes

if TYPE_CHECKING:
    import pandas as pd

    Source = Results | pd.DataFrame | Path | str

log = logging.getLogger("flythrough.results")
_REMEDY = "Give what ft.evaluate returned, the folder of a workspace, or results.json files"
_BOARD = ["protocol", "protocol_hash", "board", "metric", "step"]
_RANKS = [*_BOARD, "method", "value", "low", "high", "best_rank", "worst_rank", "tied_with", "not_ranked_because"]
_DIFFERENCES = [*_BOARD, "method", "other", "difference", "low", "high", "paired", "verdict"]


@dataclass(frozen=True)
class Comparison:
    """Which methods are better, by the leaderboard's own ranking: one board per protocol, question and feature network.

    Each table starts with the board's ``protocol``, ``protocol_hash``, ``board`` (its title), ``metric`` that ranks and
    ``step`` (missing: all).

    Attributes:
        ranks: one row per method, best first: its ``value`` with its own 95 % interval ``low`` to ``high``, the
            ``best_rank`` and ``worst_rank`` that the comparisons allow (missing: not ranked, see
            ``not_ranked_because``), and ``tied_with``, a tuple of the methods that it is not distinguishable from.
        differences: one row per pair of ranked methods, the better value first: ``difference`` is ``method`` minus
            ``other`` in the metric's unit, with its 95 % interval ``low`` to ``high`` over the same starts; if the
            two share no draws there is none and ``paired`` is False. ``verdict`` is ``better`` or ``tied``.
        groups: one row per group of methods that are not distinguishable from one another, ``methods`` as a tuple.
    """

    ranks: pd.DataFrame
    differences: pd.DataFrame
    groups: pd.DataFrame


def compare(results: Source | Iterable[Source]) -> Comparison:
    """Compare methods by paired bootstrap over their common starts (:mod:`.paired`), as the leaderboard ranks them.

    Args:
        results: one or several of: what ``ft.evaluate`` returned; ``.results`` of a workspace, or some of its rows, of
            which the methods and protocols count; the folder of a workspace, or one with results files; a
            ``results.json``. A result that is in several of them counts once.

    Raises:
        InputError: nothing to compare, a damaged file, or two different results of one method on one protocol.
        MissingDependency: pandas is not installed.
    """
    with extras_named("A data frame"):
        import pandas as pd

    sources = [results] if isinstance(results, (Results, pd.DataFrame, Path, str)) else list(results)
    found = _distinct(file for source in sources for file in _files(source))
    if not found:
        raise InputError("There are no results to compare", remedy=_REMEDY)
    for note in version_notes(found).values():
        log.warning(note)
    boards = list(_boards(found))
    return Comparison(
        pd.DataFrame([row for known, each in boards for row in _ranks(known, each)], columns=_RANKS).astype(
            {"step": "Int64", "best_rank": "Int64", "worst_rank": "Int64"}
        ),
        pd.DataFrame([row for known, each in boards for row in _differences(known, each)], columns=_DIFFERENCES).astype(
            {"step": "Int64"}
        ),
        pd.DataFrame(
            [{**known, "methods": methods} for known, each in boards for methods in each.groups()],
            columns=[*_BOARD, "methods"],
        ).astype({"step": "Int64"}),
    )


def _files(source: Source) -> list[Path]:
    """The results files that a source stands for."""
    if isinstance(source, Results):
        return source.files
    if isinstance(source, (Path, str)):
        path = Path(source)
        if path.is_file():
            return [path]
        named = {row["results_file"] for row in result_rows(Workspace(path))} - {None}
        if not named:
            raise InputError(f"{path} has no results", remedy=_REMEDY)
        return [path / file for file in sorted(named)]
    if "results_file" not in source or "workspace" not in source.attrs:
        raise InputError("A data frame does not say which results it is of", remedy=_REMEDY)
    return [Path(source.attrs["workspace"]) / file for file in sorted(set(source["results_file"].dropna()))]


def _distinct(files: Iterable[Path]) -> list[Result]:
    found: dict[tuple[str, str], tuple[Path, Result]] = {}
    for file in dict.fromkeys(file.resolve() for file in files):
        result = read_result(file)
        first, known = found.setdefault((result.protocol.hash, result.method.name), (file, result))
        if known != result:
            raise InputError(
                f"{first} and {file} are both of {result.method.name} on {result.protocol.name}",
                remedy="Leave one out, or score it under another name",
            )
    return [result for _, result in found.values()]


def _boards(results: list[Result]) -> Iterator[tuple[Row, Comparisons]]:
    """Every board, with what identifies it."""
    drawn = replicates_by_key(results)
    for protocol in build_boards((row for each in results for row in rows_of(each, None)), drawn):
        for board in protocol.boards:
            known = {"protocol": protocol.name, "protocol_hash": protocol.hash, "board": board.title}
            yield known | {"metric": board.primary, "step": board.step}, Comparisons.of(protocol.hash, board, drawn)


def _ranks(known: Row, compared: Comparisons) -> Iterator[Row]:
    for entry in (*compared.board.ranked, *compared.board.unranked):
        cell = entry.cells.get(compared.board.primary)
        best, worst = entry.rank or (None, None)
        yield {
            **known,
            "method": entry.method,
            **{name: getattr(cell, name, None) for name in ("value", "low", "high")},
            "best_rank": best,
            "worst_rank": worst,
            "tied_with": entry.tied,
            "not_ranked_because": entry.reason,
        }


def _differences(known: Row, compared: Comparisons) -> Iterator[Row]:
    ranked = compared.board.ranked
    for place, entry in enumerate(ranked):
        for other in range(place + 1, len(ranked)):
            found = compared.difference(place, other)
            half = found.half
            yield {
                **known,
                "method": entry.method,
                "other": found.entry.method,
                "difference": found.difference,
                "low": math.nan if half is None else found.difference - half,
                "high": math.nan if half is None else found.difference + half,
                "paired": half is not None,
                "verdict": found.verdict,
            }
