"""Commands: what could not be had, and why."""

from __future__ import annotations

from pathlib import Path

import typer

RUN_OPTIONS: dict[str, tuple[type, str, str]] = {
    "camera_files": (Path, "acquire.camera_files", "Folder of RealEstate10K / ACID camera files to rebuild."),
    "license": (str, "acquire.rules.license", "any, or creative-commons."),
}


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add this stage's commands."""
