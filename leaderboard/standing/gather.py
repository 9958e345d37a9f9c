"""All that the page shows, read from the workspace."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from flythrough.errors import InputError
from flythrough.results.paired import replicates_by_key
from flythrough.results.ranking import ProtocolBoards, build_boards
from flythrough.results.schema import Result
from flythrough.results.versions import version_notes
from flythrough.workspace.catalog import Workspace

from ..reported import ReportedTable, reported_tables
from ..tiers import NO_RESULTS, claimed_rows, measured_rows
from .holdings import Holding, holdings


@dataclass(frozen=True)
class Standing:
    """What the page shows.

    Attributes:
        protocols: boards by protocol.
        results: results files measured here, by protocol hash.
        flights: folder with a folder of frames per start, by protocol hash and method; measured here only.
        reported: tables of papers, which are never mixed with the boards.
        report: whether evaluate's report is at ``evaluate/report.html``.
        claims: submitted results files, by protocol hash; never ranked.
        held: all results files, with tier, date and digest.
        versions: what to say of a protocol (by name) with results of several scoring versions.
    """

    protocols: list[ProtocolBoards]
    results: dict[str, list[Result]]
    flights: dict[str, dict[str, Path]]
    reported: tuple[ReportedTable, ...]
    report: bool
    claims: dict[str, list[Result]] = field(default_factory=dict)
    held: tuple[Holding, ...] = ()
    versions: dict[str, str] = field(default_factory=dict)


def gather(workspace: Workspace) -> Standing:
    """Read results and submissions, and find the flights' frames.

    Raises:
        InputError: there are no results.
    """
    measured = measured_rows(workspace)
    if not measured:
        raise InputError(f"{workspace.root} has no results", remedy=NO_RESULTS)
    results: dict[str, list[Result]] = {}
    flights: dict[str, dict[str, Path]] = {}
    claims: dict[str, list[Result]] = {}
    handed_in = []
    held = {each.file: each for each in holdings(workspace, measured)}
    named = dict.fromkeys(row["results_file"] for row in measured if row["results_file"])
    ours = dict.fromkeys(workspace / file for file in named)
    for file in [*ours, *(file for file in held if file not in ours)]:
        if (each := held.get(file)) is None:
            continue
        found = each.result
        if each.tier == "submitted":
            claims.setdefault(found.protocol.hash, []).append(found)
            handed_in += claimed_rows(found)
            continue
        results.setdefault(found.protocol.hash, []).append(found)
        frames = file.parent / "frames" / "generation"
        if found.status == "scored" and frames.is_dir():  # a failed method's frames may be of any size
            flights.setdefault(found.protocol.hash, {})[found.method.name] = frames
    return Standing(
        protocols=build_boards(
            [*measured, *handed_in], replicates_by_key(each for found in results.values() for each in found)
        ),
        results=results,
        claims=claims,
        held=tuple(held.values()),
        versions=version_notes(each.result for each in held.values()),
        flights=flights,
        reported=reported_tables(),
        report=(workspace / "evaluate" / "report.html").is_file(),
    )
