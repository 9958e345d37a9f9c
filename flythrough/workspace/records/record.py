"""The records in a stage's folder: which tasks are finished, which failed, and their results."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path

from ..catalog import TABLES, Workspace, check_values, to_json
from ..files import TASK_FILE, JsonObject, content_key, read_json, recover_folder
from ..stage import C, Outcome, Stage, load_stage
from .ledger import TaskState, inodes_in, read_ledger

TASKS = ".tasks"  # in every stage's folder: notes of which tasks its runs had
ERRORS = ".errors"  # in every stage's folder: why tasks failed
_OUTCOME_PARTS = {part.name for part in fields(Outcome)}
_DAMAGED = ValueError, TypeError, LookupError, AttributeError, AssertionError  # what reading a damaged record raises
_NEW = TaskState("new")


def published_folder(stage_name: str, task_id: str, key: str) -> str:
    """The path of a task's folder, relative to the workspace."""
    return f"{stage_name}/{_folder_name(task_id, key)}"


def _folder_name(task_id: str, key: str) -> str:
    return f"{task_id}.{key[:8]}"


@dataclass(frozen=True)
class Listing:
    """What is in a stage's folders, listed once: a million look-ups would cost more.

    Attributes:
        inodes: of what is in the stage's folder, by name.
        errors: names in its folder of errors.
        ledger: states of finished tasks, by the names of their folders; those of others are in their records.
    """

    inodes: Mapping[str, int]
    errors: frozenset[str]
    ledger: Mapping[str, TaskState]

    @classmethod
    def of(cls, workspace: Workspace, stage: Stage[C], config: C) -> Listing:
        """What is there now, after putting back the folders that a killed run had moved away."""
        folder = workspace / stage.name
        inodes = inodes_in(folder)
        if asides := [name for name in inodes if name.startswith(".") and name.endswith(".old")]:
            for aside in asides:
                recover_folder(folder / aside.removeprefix(".").removesuffix(".old"))
            inodes = inodes_in(folder)
        ledger = read_ledger(ledger_file(workspace, stage.name), ledger_settings(stage, config), inodes)
        return cls(inodes, frozenset(inodes_in(folder / ERRORS)), ledger)


def ledger_file(workspace: Workspace, stage: str) -> Path:
    """The ledger of a stage; need not be there."""
    return workspace / stage / TASKS / "ledger.txt"


def ledger_settings(stage: Stage[C], config: C) -> str:
    """Hash of what decides, besides a record, whether its task is finished: its checks, and what ``again`` reads."""
    columns = {table: {name: column.type for name, column in known.items()} for table, known in TABLES.items()}
    asked = config.model_dump(mode="json") if stage.again else None
    return content_key(stage.name, stage.version, stage.table, columns, sorted(_OUTCOME_PARTS), asked)


def task_state(workspace: Workspace, stage: Stage[C], config: C, id: str, key: str, there: Listing) -> TaskState:
    """The state of a task under a key."""
    name = _folder_name(id, key)
    if (known := there.ledger.get(name)) is not None:
        return known
    record = settled(workspace / stage.name / name, stage, config) if name in there.inodes else None
    if record is not None:
        return state_of(record)
    if f"{id}.json" in there.errors and (failure := failure_of(workspace, stage.name, id, key)) is not None:
        return TaskState("error", failure["attempts"])
    return _NEW


def failure_of(workspace: Workspace, stage: str, id: str, key: str) -> JsonObject | None:
    """Why a task failed under this key, a row of the table ``errors``; None if it did not, or if that is not known."""
    with suppress(FileNotFoundError, *_DAMAGED):  # a power failure may leave it empty
        record = read_json(error_file(workspace.root, stage, id))
        row = {"id": id, "stage": stage, **{name: record[name] for name in record if name != "key"}}
        check_values("errors", row)
        if record["key"] == key and row.keys() == TABLES["errors"].keys():
            return row
    return None


def state_of(record: JsonObject) -> TaskState:
    """The state of the task whose record this is: done, or error if some of its items failed."""
    return TaskState("error" if record["outcome"]["errors"] else "done", record["attempts"])


def settled(folder: Path, stage: Stage[C], config: C) -> JsonObject | None:
    """The record of a finished task; None if there is none, or if these settings ask for more than it did."""
    record = finished(folder, stage.name)
    if record is None or stage.again is None or not stage.again(folder, Outcome(**record["outcome"]), config):
        return record
    return None


def finished(folder: Path, stage: str) -> JsonObject | None:
    """The record of a finished task; None if it is missing or damaged: the task then runs again.

    Args:
        folder: that the task published.
        stage: name of its stage.
    """
    recover_folder(folder)
    try:
        record = read_json(folder / TASK_FILE)
        check_outcome(record["outcome"], load_stage(stage).table)
        return record if record["attempts"] > 0 and isinstance(record["key"], str) else None
    except (OSError, *_DAMAGED):
        return None


def check_outcome(outcome: JsonObject, table: str | None) -> None:
    """Refuse an outcome that cannot be published: one faulty task must not fail its whole stage.

    Raises:
        AssertionError: a part, a column or a value that its table does not have.
    """
    if set(outcome) != _OUTCOME_PARTS:
        raise AssertionError(f"an outcome has {', '.join(sorted(_OUTCOME_PARTS))}, not {', '.join(sorted(outcome))}")
    tables = {table: outcome["rows"]} if table else {}
    drops = [{**row, "values": to_json(row.get("values") or {})} for row in outcome["drops"]]
    for name, rows in {**outcome["others"], **tables, "drops": drops, "errors": outcome["errors"]}.items():
        for row in rows:
            check_values(name, row)


def error_file(root: Path, stage: str, id: str) -> Path:
    """The record of a task's last failure; need not be there."""
    return root / stage / ERRORS / f"{id}.json"
