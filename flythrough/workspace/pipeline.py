"""Running a stage: find the tasks left to do, run them, and publish the tables that follow from all results."""

from __future__ import annotations

import gc
import json
import logging
import os
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import DiskError, FlythroughError
from .addresses import RedactingFormatter
from .catalog import TABLES, Row, Workspace, plain, to_json
from .executor import Executor, InlineExecutor, RayExecutor
from .files import (
    TASK_FILE,
    JsonObject,
    disk_errors,
    key_text,
    publish_folder,
    write_json,
    write_manifest,
    write_text,
)
from .names import check_name
from .progress import bar
from .records.ledger import Notes, inodes_in
from .records.packed import PackedRows
from .records.record import (
    TASKS,
    Listing,
    check_outcome,
    error_file,
    failure_of,
    finished,
    ledger_file,
    ledger_settings,
    published_folder,
    settled,
    state_of,
    task_state,
)
from .stage import STAGES, C, Job, Outcome, Section, Stage, Task, load_stage, require_extra
from .worker import Call

PARTIAL = ".partial"  # in every stage's folder: attempts that are under way


@dataclass
class Report:
    """The outcome of a stage's run; ``tasks`` is always ``done`` + ``failed``."""

    stage: str
    tasks: int = 0
    ran: int = 0  # tasks run now; the others were finished before
    done: int = 0
    failed: int = 0
    rows: int = 0
    dropped: int = 0
    reasons: dict[str, int] = field(default_factory=dict)  # of the drops, the most frequent first
    errors: list[Row] = field(default_factory=list)
    seconds: float = 0.0  # total of the finished tasks
    cpu_seconds: float = 0.0  # total of all their threads and child processes, for planning a larger run


def run_stage(
    stage: Stage[C], workspace: Workspace, config: C, executor: Executor, *, retry_errors: bool = False
) -> Report:
    """Run a stage's unfinished tasks, then publish its tables.

    Args:
        stage: what to run.
        workspace: must be held with ``Workspace.locked``.
        config: the stage's section.
        executor: runs the tasks. Stages that use the whole machine run in this process, unless it is Ray.
        retry_errors: also run the tasks in error again; otherwise they stay in error.

    Raises:
        MissingDependency: the stage's extra is not installed.
        InputError: a task's id cannot be part of a path.
    """
    if not isinstance(executor, RayExecutor):  # its nodes have packages of their own
        require_extra(stage.name)
    keys, todo, believed = _left(stage, workspace, config, ("new", "error") if retry_errors else ("new",))
    _note_tasks(workspace, stage.name, "started", keys)
    if stage.in_process and not isinstance(executor, RayExecutor):
        executor = InlineExecutor()
    if not stage.resumable:
        shutil.rmtree(workspace / stage.name / PARTIAL, ignore_errors=True)  # of attempts that were killed
    resources = replace(stage.resources(config), tasks=len(keys))
    with bar(stage.name, len(todo), "task") as advance:
        for index, failure in executor.run(run_task, todo, resources):
            if failure is not None:
                *_, task_dict, key, attempt = todo[index]
                record = {"key": key, "attempts": attempt, **encodable(asdict(failure))}
                write_json(error_file(workspace.root, stage.name, task_dict["id"]), record, durable=False)
            advance()
    try:
        report = _publish(stage, workspace, config, keys)
    except _NotFinished:
        if not believed:
            raise
        ledger_file(workspace, stage.name).unlink()  # it said otherwise
        report = run_stage(stage, workspace, config, executor, retry_errors=retry_errors)
    report.ran += len(todo)
    return report


def _left(
    stage: Stage[C], workspace: Workspace, config: C, wanted: Sequence[str]
) -> tuple[dict[str, str], _Calls, bool]:
    """The keys of all tasks, the calls of those in a ``wanted`` state, and whether a ledger told some states."""
    keys: dict[str, str] = {}
    there = Listing.of(workspace, stage, config)
    todo = _Calls(stage.name, workspace.root, config)
    key_of = stage.key_maker(config)
    with no_collection():
        for task in stage.tasks(workspace, config):
            assert task.id not in keys, f"{stage.name} has two tasks called {task.id}"
            keys[check_name(task.id, f"task of {stage.name}")] = key = key_of(task)
            state = task_state(workspace, stage, config, task.id, key, there)
            if state.name in wanted:
                todo.add(task, key, state.attempts + 1)
    return keys, todo, bool(there.ledger)


class _Calls(Sequence[Call]):
    """The arguments of :func:`run_task` for each task left to do; tasks as JSON, a quarter of the memory of dicts."""

    def __init__(self, stage: str, root: Path, config: Section) -> None:
        self._common = stage, str(root), config.model_dump_json()  # once: lists of inputs can be long
        self._own: list[tuple[bytes, str, int]] = []

    def add(self, task: Task, key: str, attempt: int) -> None:
        text = f'{{"id":{key_text(task.id)},"inputs":{task.text},"hints":{key_text(task.hints)}}}'
        self._own.append((text.encode(), key, attempt))

    def __len__(self) -> int:
        return len(self._own)

    def __getitem__(self, index):  # type: ignore[no-untyped-def]  # a slice, too, by the base class
        task, key, attempt = self._own[index]
        return (*self._common, json.loads(task), key, attempt)


def run_task(stage_name: str, root: str, config_json: str, task_dict: JsonObject, key: str, attempt: int) -> None:
    """Run one task and publish its folder; every executor calls this, in some process."""
    stage = load_stage(stage_name)
    config = stage.config.model_validate_json(config_json)
    task = Task(**task_dict)
    workspace = Path(root)
    published = published_folder(stage_name, task.id, key)
    scratch = workspace / stage_name / PARTIAL / Path(published).name
    if not stage.resumable:  # an attempt that was killed may still be writing
        scratch = scratch.with_name(f"{scratch.name}.{uuid.uuid4().hex[:8]}")
    with disk_errors(scratch), _logged(workspace / "logs" / stage_name / f"{task.id}.log"):
        scratch.mkdir(parents=True, exist_ok=True)
        start, cpu_start = time.monotonic(), _cpu_seconds()
        outcome = stage.run(Job(task, scratch, published, workspace), config)
        cost = {
            "seconds": round(time.monotonic() - start, 3),
            "cpu_seconds": round(_cpu_seconds() - cpu_start, 3),
        }
        if not (outcome.rows or outcome.drops or outcome.errors or any(outcome.others.values())):
            raise AssertionError(f"{stage_name} accounted for nothing in {task.id}")
        _check_files(outcome, scratch, published)
        record = {"key": key, "attempts": attempt, **cost, "outcome": encodable(asdict(outcome))}
        (scratch / TASK_FILE).unlink(missing_ok=True)  # of an attempt that was killed on publishing
        record["manifest"] = write_manifest(scratch)
        text = json.dumps(record, allow_nan=False, default=plain, indent=1)
        check_outcome(json.loads(text)["outcome"], stage.table)  # here it is this task's error, later the stage's
        (scratch / TASK_FILE).write_text(text, encoding="utf-8")
        publish_folder(scratch, workspace / published)
        error_file(workspace, stage_name, task.id).unlink(missing_ok=True)


def _check_files(outcome: Outcome, scratch: Path, published: str) -> None:
    """Refuse to publish a folder that lacks a file its rows name.

    Raises:
        DiskError: one is gone.
    """
    values = (value for rows in (outcome.rows, *outcome.others.values()) for row in rows for value in row.values())
    start = f"{published}/"
    for name in (value.removeprefix(start) for value in values if isinstance(value, str) and value.startswith(start)):
        if not (scratch / name).exists():
            raise DiskError(f"{start}{name} was written, and is gone", remedy="Run it again with --retry-errors")


def encodable(value: Any) -> Any:
    """The value with lone surrogates, which tables cannot hold, replaced in all its strings."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, dict):
        return {encodable(key): encodable(each) for key, each in value.items()}
    return [encodable(each) for each in value] if isinstance(value, (list, tuple)) else value


def _cpu_seconds() -> float:
    """User and system time of this process so far, with its ended children."""
    return sum(os.times()[:4])


def run_stages(
    workspace: Workspace,
    config: dict[str, Section],
    executor: Executor,
    *,
    until: str = STAGES[-1],
    only: str | None = None,
    retry_errors: bool = False,
) -> Iterator[Report]:
    """Run stages in the order data flows; yields a report after each.

    Raises:
        FlythroughError: a stage left nothing for the next one to work on.
    """
    names = [only] if only else STAGES[: STAGES.index(until) + 1]
    for name in names:
        stage = load_stage(name)
        report = run_stage(stage, workspace, config[name], executor, retry_errors=retry_errors)
        yield report
        if name != names[-1] and stage.table and next(workspace.scan(stage.table), None) is None:
            raise FlythroughError(
                f"{name} left no {stage.table} for the next stage",
                remedy=f"See why with: flythrough status --workspace {workspace.root}",
                kind="empty",
            )


@contextmanager
def no_collection() -> Iterator[None]:
    """Pause Python's cycle collector, which would scan a million rows again and again and find no cycle."""
    running = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()


class _NotFinished(FlythroughError):
    """A task that had been finished, or has just run, has no record and no error."""


def _publish(stage: Stage[C], workspace: Workspace, config: C, keys: dict[str, str]) -> Report:
    """Write the stage's tables from its finished tasks alone, so that a killed run and its rerun end in the same."""
    report = Report(stage.name, tasks=len(keys))
    outcome, errors = _gather(stage, workspace, config, keys, report)
    assert report.done + report.failed == report.tasks
    if stage.finish is not None:
        outcome.errors = list(errors)  # finish sees all failures, also crashes, and may add errors that follow
        known = {id(row) for row in errors}
        outcome = stage.finish(outcome, workspace, config)
        errors += [{"exception": "", "attempts": 1, **row} for row in outcome.errors if id(row) not in known]
    if stage.table is not None:
        _write_rows(workspace, stage.table, stage.name, outcome.rows)
    for table, rows in outcome.others.items():
        _write_rows(workspace, table, stage.name, rows)
    drops = ({**row, "stage": stage.name, "values": to_json(row.get("values") or {})} for row in outcome.drops)
    errors = [{**row, "stage": stage.name} for row in errors]
    workspace.replace_stage("drops", stage.name, drops)
    workspace.replace_stage("errors", stage.name, errors)
    report.rows, report.dropped, report.errors = len(outcome.rows), len(outcome.drops), errors
    report.reasons = dict(Counter(sorted(row["reason"] for row in outcome.drops)).most_common())
    report.seconds, report.cpu_seconds = round(report.seconds, 3), round(report.cpu_seconds, 3)
    summary = {**vars(report), "errors": len(errors)}
    write_json(workspace / stage.name / "summary.json", summary)
    _note_tasks(workspace, stage.name, "published", keys)
    return report


def _gather(
    stage: Stage[C], workspace: Workspace, config: C, keys: dict[str, str], report: Report
) -> tuple[Outcome, list[Row]]:
    """What all tasks found, and their errors; counts them in the report, and writes the ledger of those finished."""
    outcome = Outcome(PackedRows(), PackedRows())
    errors: list[Row] = []
    notes, inodes = Notes(), inodes_in(workspace / stage.name)
    for task_id, key in keys.items():
        folder = workspace / published_folder(stage.name, task_id, key)
        record = settled(folder, stage, config)
        if record is not None:
            notes.add(folder.name, inodes.get(folder.name, 0), state_of(record))
        elif (failure := failure_of(workspace, stage.name, task_id, key)) is not None:
            report.failed += 1
            errors.append(failure)
            continue
        else:
            record = finished(folder, stage.name)  # it has just run; running it again would change nothing
        if record is None:
            message = f"{folder} was finished, and is damaged or gone"
            raise _NotFinished(message, remedy="Run it again; if this happens twice, check the disk", kind="disk")
        found = Outcome(**record["outcome"])
        report.done += 1
        report.seconds += record.get("seconds", 0.0)
        report.cpu_seconds += record.get("cpu_seconds", 0.0)
        outcome.rows.extend(found.rows)
        outcome.drops.extend(found.drops)
        errors += [{"exception": "", **row, "attempts": record["attempts"]} for row in found.errors]
        for table, rows in found.others.items():
            outcome.others.setdefault(table, []).extend(rows)
    notes.write(ledger_file(workspace, stage.name), ledger_settings(stage, config))
    return outcome, errors


def _note_tasks(workspace: Workspace, stage: str, what: str, keys: dict[str, str]) -> None:
    """Record the folders of a run's tasks, which ``flythrough gc`` must keep; see :func:`known_tasks`."""
    names = "".join(f"{Path(published_folder(stage, id, key)).name}\n" for id, key in keys.items())
    write_text(workspace / stage / TASKS / f"{what}.txt", names, durable=False)


def known_tasks(workspace: Workspace, stage: str) -> set[str] | None:
    """Names of the task folders of the stage's last run, and of the last that published tables; None if unknown."""
    notes = [workspace / stage / TASKS / f"{what}.txt" for what in ("started", "published")]
    if not notes[0].is_file():
        return None
    return {name for note in notes if note.is_file() for name in note.read_text(encoding="utf-8").splitlines()}


def _write_rows(workspace: Workspace, table: str, stage: str, rows: Iterable[Row]) -> None:
    """Write a stage's rows. If stages share the table, a later stage's row replaces an earlier one of the same id."""
    if "stage" not in TABLES[table]:
        workspace.write(table, rows)
        return
    Workspace(workspace / stage).write(table, ({**row, "stage": stage} for row in rows))
    workspace.write(table, _merged(table, [Workspace(workspace / name) for name in STAGES]))


def _merged(table: str, parts: list[Workspace]) -> Iterator[Row]:
    """The rows of all parts by their ids, each at the place of its first."""
    first = {row["id"]: number for number, part in [*enumerate(parts)][::-1] for row in part.scan(table, ["id"])}
    others = (row for number, part in enumerate(parts) for row in part.scan(table) if first[row["id"]] != number)
    later = {row["id"]: row for row in others}
    for number, part in enumerate(parts):
        yield from (later.get(row["id"], row) for row in part.scan(table) if first[row["id"]] == number)


class _TaskLog(logging.FileHandler):
    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Ignore it: a full disk is reported by the task itself."""


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    """Send log records, and the traceback of a failure, to the task's own log."""
    file.parent.mkdir(parents=True, exist_ok=True)
    handler = _TaskLog(file, mode="w", encoding="utf-8")
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logger = logging.getLogger("flythrough")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    except Exception:
        logger.exception("failed")
        raise
    finally:
        logger.setLevel(before)
        logger.removeHandler(handler)
        handler.close()
