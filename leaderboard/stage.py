"""leaderboard/: the results as a site. One task, whose files go to ``leaderboard/``, with ``index.html``."""

from __future__ import annotations

import gc
from collections.abc import Iterator

from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import JsonObject, read_json, write_json
from flythrough.workspace.stage import Job, Outcome, Resources, Stage, Task

from .config import LeaderboardConfig

HELD = "held.json"  # beside the site, not a part of it: each result's date by the SHA-256 of its file
MANY = 200  # results from which several processes write the site


def tasks(workspace: Workspace, config: LeaderboardConfig) -> Iterator[Task]:
    """One task: the page.

    Raises:
        InputError: there is neither a table of results nor a results file.
    """
    from flythrough.errors import InputError
    from flythrough.results.collected import results_files
    from flythrough.workspace.files import sha256_of

    from .store import LOG, listed_files
    from .tiers import NO_RESULTS

    results: JsonObject | str
    if workspace.has("results"):
        named = {row["results_file"] for row in workspace.scan("results", ["results_file"])}
        results = sha256_of(workspace.table_file("results"))
    else:
        results = {file.as_posix(): sha256_of(workspace / str(file)) for file in results_files(workspace.root)}
        named = set(results)
    if not named:
        raise InputError(f"{workspace.root} has no results", remedy=NO_RESULTS)
    yield Task(
        id="page",
        inputs={
            "results": results,
            "files": sorted(named - {None}),
            "submissions": [sha256_of(file) for file in listed_files(workspace)],
            "log": sha256_of(workspace / LOG) if (workspace / LOG).is_file() else None,
            "report": (workspace / "evaluate" / "report.html").is_file(),
        },
    )


def run(job: Job, config: LeaderboardConfig) -> Outcome:
    """Write the site, and the list of its files."""
    from flythrough.workspace.worker import usable_cores

    from .site.build import site_parts
    from .site.listing import write_parts
    from .standing.gather import gather
    from .standing.holdings import dates_of

    collects = gc.isenabled()
    gc.disable()  # up to 10^7 objects stay alive: scanning them takes a fifth of the time
    try:
        standing = gather(Workspace(job.workspace))
        many = len(standing.held) > MANY
        write_parts(job.folder, site_parts(standing, config), usable_cores() if many else 1)
        write_json(job.folder / HELD, dates_of(standing.held))
    finally:
        if collects:
            gc.enable()
    return Outcome(rows=[{"id": job.task.id, "folder": job.published}])


def finish(outcome: Outcome, workspace: Workspace, config: LeaderboardConfig) -> Outcome:
    """Put the site in place, and record when each result first appeared on it."""
    from .site.listing import update_site
    from .standing.holdings import remember_dates

    for row in outcome.rows:
        remember_dates(workspace, read_json(workspace / row["folder"] / HELD))
        update_site(workspace / row["folder"], workspace / "leaderboard", linked=True)
    return outcome


STAGE = Stage(
    name="leaderboard",
    version=10,
    table=None,
    config=LeaderboardConfig,
    tasks=tasks,
    run=run,
    finish=finish,
    resources=lambda config: Resources(cpus=1, memory_gb=1.0),
)
