"""What a stage is: tasks in, rows out. Every stage's ``stage.py`` holds one :class:`Stage` named ``STAGE``."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from json.encoder import encode_basestring_ascii
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from ..errors import EXTRAS, missing_extra
from .catalog import Row, Workspace
from .files import JsonObject, key_text
from .records.packed import PackedRows

STAGES = ("acquire", "curate", "sfm", "train", "evaluate", "leaderboard")  # in the order data flows


class Section(BaseModel):
    """Base of every config section: frozen, typed, unknown keys refused. Give each field a description.

    ``unkeyed`` names the fields that results do not depend on (inputs, rate limits, worker counts): changing one does
    not make finished tasks run again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    unkeyed: ClassVar[frozenset[str]] = frozenset()

    def keyed(self) -> JsonObject:
        """The settings that results depend on, JSON-able; nested sections leave out theirs."""
        values = self.model_dump(mode="json", exclude=set(self.unkeyed))
        nested = {name: getattr(self, name) for name in values}
        return values | {name: value.keyed() for name, value in nested.items() if isinstance(value, Section)}


C = TypeVar("C", bound=Section)  # a stage's config section


@dataclass(frozen=True)
class Resources:
    """What one task of a stage needs; executors schedule by it.

    ``tasks`` is how many the stage has, finished or not, if known. Threads are divided among as many, so that
    a task that a resumed run has left gets as many as in an undisturbed run: sums in float32 depend on it.
    """

    cpus: float = 1
    gpus: float = 0
    memory_gb: float = 1.0
    tasks: int = 0
    time_limit_s: float | None = None  # a task that takes longer is stopped: error of kind "timeout"


class Task:
    """One unit of work of a stage.

    Attributes:
        id: deterministic, unique within the stage, safe as a file name; usually the upstream item's id.
        text: the inputs as JSON text, as ``key_text`` writes it.
        hints: what must not make the task run again, such as a progress label; JSON-able.
    """

    __slots__ = ("hints", "id", "text")

    def __init__(self, id: str, inputs: JsonObject | str, hints: JsonObject | None = None) -> None:
        """Set the attributes.

        Args:
            id: see above.
            inputs: all that the result depends on besides the config, JSON-able, upstream content as hashes, paths
                relative to the workspace; or the same as ``text``, which a million tasks need. Part of the task's key.
            hints: see above.
        """
        self.id = id
        self.text = inputs if isinstance(inputs, str) else key_text(inputs)
        self.hints = hints or {}

    @property
    def inputs(self) -> JsonObject:
        """All that the result depends on besides the config."""
        found: JsonObject = json.loads(self.text)
        return found


@dataclass(frozen=True)
class Job:
    """A task as ``Stage.run`` gets it, and where to write.

    Attributes:
        task: the task.
        folder: write output only here. It is published atomically when ``run`` returns. It starts empty, unless the
            stage is ``resumable``: then a killed attempt's files are still there.
        published: the later path of ``folder``, relative to the workspace; for paths in rows.
        workspace: the workspace's root; read upstream files from it, write nothing to it.
    """

    task: Task
    folder: Path
    published: str
    workspace: Path

    def path_of(self, file: Path) -> str:
        """The workspace-relative path that a file below ``folder`` will have."""
        return f"{self.published}/{file.relative_to(self.folder).as_posix()}"


@dataclass
class Outcome:
    """The result of one task, or of all. Every candidate becomes a row or a drop; a failure is raised, never returned.

    Attributes:
        rows: rows of the stage's table.
        drops: rows of the table ``drops``: ``id``, ``reason``, ``values`` (a dict of measured figures).
        errors: failures of single items that must not fail the task: ``id``, ``kind``, ``message``, ``remedy``.
        others: rows for another table, by table name (acquire's given clips).
    """

    rows: list[Row] | PackedRows = field(default_factory=list)
    drops: list[Row] | PackedRows = field(default_factory=list)
    errors: list[Row] = field(default_factory=list)
    others: dict[str, list[Row]] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage(Generic[C]):
    """A stage's front door.

    Attributes:
        name: folder and config section.
        version: increase it when the same input should give another result; every task then runs again.
        table: the table that its rows go to.
        config: its :class:`Section`.
        tasks: ``(workspace, config) -> tasks``; reads upstream tables.
        run: ``(job, config) -> outcome``; one task, in the process that the executor chose.
        finish: ``(outcome of all tasks, workspace, config) -> outcome``; verdicts, and rules that look across
            items (duplicates, splits). Pure: it runs again on every run.
        again: ``(a finished task's folder, its outcome, config) -> bool``; whether settings outside the key ask for
            more than the task did (a rule that stopped it early no longer rejects it): it then runs again under the
            same key, and may reuse what its published folder holds.
        resources: ``config -> Resources`` of one task.
        resumable: keep a killed attempt's files for the next attempt.
        in_process: run in the calling process (stages that use the whole machine themselves).
    """

    name: str
    version: int
    table: str | None
    config: type[C]
    tasks: Callable[[Workspace, C], Iterable[Task]]
    run: Callable[[Job, C], Outcome]
    finish: Callable[[Outcome, Workspace, C], Outcome] | None = None
    again: Callable[[Path, Outcome, C], bool] | None = None
    resources: Callable[[C], Resources] = lambda config: Resources()
    resumable: bool = False
    in_process: bool = False

    def key(self, task: Task, config: Section) -> str:
        """The hash of all that the task's result depends on; tasks with equal keys run once."""
        return self.key_maker(config)(task)

    def key_maker(self, config: Section) -> Callable[[Task], str]:
        """:meth:`key` for many tasks; the part that their keys share is encoded and hashed once."""
        common = hashlib.sha256(f"[{','.join(map(key_text, (self.name, self.version, config.keyed())))},".encode())

        def key(task: Task) -> str:
            digest = common.copy()
            digest.update(f"{encode_basestring_ascii(task.id)},{task.text}]".encode())
            return digest.hexdigest()

        return key


def load_stage(name: str) -> Stage[Any]:
    """The stage called ``name``, imported by name so that the ground floor depends on no stage."""
    stage = importlib.import_module(f"flythrough.{name}.stage").STAGE
    assert isinstance(stage, Stage)
    assert stage.name == name
    return stage


def require_extra(stage: str) -> None:
    """Check that a stage's packages are installed, without loading them.

    Raises:
        MissingDependency: one is not; names the extra that brings it.
    """
    missing = [module for module in EXTRAS.get(stage, ()) if importlib.util.find_spec(module) is None]
    if missing:
        raise missing_extra(stage, ", ".join(missing), stage)
