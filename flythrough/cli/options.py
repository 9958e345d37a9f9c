"""Command-line options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

WorkspaceOption = Annotated[Path, typer.Option("--workspace", "-w", help="Folder that holds tables and outputs.")]
SettingOption = Annotated[list[str], typer.Option("--set", help="Override a setting: section.key=value. Repeatable.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file; by default WORKSPACE/flythrough.toml.")]
ExecutorOption = Annotated[str, typer.Option("--executor", help="Where tasks run: local, ray or inline.")]
AddressOption = Annotated[
    str | None, typer.Option("--ray-address", help="Ray cluster; by default one is started here.")
]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Local processes; by default as cores and memory allow.")
]
RetryOption = Annotated[bool, typer.Option("--retry-errors", help="Also run again the tasks in error.")]
NewOption = Annotated[bool, typer.Option("--new", help="Create the workspace if it does not exist.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
InputOption = Annotated[
    list[str],
    typer.Option("--input", "-i", help="Video file, folder, list or URL; the workspace remembers it. Repeatable."),
]
