"""Checking every finished task's output against the sizes and hashes it was published with."""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ...errors import InputError
from ..catalog import PATHS, TABLES, Row, Workspace
from ..files import MANIFEST, TASK_FILE, JsonObject, check_manifest, sha256_of
from ..pipeline import PARTIAL
from ..progress import track
from ..records.record import finished
from ..stage import STAGES

_PUBLISHED = re.compile(r"(?P<task>.+)\.[0-9a-f]{8}")  # see published_folder


@dataclass(frozen=True)
class Finding:
    """A file that differs from what was published.

    Attributes:
        stage: the stage that wrote it; for tables, the table's name.
        task: id of the task that wrote it; empty for tables.
        path: relative to the workspace.
        problem: what is wrong with it.
        rows: ids of the rows that it belongs to.
    """

    stage: str
    task: str
    path: str
    problem: str
    rows: tuple[str, ...] = ()


@dataclass
class Check:
    """The result of a check: how many ``tasks`` were checked; ``unknown`` are those without a record of their files."""

    tasks: int = 0
    files: int = 0
    bytes: int = 0
    unknown: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)


def published_folders(workspace: Workspace) -> Iterator[tuple[str, str, Path]]:
    """Stage, task id and folder of every task's output, of all keys; in sorted order."""
    for stage in STAGES:
        if (workspace / stage).is_dir():
            for folder in sorted((workspace / stage).iterdir()):
                match = _PUBLISHED.fullmatch(folder.name)
                if match and not folder.name.startswith(".") and folder.is_dir():
                    yield stage, match["task"], folder


def verify(workspace: Workspace) -> Check:
    """Check all output of finished tasks against its hashes, and that every file named by a table exists.

    Args:
        workspace: held with ``Workspace.locked``; otherwise output being published would count as broken.
    """
    check = Check()
    for stage, task, folder in track(list(published_folders(workspace)), "verify", unit="task"):
        check.tasks += 1
        _check_task(workspace, stage, task, folder, check)
    broken = {finding.path for finding in check.findings}
    for table in TABLES:
        try:
            rows = workspace.rows(table)
        except InputError as error:
            check.findings.append(Finding(table, "", f"{table}.parquet", error.message))
            continue
        for row in rows:
            for path in (row[column] for column in PATHS if row.get(column)):
                if path not in broken and not (workspace / path).exists():
                    broken.add(path)
                    check.findings.append(Finding(table, "", path, "is missing", (_name(row),)))
    return check


def _check_task(workspace: Workspace, stage: str, task: str, folder: Path, check: Check) -> None:
    def add(name: str, problem: str, rows: tuple[str, ...] = ()) -> None:
        path = f"{stage}/{folder.name}/{name}"
        check.findings.append(Finding(stage, task, path, problem, rows or (task,)))

    record = finished(folder, stage)
    if record is None:
        add(TASK_FILE, "is damaged or missing")
        return
    if "manifest" not in record:
        check.unknown.append(f"{stage}/{folder.name}")
        return
    manifest = folder / MANIFEST
    if not manifest.is_file() or sha256_of(manifest) != record["manifest"]:
        add(MANIFEST, "is damaged or missing")
        return
    wrong, files, size = check_manifest(folder)
    check.files += files
    check.bytes += size
    for name, problem in wrong.items():
        path = f"{stage}/{folder.name}/{name}"
        add(name, problem, tuple(_rows_of(path, record["outcome"])))


def _rows_of(path: str, outcome: JsonObject) -> Iterator[str]:
    """Ids of the rows that name a file or a folder above it, or whose id is in its name."""
    for row in [*outcome["rows"], *(row for rows in outcome["others"].values() for row in rows)]:
        named = [row[column] for column in PATHS if row.get(column)]
        own = f"/{row['id']}." in path if "id" in row else False
        if own or any(path == name or path.startswith(f"{name}/") for name in named):
            yield _name(row)


def _name(row: Row) -> str:
    return str(row.get("id") or f"{row.get('method')} on {row.get('protocol')}")


def repair(workspace: Workspace, findings: list[Finding]) -> list[str]:
    """Remove what is broken, so that the next run makes only that again; returns the removed paths.

    A task's output is removed as a whole, together with hard links to its broken files elsewhere in the stage's folder
    (a download that was linked into the output), from which the next run would take the broken file again.
    """
    removed = []
    for folder in sorted({"/".join(finding.path.split("/")[:2]) for finding in findings if finding.task}):
        place = workspace / folder
        stage = workspace / Path(folder).parts[0]
        broken = {finding.path for finding in findings if finding.path.startswith(f"{folder}/")}
        inodes = {os.stat(workspace / path).st_ino for path in broken if (workspace / path).exists()}
        for twin in stage.glob(".*/**/*") if inodes else ():
            if twin.is_file() and twin.stat().st_ino in inodes:
                twin.unlink()
                removed.append(twin.relative_to(workspace.root).as_posix())
        aside = stage / PARTIAL / f"{place.name}.{uuid.uuid4().hex[:8]}"
        aside.parent.mkdir(exist_ok=True)
        os.replace(place, aside)
        shutil.rmtree(aside)
        removed.append(folder)
    for finding in findings:
        if not finding.task and finding.path in {f"{table}.parquet" for table in TABLES}:
            (workspace / finding.path).unlink()
            removed.append(finding.path)
    return removed
