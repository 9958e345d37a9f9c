"""The stage's front door: an entry a task; each ends as a video, a drop with its reason, or an error with its kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flythrough.catalog import Row, Workspace
from flythrough.errors import FlythroughError
from flythrough.files import content_key
from flythrough.stage import Job, Outcome, Resources, Section, Stage, Task

from .config import AcquireConfig


class _Acquire(Stage):
    def key(self, task: Task, config: Section) -> str:
        """As any stage's, less the settings that say where entries come from and how to fetch them."""
        assert isinstance(config, AcquireConfig)
        values = config.model_dump(mode="json", exclude=set(config.OUTSIDE_KEY))
        values["download"] = {name: values["download"][name] for name in sorted(config.DOWNLOAD_IN_KEY)}
        return content_key(self.name, self.version, values, task.id, task.inputs)


def tasks(workspace: Workspace, config: AcquireConfig) -> Iterator[Task]:
    """A task for every entry of every source, in the order given."""
    from .sources import entries

    for entry in entries(workspace, config):
        yield entry.task()


def run(job: Job, config: AcquireConfig) -> Outcome:
    """Get one entry's video, verify it, and put it into the workspace."""
    kind = job.task.inputs["kind"]
    if kind == "failed":
        raise FlythroughError(**job.task.inputs["failure"])
    if kind == "repeat":
        values = {"of": job.task.inputs["of"], "where": job.task.inputs["where"]}
        return Outcome(drops=[{"id": job.task.id, "reason": "listed before", "values": values}])
    if kind == "file":
        return _local(job, config)
    return _remote(job, config)


def finish(outcome: Outcome, workspace: Workspace, config: AcquireConfig) -> Outcome:
    """Drop what is there twice."""
    return outcome


def _local(job: Job, config: AcquireConfig) -> Outcome:
    from .store import Provenance, place, tools
    from .verify import check_readable

    source = Path(job.task.hints["path"])
    check_readable(source)
    video = job.folder / f"video{source.suffix.lower()}"
    place(source, video)
    return _examined(job, config, video, str(source), Provenance(tools=tools()))


def _remote(job: Job, config: AcquireConfig) -> Outcome:
    from .download import Fetcher
    from .store import Provenance, Shelf, place, tools

    url = job.task.inputs["url"]
    shelf = Shelf(job.workspace, job.task.id)
    with shelf.locked():
        provenance = shelf.found()
        if provenance is None:
            Fetcher(config.download, job.workspace / "acquire" / ".hosts").fetch(url, shelf.target)
            provenance = shelf.put(Provenance(url=url, tools=tools()))
        video = job.folder / f"video{_suffix(url)}"
        place(shelf.target, video)
        try:
            return _examined(job, config, video, url, provenance)
        except FlythroughError:
            shelf.clear()
            raise


def _examined(job: Job, config: AcquireConfig, video: Path, name: str, provenance: Any) -> Outcome:
    from flythrough.files import write_json

    from .verify import verify

    facts = verify(video, name, config.verify)
    row: Row = {"id": job.task.id, "path": job.path_of(video), **facts.columns(), **provenance.columns()}
    write_json(job.folder / "provenance.json", row)
    return Outcome(rows=[row])


def _suffix(url: str) -> str:
    from urllib.parse import urlsplit

    from .entries import VIDEO_SUFFIXES

    suffix = Path(urlsplit(url).path).suffix.lower()
    return suffix if suffix in VIDEO_SUFFIXES else ".mp4"


STAGE = _Acquire(
    name="acquire",
    version=1,
    table="videos",
    config=AcquireConfig,
    tasks=tasks,
    run=run,
    finish=finish,
    resources=lambda config: Resources(cpus=0.25, memory_gb=0.5),
)
