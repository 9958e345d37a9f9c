"""Extra commands of this stage."""

from __future__ import annotations

import typer


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add the stage's commands to the command line."""
