"""Looking at a workspace: the funnel through the stages, and one item's history."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..errors import InputError
from .catalog import TABLES, Row, Workspace
from .files import read_json
from .stage import STAGES


def funnel(workspace: Workspace) -> dict[str, list[dict[str, Any]]]:
    """Counts a stage (tasks = done + failed; items = rows + dropped + errors), drops by reason, errors by kind.

    ``seconds`` is what the finished tasks took, added up, and ``cpu_seconds`` what they kept processors busy: the
    figure to plan a larger run by.
    """
    stages = []
    for name in STAGES:
        summary = workspace / name / "summary.json"
        if summary.is_file():
            stages.append({"stage": name, **read_json(summary)})
    drops = Counter((row["stage"], row["reason"]) for row in workspace.rows("drops"))
    errors = Counter((row["stage"], row["kind"]) for row in workspace.rows("errors"))
    return {"stages": stages, "drops": _listed(drops), "errors": _listed(errors)}


def _listed(counts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    order = sorted(counts.items(), key=lambda item: (STAGES.index(item[0][0]), -item[1], item[0][1]))
    return [{"stage": stage, "reason": reason, "count": count} for (stage, reason), count in order]


def history(workspace: Workspace, id: str) -> list[dict[str, Any]]:
    """Every row that is the item, comes from it, or says what became of it; upstream first.

    Raises:
        InputError: nothing in the workspace has that id.
    """
    found: list[dict[str, Any]] = []
    for table, columns in TABLES.items():
        keys = [name for name in columns if name == "id" or name.endswith("_id")]
        found += [{"table": table, "row": row} for row in workspace.rows(table) if id in [row[key] for key in keys]]
    parents = [_parents(workspace, entry["row"]) for entry in found if entry["row"].get("id") == id]
    found = [*(parent for group in parents for parent in group), *found]
    for log in sorted((workspace / "logs").glob(f"*/{id}.log")):
        found.append({"table": "log", "row": {"path": str(log)}})
    if not found:
        raise InputError(f"Nothing here has the id {id!r}", remedy="Ids stand in the tables, e.g. clips.parquet")
    return found


def _parents(workspace: Workspace, row: Row) -> list[dict[str, Any]]:
    tables = {"video_id": "videos", "shot_id": "shots"}
    return [
        {"table": table, "row": parent}
        for key, table in tables.items()
        if row.get(key)
        for parent in workspace.rows(table)
        if parent["id"] == row[key]
    ]
