"""Garbage collection: outputs of earlier settings, and leftovers of killed attempts."""

from __future__ import annotations

import re
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ..catalog import TABLES, TEXT, Workspace
from ..pipeline import PARTIAL, known_tasks
from ..stage import STAGES, load_stage
from .verify import published_folders

_NAMED = re.compile(rf"\b((?:{'|'.join(STAGES)})/[^/\"]+\.[0-9a-f]{{8}})(?=[/\"]|$)")


@dataclass(frozen=True)
class Garbage:
    """A folder that can be removed.

    Attributes:
        path: relative to the workspace.
        bytes: what its removal frees: the size of files without another hard link.
        why: what it was.
    """

    path: str
    bytes: int
    why: str


def garbage(workspace: Workspace) -> tuple[list[Garbage], list[str]]:
    """Find what can be removed.

    Kept are all folders that a row of a table names, and all folders of tasks in the stage's last run, finished or not.

    Args:
        workspace: held with ``Workspace.locked``.

    Returns:
        The garbage, and the stages last run by a version that did not record their tasks: all of theirs is kept.
    """
    named = {name for table in TABLES for name in _named(workspace, table)}
    current = {stage: known_tasks(workspace, stage) for stage in STAGES}
    found = []
    for stage, _, folder in published_folders(workspace):
        path = f"{stage}/{folder.name}"
        known = current[stage]
        if known is not None and folder.name not in known and path not in named:
            found.append(Garbage(path, _size(folder), "of earlier settings or inputs"))
    for stage in STAGES:
        resumed = current[stage] if load_stage(stage).resumable else set()
        for folder in sorted((workspace / stage / PARTIAL).glob("*")):
            if resumed is not None and folder.name not in resumed:
                found.append(Garbage(f"{stage}/{PARTIAL}/{folder.name}", _size(folder), "of a dead attempt"))
    unknown = [stage for stage, known in current.items() if known is None and (workspace / stage).is_dir()]
    return found, unknown


def remove(workspace: Workspace, found: list[Garbage]) -> None:
    """Remove garbage. A published folder is renamed first, so that a kill cannot leave part of it in place."""
    for each in found:
        place = workspace / each.path
        aside = workspace / Path(each.path).parts[0] / PARTIAL / f"{place.name}.{uuid.uuid4().hex[:8]}"
        if place.parent != aside.parent:
            aside.parent.mkdir(exist_ok=True)
            place = place.rename(aside)
        shutil.rmtree(place) if place.is_dir() else place.unlink()


def _named(workspace: Workspace, table: str) -> Iterator[str]:
    columns = [name for name, column in TABLES[table].items() if column.type == TEXT]
    for row in workspace.scan(table, columns):
        for text in row.values():
            if text and "/" in text:
                yield from _NAMED.findall(text)


def _size(folder: Path) -> int:
    files = [path.lstat() for path in [folder, *folder.rglob("*")] if not path.is_dir()]
    return sum(stat.st_size for stat in files if stat.st_nlink == 1)
