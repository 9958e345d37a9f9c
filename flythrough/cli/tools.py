"""Commands that inspect or prepare: init, status, show, config, sample, weights, doctor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from ..workspace.printing import escaped, print_table
from .options import ConfigOption, JsonOption, SettingOption, WorkspaceOption, folder_name

if TYPE_CHECKING:
    from ..workspace.catalog import Workspace

app = typer.Typer()


@app.command()
def init(
    workspace: Annotated[Path, typer.Argument(parser=folder_name, metavar="DIR", help="The workspace's folder.")],
) -> None:
    """Create an empty workspace with a flythrough.toml to fill in."""
    from ..workspace.catalog import Workspace
    from ..workspace.config import TEMPLATE
    from ..workspace.files import write_text

    made = Workspace(workspace)
    if made.exists():
        raise InputError(f"{workspace} is already a workspace", remedy=f"Continue with: flythrough run -w {workspace}")
    write_text(made.config_file, TEMPLATE)
    print(made.config_file)


@app.command()
def status(
    workspace: WorkspaceOption = Path("workspace"),
    plan: Annotated[bool, typer.Option(help="List the tasks that a run would do, given --config and --set.")] = False,
    config: ConfigOption = None,
    set_: SettingOption = [],  # noqa: B006
    json_: JsonOption = False,
) -> None:
    """Show the funnel: what entered each stage and its outcome; or what a run would do."""
    from ..workspace.inspection import funnel

    if plan or set_ or config:  # settings matter to a plan alone
        _print_plan(existing(workspace), config, set_, json_)
        return
    found = funnel(existing(workspace))
    if json_:
        print(json.dumps(found))
        return
    columns = ("stage", "tasks", "done", "failed", "rows", "dropped", "errors", "seconds", "cpu_seconds")
    print_table(list(columns), [[row.get(key) for key in columns] for row in found["stages"]])
    for title, counts in (("Dropped", found["drops"]), ("In error", found["errors"])):
        if counts:
            print(f"\n{title}:")
            print_table(["stage", "reason", "count"], [[c["stage"], c["reason"], c["count"]] for c in counts])


def _print_plan(workspace: Workspace, config_file: Path | None, settings: list[str], as_json: bool) -> None:
    from ..workspace.config import load_config
    from ..workspace.inputs import as_setting, known_inputs
    from ..workspace.inspection import plan

    config = load_config(config_file or workspace.config_file, [*settings, *as_setting(known_inputs(workspace))])
    stages = plan(workspace, config)
    if as_json:
        print(json.dumps({"stages": stages}))
        return
    rows = [
        [
            s["stage"],
            s["tasks"],
            len(s["would_run"]),
            len(s["in_error"]),
            escaped(s.get("waits_for") or ", ".join(s["after"])),
        ]
        for s in stages
    ]
    print_table(["stage", "tasks", "would run", "in error", "after"], rows)
    for stage in stages:
        for id in stage["would_run"]:
            print(f"{stage['stage']}: {escaped(id)}")


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="Id of a video, shot, clip, checkpoint or task.")],
    workspace: WorkspaceOption = Path("workspace"),
    json_: JsonOption = False,
) -> None:
    """Show one item's history: every row, drop, error and log that names it."""
    from ..workspace.inspection import history

    found = history(existing(workspace), id)
    if json_:
        print(json.dumps(found))
        return
    for entry in found:
        print(f"\n{entry['table']}")
        for key, value in entry["row"].items():
            if value is not None:
                print(f"  {key:20} {escaped(str(value))}")


@app.command("config")
def config_(
    workspace: WorkspaceOption = Path("workspace"), config: ConfigOption = None, set_: SettingOption = []  # noqa: B006
) -> None:  # fmt: skip
    """Print the effective config with each field's help; it can be saved as flythrough.toml."""
    from ..workspace.catalog import Workspace
    from ..workspace.config import describe, load_config

    print(describe(load_config(config or Workspace(workspace).config_file, set_)), end="")


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the videos go.")],
    videos: Annotated[int, typer.Option(min=1, help="How many videos.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each.")] = 8,
    size: Annotated[str, typer.Option(help="Width x height in pixels.")] = "640x360",
    seed: Annotated[int, typer.Option(help="Each seed gives another coast.")] = 0,
    biome: Annotated[
        str, typer.Option(help="Kind of landscape: coast, fjord, canyon, hills, desert, snow, lake.")
    ] = "coast",
) -> None:
    """Film a synthetic coast, or another landscape: real H.264 videos with cuts and flaws, and their ground truth."""
    from ..sample.videos import make_sample

    width, _, height = size.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise InputError(f"--size {size} is not WIDTHxHEIGHT", remedy="For example: --size 640x360")
    for path in make_sample(folder, videos, seconds, int(width), int(height), seed, biome=biome):
        print(path)


weights_app = typer.Typer(help="List, fetch and verify external weight files.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")


@weights_app.command("list")
def weights_list(json_: JsonOption = False) -> None:
    """List every external weight file: use, licence, size, and whether it is present."""
    from ..networks import weights

    rows = [
        {
            "name": weight.name,
            "here": not weights.missing_files(weight.name),
            "megabytes": round(sum(file.size or 0 for file in weight.files) / 1e6) or None,
            "licence": weight.licence,
            "use": weight.use,
            "urls": [file.url for file in weight.files],
        }
        for weight in weights.WEIGHTS.values()
    ]
    if json_:
        print(json.dumps({"folder": str(weights.folder()), "weights": rows}))
        return
    print(f"Folder: {weights.folder()}\n")
    print_table(
        ["name", "here", "MB", "licence", "use"],
        [[r["name"], "yes" if r["here"] else "no", r["megabytes"], r["licence"], r["use"]] for r in rows],
    )


@weights_app.command("fetch")
def weights_fetch(
    names: Annotated[list[str], typer.Argument(help="Names of `flythrough weights list`.")],
    force: Annotated[bool, typer.Option(help="Download again.")] = False,
) -> None:
    """Download, verify and unpack weight files."""
    from ..networks import weights

    for name in names:
        print(weights.fetch(name, force=force))


@weights_app.command("verify")
def weights_verify(name: Annotated[str | None, typer.Argument(help="By default, all that are here.")] = None) -> None:
    """Check files against their hashes."""
    from ..networks import weights

    for each in [name] if name else [known for known in weights.WEIGHTS if not weights.missing_files(known)]:
        print(f"{each}: {weights.verify(each)}")


@app.command()
def doctor() -> None:
    """Check this machine: programs, libraries, device, weights; says what to install."""
    from .doctor import checks

    found = checks()
    for check in found:
        print(f"{'ok ' if check.ok else 'BAD' if check.needed else '-- '}  {check.name:14} {check.finding}")
        if not check.ok and check.remedy:
            print(f"{'':20}{check.remedy}")
    if any(check.needed and not check.ok for check in found):
        raise typer.Exit(1)


def existing(root: Path) -> Workspace:
    """The workspace at ``root``.

    Raises:
        InputError: there is none.
    """
    from ..workspace.catalog import Workspace

    workspace = Workspace(root)
    if not workspace.exists():
        raise InputError(f"{root} is not a workspace", remedy="Check --workspace, or make one with: flythrough init")
    return workspace
