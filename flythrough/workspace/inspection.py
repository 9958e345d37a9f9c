"""Inspecting a workspace: the funnel through the stages, what a run would do, and one item's history."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..errors import DamagedFile, InputError
from .catalog import TABLES, Row, Workspace
from .files import JsonObject, read_json
from .pipeline import no_collection
from .records.record import Listing, task_state
from .stage import STAGES, Section, load_stage


def funnel(workspace: Workspace) -> dict[str, list[JsonObject]]:
    """Counts per stage (tasks = done + failed; items = rows + dropped + errors), drops by reason, errors by kind.

    ``seconds`` is the total time of the finished tasks, and ``cpu_seconds`` their total processor time: the figure for
    planning a larger run.

    Raises:
        DamagedFile: a stage's summary is damaged.
    """
    stages = []
    for name in STAGES:
        summary = workspace / name / "summary.json"
        if summary.is_file():
            stages.append({"stage": name, **_summary(summary)})
    drops = Counter((row["stage"], row["reason"]) for row in workspace.scan("drops", ("stage", "reason")))
    errors = Counter((row["stage"], row["kind"]) for row in workspace.scan("errors", ("stage", "kind")))
    return {"stages": stages, "drops": _listed(drops), "errors": _listed(errors)}


def _summary(file: Path) -> JsonObject:
    found = read_json(file)
    if not isinstance(found, dict):
        raise DamagedFile(f"{file} is damaged", remedy=f"Run: flythrough {file.parent.name}; it keeps what is finished")
    return found


def _listed(counts: Counter[tuple[str, str]]) -> list[JsonObject]:
    order = sorted(counts.items(), key=lambda item: (STAGES.index(item[0][0]), -item[1], item[0][1]))
    return [{"stage": stage, "reason": reason, "count": count} for (stage, reason), count in order]


def plan(workspace: Workspace, config: dict[str, Section], only: Sequence[str] = STAGES) -> list[JsonObject]:
    """What a run with these settings would do, stage by stage.

    Verdicts (curate's and acquire's rules, splits, standings) are recomputed from finished tasks on every run, which
    takes seconds; they are not among the tasks.

    Returns:
        For each stage: ``tasks``, their number; ``would_run``, the ids of tasks without a result under these settings;
        ``in_error``, the ids that only ``--retry-errors`` runs again; ``after``, the stages upstream that would run
        first and may change this list; ``waits_for``, why its tasks are not known yet.
    """
    stages: list[JsonObject] = []
    upstream: list[str] = []
    for name in only:
        stage, section = load_stage(name), config[name]
        entry: JsonObject = {"stage": name, "tasks": 0, "would_run": [], "in_error": [], "after": list(upstream)}
        there, key_of = Listing.of(workspace, stage, section), stage.key_maker(section)
        try:
            with no_collection():
                for task in stage.tasks(workspace, section):
                    entry["tasks"] += 1
                    state = task_state(workspace, stage, section, task.id, key_of(task), there).name
                    if state != "done":
                        entry["would_run" if state == "new" else "in_error"].append(task.id)
        except InputError as error:
            entry["waits_for"] = error.message
        if entry["would_run"] or "waits_for" in entry:
            upstream.append(name)
        stages.append(entry)
    return stages


def history(workspace: Workspace, id: str) -> list[JsonObject]:
    """Every row that is the item, comes from it, or records its outcome; upstream first.

    Raises:
        InputError: nothing in the workspace has that id.
    """
    found: list[JsonObject] = []
    for table, columns in TABLES.items():
        keys = [name for name in columns if name == "id" or name.endswith("_id")]
        found += [{"table": table, "row": row} for row in workspace.rows(table) if id in [row[key] for key in keys]]
    parents = [_parents(workspace, entry["row"]) for entry in found if entry["row"].get("id") == id]
    found = [*(parent for group in parents for parent in group), *found]
    logs = [str(workspace / "logs" / stage / f"{id}.log") for stage in STAGES]
    found += [{"table": "log", "row": {"path": log}} for log in logs if os.path.isfile(log)]
    if not found:
        raise InputError(f"Nothing here has the id {id!r}", remedy="Ids are in the tables, e.g. clips.parquet")
    return found


def _parents(workspace: Workspace, row: Row) -> list[JsonObject]:
    tables = {"video_id": "videos", "shot_id": "shots"}
    return [
        {"table": table, "row": parent}
        for key, table in tables.items()
        if row.get(key)
        for parent in workspace.rows(table)
        if parent["id"] == row[key]
    ]
