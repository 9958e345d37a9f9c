"""The command line: one command per stage, ``run`` for all of them, and tools to inspect the results."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import FlythroughError, InputError, extras_named
from ..workspace.printing import escaped
from . import tools as cli_tools
from . import upkeep
from .options import (
    AddressOption,
    ConfigOption,
    ExecutorOption,
    InputOption,
    JsonOption,
    NewOption,
    RetryOption,
    SettingOption,
    WorkersOption,
    WorkspaceOption,
)

if TYPE_CHECKING:
    from ..workspace.catalog import Workspace
    from ..workspace.pipeline import Report

# The one-line helps are here, so that --help imports nothing that computes.
STAGE_HELP = {
    "acquire": "Fetch videos, and record why any could not be fetched.",
    "curate": "Find the shots worth training on.",
    "sfm": "Camera poses, scale and disparity for every frame.",
    "train": "Train the render-refine model.",
    "evaluate": "Fly every method and score the flights.",
    "leaderboard": "Publish the results as a page.",
}

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _print_version(asked: bool) -> None:
    if asked:
        from .. import __version__

        print(f"flythrough {__version__}")
        raise typer.Exit


@app.callback()
def _all_commands(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """From drone videos to scored endless flights (Infinite Nature, rebuilt)."""


_GIVEN = {"camera_files", "images"}  # options that name input: a missing workspace is then created, not refused
_COMMON: list[tuple[str, Any, Any]] = [
    ("workspace", WorkspaceOption, Path("workspace")),
    ("config", ConfigOption, None),
    ("set_", SettingOption, ()),
    ("executor", ExecutorOption, "local"),
    ("ray_address", AddressOption, None),
    ("workers", WorkersOption, None),
    ("retry_errors", RetryOption, False),
    ("json_", JsonOption, False),
    ("new", NewOption, False),
]  # fmt: skip


@app.command()
def run(
    workspace: WorkspaceOption = Path("workspace"),
    input_: InputOption = [],  # noqa: B006
    until: Annotated[str, typer.Option(help="Last stage to run.")] = "leaderboard",
    config: ConfigOption = None,
    set_: SettingOption = [],  # noqa: B006
    executor: ExecutorOption = "local",
    ray_address: AddressOption = None,
    workers: WorkersOption = None,
    retry_errors: RetryOption = False,
    json_: JsonOption = False,
    new: NewOption = False,
) -> None:
    """Run every stage: videos -> shots -> clips -> checkpoint -> scores -> leaderboard page."""
    if until not in STAGE_HELP:
        raise InputError(f"There is no stage {until!r}", remedy=f"--until takes one of: {', '.join(STAGE_HELP)}")
    _run(
        workspace, config, set_, executor, ray_address, workers, retry_errors, json_, inputs=input_, until=until,
        new=new or bool(input_),
    )  # fmt: skip


def _run(
    root: Path,
    config_file: Path | None,
    settings: Iterable[str],
    executor: str,
    ray_address: str | None,
    workers: int | None,
    retry_errors: bool,
    as_json: bool,
    *,
    inputs: Iterable[str] = (),
    only: str | None = None,
    until: str = "leaderboard",
    new: bool = False,
) -> None:
    from ..workspace.addresses import redact
    from ..workspace.catalog import Workspace
    from ..workspace.config import TEMPLATE, describe, load_config
    from ..workspace.executor import make_executor
    from ..workspace.files import write_text
    from ..workspace.inputs import as_setting, remember_inputs
    from ..workspace.pipeline import run_stages

    workspace = Workspace(root)
    if not (new or workspace.exists() or (only == "leaderboard" and _has_results(root))):
        raise InputError(
            f"{root} is not a workspace",
            remedy=f"Check --workspace; or make it with --new, or: flythrough init {root}",
        )
    with workspace.locked():
        settings = [*settings, *as_setting(remember_inputs(workspace, inputs))]
        config = load_config(config_file or workspace.config_file, settings)
        chosen = make_executor(executor, workers=workers, ray_address=ray_address)
        if not workspace.config_file.exists():
            write_text(workspace.config_file, TEMPLATE)
        write_text(workspace / "logs" / "config.toml", redact(describe(config)))
        reports: list[Report] = []
        try:
            for report in run_stages(workspace, config, chosen, only=only, until=until, retry_errors=retry_errors):
                reports.append(report)
                if not as_json:
                    _print_report(report)
        except KeyboardInterrupt:
            print("Interrupted; what is finished is kept. Run the same command again to continue.", file=sys.stderr)
            raise typer.Exit(130) from None
        finally:
            if as_json:
                print(json.dumps({"workspace": str(root), "stages": [vars(report) for report in reports]}))
    if not as_json:
        _print_results(workspace, reports)
    if any(report.errors for report in reports):
        raise typer.Exit(1)


def _has_results(folder: Path) -> bool:
    """Whether evaluate's results files were copied there: enough for a leaderboard."""
    from ..results.collected import results_files

    return bool(results_files(folder))


def _print_report(report: Report) -> None:
    from ..workspace.stage import load_stage

    table = load_stage(report.stage).table
    produced = f"{report.rows} {table}" if table else "done"
    reasons = ", ".join(f"{count} {reason}" for reason, count in report.reasons.items())
    dropped = f"{report.dropped} dropped" + (f" ({reasons})" if reasons else "")
    line = f"{report.stage:12}{produced}, {dropped}, {len(report.errors)} in error"
    print(f"{line}  ({report.tasks} tasks, {report.ran} run now)", flush=True)
    for error in report.errors:
        said = f"error [{error['kind']}] {error['id']}: {error['message']}. {error['remedy']}"
        print(f"  {escaped(said)}", file=sys.stderr)
    if report.errors and report.ran == 0:
        print("  (nothing was run; --retry-errors runs these again)", file=sys.stderr)


def _print_results(workspace: Workspace, reports: list[Report]) -> None:
    stages = {report.stage for report in reports}
    if "evaluate" in stages or "leaderboard" in stages:
        from ..results.collected import result_rows
        from ..results.paired import replicates_by_key
        from ..results.schema import results_behind
        from ..results.standings import standings

        print()
        rows = result_rows(workspace)
        for line in standings(rows, replicates_by_key(results_behind(workspace, rows))):
            print(line)
    page = workspace / "leaderboard" / "index.html"
    if "leaderboard" in stages and page.is_file():
        print(f"\nLeaderboard: {page.absolute()}")


def _stage_callback(name: str, extra: dict[str, tuple[type, str, str]]) -> Callable[..., None]:
    """The function behind ``flythrough STAGE``: the common options and the stage's own (its ``RUN_OPTIONS``)."""
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters = [inspect.Parameter("ctx", kind, annotation=typer.Context)]
    parameters += [inspect.Parameter(n, kind, default=d, annotation=a) for n, a, d in _COMMON]
    if name == "acquire":
        parameters.append(inspect.Parameter("input_", kind, default=(), annotation=InputOption))
    for option, (type_, _, text) in extra.items():
        annotation = Annotated[type_ | None, typer.Option(help=text)]  # type: ignore[valid-type]
        parameters.append(inspect.Parameter(option, kind, default=None, annotation=annotation))

    def callback(ctx: typer.Context, **options: Any) -> None:
        if ctx.invoked_subcommand is not None:
            return
        from ..workspace.config import setting_of

        settings = list(options["set_"])
        for option, (_, key, _) in extra.items():
            if (value := options[option]) is not None:
                settings.append(setting_of(key, _plain_value(value)))
        _run(
            options["workspace"], options["config"], settings, options["executor"], options["ray_address"],
            options["workers"], options["retry_errors"], options["json_"], inputs=options.get("input_", ()), only=name,
            new=options["new"] or bool(options.get("input_")) or any(options.get(given) for given in _GIVEN),
        )  # fmt: skip

    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {p.name: p.annotation for p in parameters}
    callback.__doc__ = STAGE_HELP[name]
    return callback


def _plain_value(value: Any) -> Any:
    return str(value.absolute()) if isinstance(value, Path) else value


def _add_commands() -> None:
    for name in STAGE_HELP:
        commands = importlib.import_module(f"flythrough.{name}.cli")
        stage = typer.Typer()
        extra = getattr(commands, "RUN_OPTIONS", {})
        stage.callback(invoke_without_command=True)(_stage_callback(name, extra))
        commands.register(app, stage)
        app.add_typer(stage, name=name)
    for commands in (cli_tools, upkeep):
        app.add_typer(commands.app)  # no name: top-level commands, like run


_DISK_REMEDY = "Check that it exists, that you have permission, and that nothing else removed it meanwhile"


def main() -> None:
    """Entry point: prints errors as one line with a remedy, and exits with 1."""
    _add_commands()
    try:
        with extras_named("This command"):
            app()
    except FlythroughError as error:
        print(escaped(f"error [{error.kind}] {error}"), file=sys.stderr)
        sys.exit(1)
    except OSError as error:
        if error.filename is None:
            raise
        print(escaped(f"error [disk] {error.filename}: {error.strerror}. {_DISK_REMEDY}"), file=sys.stderr)
        sys.exit(1)
