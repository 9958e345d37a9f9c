"""Commands that keep a workspace in order, or take it elsewhere: verify, gc, push, pull."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ..workspace.printing import escaped
from .options import JsonOption, WorkspaceOption
from .tools import existing

app = typer.Typer()


@app.command()
def verify(
    workspace: WorkspaceOption = Path("workspace"),
    repair: Annotated[
        bool, typer.Option("--repair", help="Remove what is broken; the next run makes it again.")
    ] = False,
    json_: JsonOption = False,
) -> None:
    """Check every finished task's output by size and hash; exits with 1 if something is broken or missing."""
    from ..workspace.upkeep.verify import repair as remove_broken
    from ..workspace.upkeep.verify import verify as check_all

    held = existing(workspace)
    with held.locked(writing=repair):
        check = check_all(held)
        removed = remove_broken(held, check.findings) if repair else []
    if json_:
        print(json.dumps({**asdict(check), "removed": removed}))
    else:
        for finding in check.findings:
            rows = f" ({', '.join(finding.rows)})" if finding.rows else ""
            print(escaped(f"{finding.path} {finding.problem}{rows}"))
        if check.unknown:
            print(f"{len(check.unknown)} tasks were not checked: the version that wrote them recorded no hashes")
        print(
            f"{check.tasks} tasks, {check.files} files, {check.bytes / 1e9:.3g} GB: "
            + (f"{len(check.findings)} broken or missing" if check.findings else "all intact")
        )
        for path in removed:
            print(escaped(f"removed {path}"))
        if check.findings:
            again = f"flythrough run --workspace {workspace}"
            print(
                f"Run: {again}" if repair else f"Run: flythrough verify --repair --workspace {workspace}, then: {again}"
            )
    if check.findings and not repair:
        raise typer.Exit(1)


@app.command()
def gc(
    workspace: WorkspaceOption = Path("workspace"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    json_: JsonOption = False,
) -> None:
    """Remove outputs of earlier settings and leftovers of killed attempts; current outputs stay."""
    from ..workspace.upkeep.collect import garbage, remove

    held = existing(workspace)
    with held.locked(writing=not dry_run):
        found, unknown = garbage(held)
        if not dry_run:
            remove(held, found)
    total = sum(each.bytes for each in found)
    if json_:
        folders = [asdict(each) for each in found]
        print(json.dumps({"folders": folders, "bytes": total, "kept_whole": unknown, "removed": not dry_run}))
        return
    for each in found:
        print(escaped(f"{each.bytes:>14,}  {each.path}  ({each.why})"))
    if unknown:
        print(f"Nothing removed of stages last run by an earlier version: {', '.join(unknown)}")
    print(f"{'Would remove' if dry_run else 'Removed'} {len(found)} folders, {total / 1e6:,.1f} MB")


_Address = Annotated[
    str, typer.Argument(metavar="ADDRESS", help="s3://BUCKET/FOLDER, gs://..., hdfs://..., or a folder.")
]


@app.command()
def push(address: _Address, workspace: WorkspaceOption = Path("workspace")) -> None:
    """Send the workspace to object storage; what is already there is not sent again."""
    from ..workspace.upkeep.remote import push as send
    from ..workspace.upkeep.remote import shown

    held = existing(workspace)
    with held.locked(writing=False):
        sent = send(held, address)
    print(f"{sent.files} files, of which {sent.moved} were sent ({sent.bytes / 1e9:.3g} GB), each under its SHA-256")
    print(f"Elsewhere: flythrough pull {shown(address)} --workspace {workspace}")


@app.command()
def pull(address: _Address, workspace: WorkspaceOption = Path("workspace")) -> None:
    """Fetch a workspace from object storage, checking every file's hash; what is already here is not fetched again."""
    from ..workspace.catalog import Workspace
    from ..workspace.upkeep.remote import pull as fetch

    held = Workspace(workspace)
    with held.locked():
        fetched = fetch(held, address)
    print(f"{fetched.files} files, of which {fetched.moved} were fetched ({fetched.bytes / 1e9:.3g} GB), all intact")
