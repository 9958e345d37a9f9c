"""Command-line options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import ConfigError, InputError


def folder_name(given: str | Path) -> Path:
    """A folder as given on the command line.

    Raises:
        InputError: it is empty, which as a path would be the current folder, or not UTF-8, which no table can hold.
    """
    name = str(given)
    if not name.strip():
        raise InputError("The workspace's name is empty", remedy="Name a folder; this one is: --workspace .")
    if name != name.encode("utf-8", "replace").decode("utf-8"):
        raise InputError(f"{name!a} is not UTF-8", remedy="Rename the folder, or choose another")
    return Path(name)


def settings_file(given: str) -> Path:
    """A settings file as given on the command line.

    Raises:
        ConfigError: it is not a file.
    """
    file = Path(given)
    if not file.is_file():
        raise ConfigError(f"{file} is not a file", remedy="Check --config")
    return file


WorkspaceOption = Annotated[
    Path,
    typer.Option("--workspace", "-w", parser=folder_name, metavar="PATH", help="Folder that holds tables and outputs."),
]
SettingOption = Annotated[list[str], typer.Option("--set", help="Override a setting: section.key=value. Repeatable.")]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config", parser=settings_file, metavar="PATH", help="TOML file; by default WORKSPACE/flythrough.toml."
    ),
]
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
