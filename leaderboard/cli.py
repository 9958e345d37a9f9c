"""Extra commands of leaderboard/."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flythrough.cli.options import WorkspaceOption

RUN_OPTIONS: dict[str, tuple[type, str, str]] = {}


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add the stage's commands."""
    stage.command("add")(add)
    stage.command("export")(export)


def add(
    results: Annotated[Path, typer.Argument(help="results.json that flythrough evaluate wrote for a method.")],
    workspace: WorkspaceOption = Path("workspace"),
    replace: Annotated[bool, typer.Option("--replace", help="Take the place of an earlier one of this name.")] = False,
) -> None:
    """Check somebody's results against those measured here, and list them."""
    from flythrough.results.schema import read_result
    from flythrough.workspace.catalog import Workspace

    from .submissions import add_submission, describe

    held = Workspace(workspace)
    with held.locked():
        kept = add_submission(held, results, replace=replace)
    found = ", ".join(f"{name} {value}" for name, value in describe(read_result(kept)).items())
    print(f"Accepted: {found}\nRun this to show it: flythrough leaderboard --workspace {workspace}")


def export(
    format: Annotated[
        str, typer.Option("--format", help="csv, latex, markdown, bibtex, every-eval-ever or huggingface.")
    ],
    workspace: WorkspaceOption = Path("workspace"),
    out: Annotated[Path | None, typer.Option(help="Folder; by default WORKSPACE/leaderboard/export.")] = None,
    organization: Annotated[str, typer.Option(help="Who runs the leaderboard (every-eval-ever).")] = "unknown",
    dataset: Annotated[str, typer.Option(help="Benchmark dataset on the Hub, OWNER/NAME (huggingface).")] = "",
    source_url: Annotated[str, typer.Option(help="Where the leaderboard stands (huggingface).")] = "",
) -> None:
    """Write the leaderboard as files that papers and other programs read."""
    from flythrough.workspace.catalog import Workspace

    from .exports.export import exported, write_export

    held = Workspace(workspace)
    files = exported(held, format, organization=organization, dataset=dataset, source_url=source_url)
    for path in write_export(files, out or held / "leaderboard" / "export"):
        print(path)
