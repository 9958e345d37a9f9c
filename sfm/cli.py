"""Extra commands of sfm/ and options of its run."""

from __future__ import annotations

from pathlib import Path

import typer

RUN_OPTIONS: dict[str, tuple[type, str, str]] = {
    "images": (Path, "sfm.images", "Folder of photos taken as one shot, one second apart (besides the shots table)."),
}


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add the stage's commands."""
    from . import export_cli

    export_cli.register(app, stage)
