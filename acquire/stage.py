"""The front door: one entry per task, which ends as a video, a drop with its reason, or an error with its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from flythrough.errors import FlythroughError, InputError
from flythrough.workspace.addresses import AddressKeys
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import content_key
from flythrough.workspace.stage import Job, Outcome, Resources, Section, Stage, Task

from .config import AcquireConfig
from .rules import Rules, for_listed

if TYPE_CHECKING:
    from .fetch.store import Provenance


class _Acquire(Stage[AcquireConfig]):
    def key_maker(self, config: Section) -> Callable[[Task], str]:
        """As any stage's, over the settings that a task's result depends on."""
        assert isinstance(config, AcquireConfig)
        return lambda task: self._key(task, config)

    def _key(self, task: Task, config: AcquireConfig) -> str:
        """As any stage's, over the settings that this task's result depends on.

        Where an entry was listed and how it is fetched change no result, so a longer list or a slower rate runs
        nothing again; nor do rules run a file again that they do not apply to.
        """
        rules, kind = _rules(task, config), task.inputs["kind"]
        values: dict[str, Section | int | None] = {"verify": config.verify, "rules": rules}
        if kind != "file":
            values |= {"budget": config.budget, "max_height_px": config.download.max_height_px}
        if kind == "cameras":
            values["frames"] = config.frames
        plain = {name: value.keyed() if isinstance(value, Section) else value for name, value in values.items()}
        return content_key(self.name, self.version, plain, task.id, task.inputs)


def tasks(workspace: Workspace, config: AcquireConfig) -> Iterator[Task]:
    """A task for every entry of every source, in the order given."""
    from .report import write_entries
    from .sources.expand import entries

    found = list(entries(workspace, config))
    if not found:
        raise InputError(
            "There is nothing to acquire",
            remedy="Give files, folders, lists or URLs with --input, camera files with --camera-files, "
            "or [[acquire.sources]] in flythrough.toml",
        )
    write_entries(workspace, found)
    yield from (entry.task() for entry in found)


def run(job: Job, config: AcquireConfig) -> Outcome:
    """Download one entry's video, verify it, and add it to the workspace."""
    from .fetch.budget import OverBudget
    from .rules import Rejected

    inputs = job.task.inputs
    if inputs["kind"] == "failed":
        raise FlythroughError(**inputs["failure"])
    if inputs["kind"] == "repeat":
        return _drop(job, "listed before", {"of": inputs["of"], "where": inputs["where"]})
    try:
        return _local(job, config) if inputs["kind"] == "file" else _remote(job, config)
    except Rejected as rejected:
        return _drop(job, rejected.reason, rejected.values)
    except OverBudget as over:
        return _drop(job, over.reason, {})


def finish(outcome: Outcome, workspace: Workspace, config: AcquireConfig) -> Outcome:
    """Drop duplicates; account for given clips; record where everything came from."""
    from .citations import write_citations
    from .clip_report import account_for_clips, write_coverage
    from .sources.camera_files import read_index
    from .sources.expand import camera_folder
    from .verify.likeness import duplicates

    given = frozenset(row["id"] for row in outcome.rows if row["camera_folder"])
    double = duplicates(outcome.rows, config.verify.duplicate_bits, keep=given)
    outcome.drops.extend(
        {"id": id, "reason": reason, "values": {"of": original}} for id, (reason, original) in double.items()
    )
    outcome.rows = [row for row in outcome.rows if row["id"] not in double]
    outcome.others.setdefault("clips", [])
    folder = camera_folder(workspace, config)
    if folder is not None and folder.is_dir():
        index = read_index(folder, AddressKeys(workspace.root))
        account_for_clips(outcome, index)
        write_coverage(outcome, index, workspace / "acquire")
    write_citations(outcome.rows, workspace / "CITATIONS.md")
    return outcome


def _local(job: Job, config: AcquireConfig) -> Outcome:
    from .fetch.store import Provenance, copy, place, tools
    from .verify.integrity import check_readable

    source = Path(job.task.hints["path"])
    check_readable(source)
    video = job.folder / f"video{source.suffix.lower()}"
    (place if config.link_inputs else copy)(source, video)
    return _examined(job, config, video, str(source), Provenance(tools=tools()))


def _remote(job: Job, config: AcquireConfig) -> Outcome:
    from .failures import FetchError
    from .fetch.budget import ByteBudget
    from .fetch.download import Fetcher
    from .fetch.remote import Remote
    from .fetch.store import DownloadCache, place
    from .rules import Candidate, Rejected, check

    url = job.task.inputs["url"]
    rules = _rules(job.task, config)
    if rules and job.task.hints.get("title"):  # what the list states may be enough to drop it
        check(Candidate(job.task.hints["title"], duration_s=job.task.hints["duration_s"]), rules, final=False)
    cache, budget = DownloadCache(job.workspace, job.task.id), ByteBudget(job.workspace, config.budget)
    fetcher = Fetcher(config.download, job.workspace / "acquire" / ".hosts", lambda n: budget.spend(cache.id, n))
    address = job.task.hints.get("address", url if "mark" not in job.task.inputs else None)
    with cache.locked():
        provenance = Remote(address, url, cache, fetcher, budget, config, rules).obtain()
        video = job.folder / f"video{provenance.suffix}"
        place(cache.target, video)
        try:
            outcome = _examined(job, config, video, url, provenance)
        except FetchError:
            budget.fail(cache.id, wasted=cache.target.stat().st_size)
            cache.clear()  # so that the next attempt downloads it again
            raise
        except Rejected:
            budget.reject(cache.id)
            raise
    budget.note(cache.id, duration_s=outcome.rows[0]["duration_us"] / 1e6)
    if job.task.inputs["kind"] == "cameras":
        from .given import given_clips

        given_clips(job, video, outcome, config.frames)
    return outcome


def _examined(job: Job, config: AcquireConfig, video: Path, name: str, provenance: Provenance) -> Outcome:
    """Verify a file in the job's folder, apply the rules to it, and describe it."""
    from flythrough.workspace.files import write_json

    from .verify.examine import examine

    facts, provenance, scored = examine(video, name, provenance, config.verify, _rules(job.task, config))
    row = {"id": job.task.id, "path": job.path_of(video), **facts, **provenance.columns(), "camera_folder": None}
    write_json(job.folder / "provenance.json", {**row, "scored": scored, "file_name": job.task.inputs.get("name")})
    return Outcome(rows=[row])


def _rules(task: Task, config: AcquireConfig) -> Rules | None:
    """The rules that apply to a task's video; none apply to those of camera files."""
    kind = task.inputs["kind"]
    if kind == "cameras":
        return None
    if task.inputs.get("found") or config.rules.apply_to == "all":
        return config.rules
    return for_listed(config.rules) if kind == "url" else None


def _drop(job: Job, reason: str, values: dict[str, object]) -> Outcome:
    for file in job.folder.iterdir():
        file.unlink()
    return Outcome(drops=[{"id": job.task.id, "reason": reason, "values": values}])


STAGE = _Acquire(
    name="acquire",
    version=2,
    table="videos",
    config=AcquireConfig,
    tasks=tasks,
    run=run,
    finish=finish,
    resources=lambda config: Resources(cpus=0.5, memory_gb=0.5),  # waits as much as it works
)
