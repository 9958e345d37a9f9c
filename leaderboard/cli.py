"""Subcommands of ``flythrough leaderboard``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from flythrough.cli.options import JsonOption, WorkspaceOption

from .publishing.command import publish

RUN_OPTIONS: dict[str, tuple[type, str, str]] = {}
SubmissionArgument = Annotated[
    Path, typer.Argument(help="What flythrough leaderboard pack wrote, such a zip unpacked, or a results.json.")
]
RescoreOption = Annotated[
    bool, typer.Option("--rescore", help="Score the frames inside again, by flythrough evaluate (needs torch).")
]


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add the stage's commands."""
    for command in (pack, check, add, remove, export, init_repository, publish):
        stage.command()(command)
    stage.command("list")(list_held)


def pack(
    source: Annotated[
        Path, typer.Argument(help="results.json, or a folder with it and the frames, which are then included.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The zip to write.")],
) -> None:
    """Pack results, and frames if they are to be scored again, as one zip to submit."""
    from .package import pack as run

    submission = run(source, out)
    frames = sum(submission.flights.values())
    print(f"{out}: {submission.result.method.name} on {submission.result.protocol.name}, {frames} frames")


def check(
    submissions: Annotated[list[Path], typer.Argument(help="Zips, unpacked zips or results.json.")],
    workspace: WorkspaceOption = Path("workspace"),
    markdown: Annotated[bool, typer.Option("--markdown", help="Print a table, for a comment.")] = False,
    rescore: RescoreOption = False,
) -> None:
    """Check submissions as add does, without writing: one line each, and exit code 1 if any is refused."""
    from flythrough.cli.tools import existing

    from .verdicts import as_lines, as_markdown, verdict

    held = existing(workspace)
    found = [verdict(held, path, rescore=rescore) for path in submissions]
    print(as_markdown(found) if markdown else as_lines(found), end="")
    if any(each.refused for each in found):
        raise typer.Exit(1)


def add(
    submission: SubmissionArgument,
    workspace: WorkspaceOption = Path("workspace"),
    replace: Annotated[bool, typer.Option("--replace", help="Supersede an earlier one of this name; it is kept.")] = (
        False
    ),
    rescore: RescoreOption = False,
) -> None:
    """Check submitted results against those measured here, and list them; with --rescore, as scored here."""
    from flythrough.errors import InputError
    from flythrough.results.schema import read_result
    from flythrough.workspace.catalog import Workspace

    from .submissions import add_submission, check_submission, describe

    if rescore:
        from .rescore import rescore as run

        if replace:
            problem = "--replace is about submitted numbers, and --rescore lists those scored here"
            raise InputError(problem, remedy="Leave one of the two out")
        check_submission(Workspace(workspace), submission)
        run(Workspace(workspace), submission, keep=True)
        print(f"Scored here. Run this to show it: flythrough leaderboard --workspace {workspace}")
        return
    kept = add_submission(Workspace(workspace), submission, replace=replace)
    found = ", ".join(f"{name} {value}" for name, value in describe(read_result(kept)).items())
    print(f"Accepted: {found}\nRun this to show it: flythrough leaderboard --workspace {workspace}")


def list_held(workspace: WorkspaceOption = Path("workspace"), json_: JsonOption = False) -> None:
    """List what the page shows: method, protocol, tier, date and digest."""
    import json

    from flythrough.cli.tools import existing
    from flythrough.workspace.printing import print_table

    from .standing.holdings import holdings

    found = holdings(existing(workspace))
    if json_:
        print(json.dumps([each.stated for each in found], indent=1))
        return
    rows = [[e.method, e.result.protocol.name, e.tier, e.date, e.sha256[:12]] for e in found]
    print_table(["method", "protocol", "tier", "date", "sha256"], rows)


def remove(
    method: Annotated[str, typer.Argument(help="Name of a method that was handed in.")],
    workspace: WorkspaceOption = Path("workspace"),
    protocol: Annotated[str | None, typer.Option("--protocol", "-p", help="Its name, or the start of its hash.")] = (
        None
    ),
) -> None:
    """Withdraw a submission: the page no longer shows it; its file and a record of it are kept."""
    from flythrough.cli.tools import existing

    from . import store

    held = existing(workspace)
    with store.locked(held):
        kept = store.withdraw(held, method, protocol)
    print(f"Withdrawn, not deleted: {kept} holds it, {held / store.LOG} records it")
    print(f"Run this for a page without it: flythrough leaderboard --workspace {workspace}")


def export(
    format: Annotated[
        str,
        typer.Option("--format", help="csv, latex, markdown, bibtex, starts, atom, every-eval-ever or huggingface."),
    ],
    workspace: WorkspaceOption = Path("workspace"),
    out: Annotated[Path | None, typer.Option(help="Folder; by default WORKSPACE/leaderboard/export.")] = None,
    organization: Annotated[str, typer.Option(help="Who runs the leaderboard (every-eval-ever).")] = "unknown",
    dataset: Annotated[str, typer.Option(help="Benchmark dataset on the Hub, OWNER/NAME (huggingface).")] = "",
    source_url: Annotated[str, typer.Option(help="Where the leaderboard stands (huggingface).")] = "",
    base_url: Annotated[str, typer.Option(help="Where the page stands; by default links are relative (atom).")] = "",
) -> None:
    """Write the leaderboard as files that papers and other programs read."""
    from flythrough.workspace.catalog import Workspace

    from .exports.export import exported, write_export

    held, more = Workspace(workspace), {"source_url": source_url, "base_url": base_url}
    files = exported(held, format, organization=organization, dataset=dataset, **more)
    for path in write_export(files, out or held / "leaderboard" / "export"):
        print(path)


def init_repository(
    folder: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    workspace: WorkspaceOption = Path("workspace"),
) -> None:
    """Make a results repository: others submit by pull request; a workflow checks, comments and rebuilds the page."""
    from flythrough.cli.tools import existing

    from .exports.repository import make_repository, not_released

    for path in make_repository(existing(workspace), folder):
        print(path)
    if problem := not_released():
        print(problem, file=sys.stderr)
    print(f"Next: read {folder}/README.md, fill in its section Data, then git init and push it to a host")
