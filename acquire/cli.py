"""Commands: report failures, and repeat searches and channel listings."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flythrough.cli.options import JsonOption, WorkspaceOption

RUN_OPTIONS: dict[str, tuple[type, str, str]] = {
    "camera_files": (Path, "acquire.camera_files", "Folder of RealEstate10K / ACID camera files to rebuild."),
    "license": (str, "acquire.rules.license", "any, or creative-commons."),
}


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add this stage's commands."""
    stage.command("report")(report)
    stage.command("refresh")(refresh)


def report(
    workspace: WorkspaceOption = Path("workspace"),
    csv: Annotated[Path | None, typer.Option(help="Where to write; by default WORKSPACE/acquire/report.csv.")] = None,
    json_: JsonOption = False,
) -> None:
    """Count the outcome of every entry, and write a CSV with a line for each."""
    import json

    from flythrough.workspace.catalog import Workspace
    from flythrough.workspace.printing import print_table

    from .report import report as collect
    from .report import write_report

    lines, counts = collect(Workspace(workspace))
    file = csv or workspace / "acquire" / "report.csv"
    write_report(lines, file)
    if json_:
        print(json.dumps({**counts, "csv": str(file)}))
        return
    rows = [["videos", "", counts["videos"]]]
    rows += [["dropped", reason, count] for reason, count in counts["drops"].items()]
    rows += [["only scored", reason, count] for reason, count in counts["scored"].items()]
    rows += [["error", kind, count] for kind, count in counts["errors"].items()]
    print_table(["outcome", "why", "entries"], [*rows, ["all", "", counts["entries"]]])
    if counts["clips"]:
        print()
        states = ("whole", "partial", "missing")
        rows = [[split, *(found[state] for state in states)] for split, found in counts["clips"].items()]
        print_table(["clips", *states], rows)
    print(f"\n{file}")


def refresh(workspace: WorkspaceOption = Path("workspace")) -> None:
    """Forget what searches, channels and playlists listed, so that the next run asks them again."""
    import shutil

    from flythrough.errors import InputError
    from flythrough.workspace.catalog import Workspace

    from .sources.expand import lists_folder

    here = Workspace(workspace)
    if not (here / "acquire").is_dir():
        raise InputError(f"{workspace} has no acquire to refresh", remedy="Check --workspace")
    with here.locked():
        folder = lists_folder(here)
        count = len(list(folder.glob("*.json")))
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{count} lists forgotten; flythrough acquire asks again")
