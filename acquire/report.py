"""The outcome of every entry: counts, and a CSV."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from flythrough.errors import InputError
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import JsonObject, read_json, write_text
from flythrough.workspace.printing import csv_cell, from_csv_cell

from .sources.entries import Entry

COLUMNS = ("id", "where", "source", "outcome", "reason", "message", "remedy", "path")
_ENTRIES = ("id", "where", "source")


def entries_file(workspace: Workspace) -> Path:
    """Where the stage stores the requested entries."""
    return workspace / "acquire" / "entries.csv"


def write_entries(workspace: Workspace, entries: Iterable[Entry]) -> None:
    """Store the requested entries, in order."""
    lines = [{"id": entry.id, "where": entry.where, "source": entry.source} for entry in entries]
    write_text(entries_file(workspace), _csv(_ENTRIES, lines))


def report(workspace: Workspace) -> tuple[list[dict[str, str]], JsonObject]:
    """A line for every entry, and the counts.

    Returns:
        Lines with the keys :data:`COLUMNS`, ``outcome`` being video, drop or error; and counts of
        ``entries``, ``videos``, ``drops`` by reason, ``errors`` by kind, ``scored`` (videos that rules which only
        score would drop) by reason, ``clips`` by split and state.

    Raises:
        InputError: the stage has not run here, or its last run was stopped.
    """
    file = entries_file(workspace)
    unfinished = InputError(
        f"{workspace.root} has no finished acquire", remedy=f"flythrough acquire --workspace {workspace.root}"
    )
    if not file.is_file() or not workspace.has("videos"):
        raise unfinished
    outcomes = _outcomes(workspace)
    with open(file, encoding="utf-8", newline="") as text:
        entries = list(csv.DictReader(text))
    if any(from_csv_cell(entry["id"]) not in outcomes for entry in entries):  # listed by a run that was stopped
        raise unfinished
    lines = [{**entry, **outcomes[from_csv_cell(entry["id"])]} for entry in entries]
    coverage = workspace / "acquire" / "coverage.json"
    counts: JsonObject = {
        "entries": len(lines),
        "videos": sum(line["outcome"] == "video" for line in lines),
        "drops": _counted(line["reason"] for line in lines if line["outcome"] == "drop"),
        "errors": _counted(line["reason"] for line in lines if line["outcome"] == "error"),
        "scored": _counted(reason for row in workspace.rows("videos") for reason in _scored(workspace, row)),
        "clips": read_json(coverage)["splits"] if coverage.is_file() else {},
    }
    return lines, counts


def write_report(lines: Iterable[dict[str, str]], file: Path) -> None:
    """Write the lines as CSV."""
    write_text(file, _csv(COLUMNS, lines))


def _outcomes(workspace: Workspace) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}

    def add(rows: Iterable[Row], outcome: str, **columns: str) -> None:
        for row in rows:
            found.setdefault(row["id"], {"outcome": outcome, **{name: row[key] for name, key in columns.items()}})

    own = {table: [r for r in workspace.rows(table) if r["stage"] == "acquire"] for table in ("drops", "errors")}
    add(workspace.rows("videos"), "video", path="path")
    add(own["drops"], "drop", reason="reason", message="values")
    add(own["errors"], "error", reason="kind", message="message", remedy="remedy")
    return found


def _scored(workspace: Workspace, video: Row) -> list[str]:
    file = (workspace / video["path"]).with_name("provenance.json")
    return list(read_json(file).get("scored", [])) if file.is_file() else []


def _counted(reasons: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(reasons).items(), key=lambda item: (-item[1], item[0])))


def _csv(columns: tuple[str, ...], lines: Iterable[dict[str, str]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: csv_cell(value) for name, value in line.items()} for line in lines)
    return text.getvalue()
