"""A small stage over named items, to be run in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import Report, run_stage
from flythrough.workspace.stage import Job, Outcome, Section, Stage, Task

VIDEO = {
    "path": "p", "sha256": "s", "bytes": 1, "width": 1, "height": 1, "fps_num": 1, "fps_den": 1, "time_base_num": 1,
    "time_base_den": 1, "frame_count": 1, "duration_us": 1, "rotation": 0, "pixel_format": "gray",
    "variable_frame_rate": False,
}  # fmt: skip


class ToyConfig(Section):
    unkeyed = frozenset({"items"})
    items: tuple[str, ...] = ("good", "bad", "ugly")
    factor: int = 1


class Toy:
    """A stage over ``items``: good ones give a row, bad ones are dropped, ugly ones fail until fixed."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.ran: list[str] = []
        self.repaired = False
        self.stage = Stage("acquire", 1, "videos", ToyConfig, self.tasks, self.run)

    def tasks(self, workspace: Workspace, config: ToyConfig) -> list[Task]:
        return [Task(item, {"hash": f"of {item}"}) for item in config.items]

    def run(self, job: Job, config: ToyConfig) -> Outcome:
        self.ran.append(job.task.id)
        if job.task.id == "ugly" and not self.repaired:
            raise InputError("ugly is ugly", remedy="Mend it")
        if job.task.id == "bad":
            return Outcome(drops=[{"id": "bad", "reason": "bad", "values": {"badness": 2.5}}])
        file = job.folder / "out.txt"
        file.write_text(str(config.factor))
        return Outcome(rows=[{**VIDEO, "id": job.task.id, "path": job.path_of(file), "bytes": config.factor}])

    def go(self, *, retry_errors: bool = False, **settings: Any) -> Report:
        self.ran.clear()
        return run_stage(self.stage, self.workspace, ToyConfig(**settings), InlineExecutor(), retry_errors=retry_errors)
