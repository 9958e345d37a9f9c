"""``flythrough export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flythrough.cli.options import JsonOption, WorkspaceOption


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add the command."""
    app.command("export")(export_command)


def export_command(
    format_: Annotated[
        str, typer.Option("--format", help="realestate10k, colmap, nerfstudio, pixelsplat, webdataset or huggingface.")
    ],
    workspace: WorkspaceOption = Path("workspace"),
    out: Annotated[Path | None, typer.Option(help="Folder to write; if not given, WORKSPACE/export/FORMAT.")] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="Write frames too: only if you may redistribute them.")
    ] = False,
    split: Annotated[list[str], typer.Option(help="Only this split. Repeatable.")] = [],  # noqa: B006
    json_: JsonOption = False,
) -> None:
    """Write the clips in a format that other code reads; by default cameras, URLs and timestamps without frames."""
    import json

    from flythrough.workspace.catalog import Workspace

    from .door import export

    found = export(
        Workspace(workspace), format_, out or workspace / "export" / format_, frames=frames, splits=tuple(split)
    )
    if json_:
        print(json.dumps({"folder": str(found.folder), "clips": found.clips, "without_frames": found.without_frames}))
        return
    print(
        f"{found.clips} clips in {found.folder.absolute()}" + ("" if frames else " (no frames: add --frames for them)")
    )
    if found.without_frames:
        print(f"{len(found.without_frames)} of them have no frames in the workspace: cameras only")
