"""Tiers: who measured a row, and so how far it can be trusted. They are set here, never read from a submission."""

from __future__ import annotations

from typing import Literal

from flythrough.results.collected import results_in
from flythrough.results.schema import Result, rows_of
from flythrough.workspace.catalog import Row, Workspace

from .consistency import is_loose

Tier = Literal["reported", "submitted", "rescored", "regenerated"]

MEANINGS: dict[Tier, str] = {
    "reported": "printed in a paper; other starts, sizes or networks; shown apart",
    "submitted": "numbers handed in; consistent, but not measured here; shown, not ranked",
    "rescored": "frames handed in, scored here",
    "regenerated": "frames made here by the method, scored here",
}
RANKED: tuple[Tier, ...] = ("rescored", "regenerated")
HANDED_IN = "evaluate/handed_in/"  # where evaluate keeps results of frames that others made
NO_RESULTS = "Run flythrough evaluate first, or copy its results.json files there"  # the remedy
NOT_SCORED_HERE = "submitted: not scored here"
LOOSE = "frames that belong to no start"


def tier_of_file(results_file: str | None) -> Tier:
    """The tier of a row of the workspace's ``results`` table, by where evaluate put the file behind it."""
    return "rescored" if (results_file or "").startswith(HANDED_IN) else "regenerated"


def measured_rows(workspace: Workspace) -> list[Row]:
    """The rows that evaluate measured, their tier as source.

    In a folder without a table they are those of its results files. The maintainer put them there, so they are trusted
    as a workspace's own; submissions are in the store.

    Raises:
        InputError: a results file of a folder without a table is damaged; see :func:`results_in`.
    """
    if workspace.has("results"):
        rows = [row for row in workspace.rows("results") if row["source"] == "measured"]
        return [{**row, "source": tier_of_file(row["results_file"])} for row in rows]
    return [
        {**row, "source": "rescored" if _handed_in(result) else tier_of_file(file)}
        for file, result in results_in(workspace.root).items()
        for row in rows_of(result, file)
    ]


def _handed_in(result: Result) -> bool:
    return (result.method.model_extra or {}).get("handed_in") is True


def claimed_rows(result: Result) -> list[Row]:
    """Rows of submitted numbers: never ranked, whatever they claim."""
    common: Row = {"protocol": result.protocol.name, "protocol_hash": result.protocol.hash}
    common |= {"method": result.method.name, "results_file": None, "source": "submitted"}
    note = f"{NOT_SCORED_HERE}; {LOOSE}" if is_loose(result) else NOT_SCORED_HERE
    return [{**v.model_dump(), **common, "ranked": False, "note": note} for v in result.values]
