"""The command line: one command a stage, ``run`` for all of them, and tools to look at what came out."""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .errors import ConfigError, FlythroughError, InputError

if TYPE_CHECKING:
    from .catalog import Workspace
    from .pipeline import Report

# Names and one-line helps stand here so that --help loads nothing that computes.
STAGE_HELP = {
    "acquire": "Get videos and know exactly what could not be had.",
    "curate": "Find the shots worth training on.",
    "sfm": "Camera poses, scale and disparity for every frame.",
    "train": "Train the render-refine model.",
    "evaluate": "Fly every method and score the flights.",
    "leaderboard": "Publish the results as a page.",
}

app = typer.Typer(
    help="From drone videos to scored endless flights (Infinite Nature, rebuilt).",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

WorkspaceOption = Annotated[Path, typer.Option("--workspace", "-w", help="Folder that holds tables and outputs.")]
SettingOption = Annotated[list[str], typer.Option("--set", help="Override a setting: section.key=value. Repeatable.")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="TOML file [default: WORKSPACE/flythrough.toml].")]
ExecutorOption = Annotated[str, typer.Option("--executor", help="Where tasks run: local, ray or inline.")]
AddressOption = Annotated[str | None, typer.Option("--ray-address", help="Ray cluster [default: start one here].")]
WorkersOption = Annotated[
    int | None, typer.Option("--workers", min=1, help="Local processes [default: by cores and memory].")
]
RetryOption = Annotated[bool, typer.Option("--retry-errors", help="Run only what is in error, once more.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object, for machines.")]
InputOption = Annotated[
    list[str],
    typer.Option("--input", "-i", help="Video file, folder, list or URL; the workspace remembers it. Repeatable."),
]

_COMMON: list[tuple[str, Any, Any]] = [
    ("workspace", WorkspaceOption, Path("workspace")),
    ("config", ConfigOption, None),
    ("set_", SettingOption, ()),
    ("executor", ExecutorOption, "local"),
    ("ray_address", AddressOption, None),
    ("workers", WorkersOption, None),
    ("retry_errors", RetryOption, False),
    ("json_", JsonOption, False),
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
) -> None:
    """Run every stage: videos -> shots -> clips -> checkpoint -> scores -> leaderboard page."""
    if until not in STAGE_HELP:
        raise InputError(f"There is no stage {until!r}", remedy=f"--until takes one of: {', '.join(STAGE_HELP)}")
    _run(
        workspace, config, set_, executor, ray_address, workers, retry_errors, json_, inputs=input_, until=until
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
) -> None:
    from .catalog import Workspace
    from .config import load_config
    from .executor import make_executor
    from .pipeline import run_stages

    if config_file is not None and not config_file.is_file():
        raise ConfigError(f"{config_file} is not a file", remedy="Check --config")
    workspace = Workspace(root)
    with workspace.locked():
        known = remember_inputs(workspace, inputs)
        settings = [*settings, *([f"acquire.inputs={json.dumps(known)}"] if known else [])]
        config = load_config(config_file or workspace.config_file, settings)
        chosen = make_executor(executor, workers=workers, ray_address=ray_address)
        reports: list[Report] = []
        try:
            for report in run_stages(workspace, config, chosen, only=only, until=until, retry_errors=retry_errors):
                reports.append(report)
                if not as_json:
                    _print_report(report)
        finally:
            if as_json:
                print(json.dumps({"workspace": str(root), "stages": [vars(report) for report in reports]}))
    if not as_json:
        _print_results(workspace, reports)
    if any(report.errors for report in reports):
        raise typer.Exit(1)


def remember_inputs(workspace: Workspace, inputs: Iterable[str]) -> list[str]:
    """Add inputs to the workspace's ``inputs.txt`` (paths made absolute); returns all that it holds."""
    from .files import write_text

    file = workspace / "inputs.txt"
    known = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    absolute = [entry if "://" in entry else str(Path(entry).absolute()) for entry in inputs]
    if new := [entry for entry in dict.fromkeys(absolute) if entry not in known]:
        known += new
        write_text(file, "\n".join(known) + "\n")
    return known


def _print_report(report: Report) -> None:
    from .stage import load_stage

    table = load_stage(report.stage).table
    produced = f"{report.rows} {table}" if table else "done"
    line = f"{report.stage:12}{produced}, {report.dropped} dropped, {len(report.errors)} in error"
    print(f"{line}  ({report.tasks} tasks, {report.ran} run now)", flush=True)
    for error in report.errors:
        print(f"  error [{error['kind']}] {error['id']}: {error['message']}. {error['remedy']}", file=sys.stderr)
    if any(error["attempts"] > 0 for error in report.errors) and report.ran == 0:
        print("  (nothing new was tried; --retry-errors tries these again)", file=sys.stderr)


def _print_results(workspace: Workspace, reports: list[Report]) -> None:
    stages = {report.stage for report in reports}
    if "evaluate" in stages or "leaderboard" in stages:
        rows = [row for row in workspace.rows("results") if row["source"] == "measured" and row["step"] is None]
        names = ("protocol", "method", "metric")
        if rows:
            print()
            _print_table(
                [*names, "value", "95 % interval", "n", ""],
                [[*(r[k] for k in names), _number(r["value"]), _interval(r), r["n"], r["note"]] for r in rows],
            )
    page = workspace / "leaderboard" / "index.html"
    if "leaderboard" in stages and page.is_file():
        print(f"\nLeaderboard: {page.absolute()}")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _interval(row: dict[str, Any]) -> str:
    return "" if row["low"] is None else f"{row['low']:.4g} .. {row['high']:.4g}"


def _print_table(headers: list[str], rows: Iterable[Iterable[Any]]) -> None:
    text = [headers, *([("" if cell is None else str(cell)) for cell in row] for row in rows)]
    widths = [max(len(row[i]) for row in text) for i in range(len(headers))]
    for row in text:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


@app.command()
def status(workspace: WorkspaceOption = Path("workspace"), json_: JsonOption = False) -> None:
    """Show the funnel: what went into each stage, and what became of it."""
    from .inspection import funnel

    found = funnel(_existing(workspace))
    if json_:
        print(json.dumps(found))
        return
    _print_table(
        ["stage", "tasks", "done", "failed", "rows", "dropped", "errors"],
        [
            [row[key] for key in ("stage", "tasks", "done", "failed", "rows", "dropped", "errors")]
            for row in found["stages"]
        ],
    )
    for title, counts in (("Dropped", found["drops"]), ("In error", found["errors"])):
        if counts:
            print(f"\n{title}:")
            _print_table(["stage", "reason", "count"], [[c["stage"], c["reason"], c["count"]] for c in counts])


@app.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="Id of a video, shot, clip, checkpoint or task.")],
    workspace: WorkspaceOption = Path("workspace"),
    json_: JsonOption = False,
) -> None:
    """Show one item's history: every row, drop, error and log that names it."""
    from .inspection import history

    found = history(_existing(workspace), id)
    if json_:
        print(json.dumps(found))
        return
    for entry in found:
        print(f"\n{entry['table']}")
        for key, value in entry["row"].items():
            if value is not None:
                print(f"  {key:20} {value}")


@app.command("config")
def config_(
    workspace: WorkspaceOption = Path("workspace"), config: ConfigOption = None, set_: SettingOption = []  # noqa: B006
) -> None:  # fmt: skip
    """Print the effective config with each field's help; it can be saved as flythrough.toml."""
    from .catalog import Workspace
    from .config import describe, load_config

    print(describe(load_config(config or Workspace(workspace).config_file, set_)), end="")


@app.command()
def sample(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the videos go.")],
    videos: Annotated[int, typer.Option(min=1, help="How many videos.")] = 3,
    seconds: Annotated[float, typer.Option(min=1, help="Length of each.")] = 8,
    size: Annotated[str, typer.Option(help="Width x height in pixels.")] = "640x360",
    seed: Annotated[int, typer.Option(help="Another seed is another coast.")] = 0,
) -> None:
    """Film a made-up coast: real H.264 videos with cuts and flaws, and the ground truth beside them."""
    from .sample import make_sample

    width, _, height = size.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise InputError(f"--size {size} is not WIDTHxHEIGHT", remedy="For example: --size 640x360")
    for path in make_sample(folder, videos=videos, seconds=seconds, width=int(width), height=int(height), seed=seed):
        print(path)


weights_app = typer.Typer(help="List, fetch and verify external weight files.", no_args_is_help=True)
app.add_typer(weights_app, name="weights")


@weights_app.command("list")
def weights_list(json_: JsonOption = False) -> None:
    """Every external weight file: use, licence, size, and whether it is here."""
    from . import weights

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
    _print_table(
        ["name", "here", "MB", "licence", "use"],
        [[r["name"], "yes" if r["here"] else "no", r["megabytes"], r["licence"], r["use"]] for r in rows],
    )


@weights_app.command("fetch")
def weights_fetch(
    name: Annotated[str, typer.Argument(help="One name of `flythrough weights list`.")],
    force: Annotated[bool, typer.Option(help="Download again.")] = False,
) -> None:
    """Download, verify and unpack a weight file."""
    from . import weights

    print(weights.fetch(name, force=force))


@weights_app.command("verify")
def weights_verify(name: Annotated[str | None, typer.Argument(help="By default all that are here.")] = None) -> None:
    """Check files against their hashes."""
    from . import weights

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


def _existing(root: Path) -> Workspace:
    from .catalog import TABLES, Workspace

    workspace = Workspace(root)
    if not any(workspace.has(table) for table in TABLES):
        raise InputError(f"{root} is not a workspace", remedy="Check --workspace, or make one with: flythrough run")
    return workspace


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
        settings = list(options["set_"])
        for option, (_, key, _) in extra.items():
            if (value := options[option]) is not None:
                settings.append(f"{key}={json.dumps(_plain_value(value))}")
        _run(
            options["workspace"], options["config"], settings, options["executor"], options["ray_address"],
            options["workers"], options["retry_errors"], options["json_"], inputs=options.get("input_", ()), only=name,
        )  # fmt: skip

    callback.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    callback.__annotations__ = {p.name: p.annotation for p in parameters}
    callback.__doc__ = STAGE_HELP[name]
    return callback


def _plain_value(value: Any) -> Any:
    return str(value.absolute()) if isinstance(value, Path) else value


def _add_stages() -> None:
    for name in STAGE_HELP:
        commands = importlib.import_module(f"flythrough.{name}.cli")
        stage = typer.Typer()
        extra = getattr(commands, "RUN_OPTIONS", {})
        stage.callback(invoke_without_command=True)(_stage_callback(name, extra))
        commands.register(app, stage)
        app.add_typer(stage, name=name)


def main() -> None:
    """Entry point: prints errors as one line with a remedy, and exits with 1."""
    _add_stages()
    try:
        app()
    except FlythroughError as error:
        print(f"error [{error.kind}] {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("Interrupted; what is finished is kept. Run the same command again to go on.", file=sys.stderr)
        sys.exit(130)
