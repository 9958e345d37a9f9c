"""leaderboard/: the results table as a page. One task; it is put at ``leaderboard/index.html``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from flythrough.workspace.catalog import Workspace
from flythrough.workspace.stage import Job, Outcome, Resources, Stage, Task

from .config import LeaderboardConfig

PAGE, DATA, FEED, STARTS = "index.html", "leaderboard.json", "feed.xml", "starts.jsonl"


def tasks(workspace: Workspace, config: LeaderboardConfig) -> Iterator[Task]:
    """One task: the page.

    Raises:
        InputError: nothing was measured yet.
    """
    from flythrough.errors import InputError
    from flythrough.workspace.files import sha256_of

    from .store import LOG, listed_files

    rows = workspace.rows("results")
    if not rows:
        raise InputError(f"{workspace.root} has no results", remedy="Run flythrough evaluate first")
    files = sorted({row["results_file"] for row in rows if row["results_file"]})
    yield Task(
        id="page",
        inputs={
            "results": sha256_of(workspace.table_file("results")),
            "files": files,
            "submissions": [sha256_of(file) for file in listed_files(workspace)],
            "log": sha256_of(workspace / LOG) if (workspace / LOG).is_file() else None,
            "report": (workspace / "evaluate" / "report.html").is_file(),
        },
    )


def run(job: Job, config: LeaderboardConfig) -> Outcome:
    """Write the page and its data."""
    from flythrough.results.ranking import as_json
    from flythrough.workspace.files import write_json, write_text

    from .exports.feed import as_atom
    from .exports.holdings import as_jsonl, holdings
    from .gather import gather
    from .reported import reported_json
    from .site.page import leaderboard_page

    workspace = Workspace(job.workspace)
    standing, held = gather(workspace), holdings(workspace)
    write_text(job.folder / PAGE, leaderboard_page(standing, config))
    write_json(job.folder / DATA, as_json(standing.protocols, reported_json(standing.reported)))
    write_text(job.folder / FEED, as_atom(held, title=config.title, base_url=config.base_url))
    write_text(job.folder / STARTS, as_jsonl(held))
    return Outcome(rows=[{"id": job.task.id, "folder": job.published}])


def finish(outcome: Outcome, workspace: Workspace, config: Any) -> Outcome:
    """Put the page where readers look for it, and remember when each result was first on it."""
    from flythrough.workspace.files import write_text

    from .exports.holdings import remember_dates

    remember_dates(workspace)
    for row in outcome.rows:
        for name in (PAGE, DATA, FEED, STARTS):
            text = (workspace / row["folder"] / name).read_text(encoding="utf-8")
            write_text(workspace / "leaderboard" / name, text)
    return outcome


STAGE = Stage(
    name="leaderboard",
    version=6,
    table=None,
    config=LeaderboardConfig,
    tasks=tasks,
    run=run,
    finish=finish,
    resources=lambda config: Resources(cpus=1, memory_gb=1.0),
)
