"""Extra commands of sfm/ and options of its run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flythrough.cli.options import WorkspaceOption

RUN_OPTIONS: dict[str, tuple[type, str, str]] = {
    "images": (Path, "sfm.images", "Folder of photos taken as one shot, one second apart (besides the shots table)."),
}


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add ``flythrough sfm view``, ``flythrough sfm report`` and ``flythrough export``."""
    from .export.command import register as register_export

    stage.command("view")(view)
    stage.command("report")(report)
    register_export(app, stage)


def view(
    clip: Annotated[str, typer.Argument(help="The clip's id.")],
    workspace: WorkspaceOption = Path("workspace"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; by default sfm/view/CLIP.html in the workspace.")
    ] = None,
) -> None:
    """Write a page about one clip: points, camera path, frames with disparity, errors."""
    from flythrough.workspace.catalog import Workspace

    from .view.clip_page import write_view

    typer.echo(write_view(Workspace(workspace), clip, output))


def report(
    workspace: WorkspaceOption = Path("workspace"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; by default sfm/report.html in the workspace.")
    ] = None,
) -> None:
    """Write a page about all clips: histograms of speed, height, heading change, coast, light."""
    from flythrough.workspace.catalog import Workspace

    from .view.report_page import write_report

    typer.echo(write_report(Workspace(workspace), output))
