"""Subcommands of ``flythrough evaluate``."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flythrough.cli.options import WorkspaceOption

if TYPE_CHECKING:
    from .protocols.protocol import Protocol
    from .protocols.source import Source

ProtocolOption = Annotated[
    str,
    typer.Option(
        "--protocol", "-p", help="workspace, acid-v1, sample-v1, sample-v2, or the path of a protocol's .toml file."
    ),
]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or mps.")]
TimeOption = Annotated[
    float, typer.Option("--time-limit", help="Most seconds of processor time; ten times that by the clock.")
]


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add the commands to ``flythrough evaluate``."""
    protocol = typer.Typer(help="Freeze and look at protocols.", no_args_is_help=True)
    protocol.command("build")(protocol_build)
    protocol.command("show")(protocol_show)
    protocol.command("film")(protocol_film)
    stage.add_typer(protocol, name="protocol")
    for command in (methods, check, generate, score, report):
        stage.command()(command)


def protocol_build(
    workspace: WorkspaceOption = Path("workspace"),
    name: Annotated[str, typer.Option(help="Name with its version.")] = "workspace-v1",
    out: Annotated[Path, typer.Option(help="Folder for NAME.toml and NAME.json.")] = Path("."),
    acid_index: Annotated[Path | None, typer.Option(help="Freeze this public ACID index instead (acid-v1).")] = None,
    height: Annotated[int | None, typer.Option(help="Pixels; by default the first clip's.")] = None,
    width: Annotated[int | None, typer.Option(help="Pixels; by default the first clip's.")] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of a generation flight [default: 30; ACID's 100].")] = None,
    starts_per_clip: Annotated[int, typer.Option(help="Most starts per clip.")] = 4,
    revisit: Annotated[int, typer.Option(help="Steps out along the recorded path and back; 0: not flown.")] = 0,
    flight: Annotated[str, typer.Option(help="autopilot, or plan (poses frozen in the index).")] = "autopilot",
    seed: Annotated[int, typer.Option(help="Of draws and of the methods' seeds.")] = 0,
    power: Annotated[
        list[str] | None,
        typer.Option(help="METRIC=DIFFERENCE, e.g. fd_lite0=5: print how many starts can show it (repeatable)."),
    ] = None,
) -> None:
    """Freeze a protocol from a workspace's clips, or from the public ACID index.

    It states its power where the workspace has results of two methods on the same starts.
    """
    from flythrough.workspace.catalog import Workspace

    from .protocols.build import Choices, build_from_acid_index, build_from_workspace
    from .protocols.protocol import save_protocol

    if acid_index is not None:
        built = build_from_acid_index(acid_index, steps=steps or 100, seed=seed)
    else:
        choices = Choices(
            height=height, width=width, steps=steps or 30, starts_per_clip=starts_per_clip, revisit=revisit,
            flight=flight, seed=seed,
        )  # fmt: skip
        built = build_from_workspace(Workspace(workspace), choices, name)
    built, lines = _with_power(built, workspace, power or [])
    print(save_protocol(built, out))
    _describe(built)
    for line in lines:
        print(line)


def _with_power(built: Protocol, workspace: Path, wanted: list[str]) -> tuple[Protocol, list[str]]:
    """The protocol with its power, and one line for each difference given with ``--power``."""
    from flythrough.results.schema import results_behind
    from flythrough.workspace.catalog import Workspace

    from .protocols.power import answers, measured_power

    held = Workspace(workspace)
    results = results_behind(held, held.rows("results"))
    stated = measured_power(results, built.starts_by_metric())
    return built.model_copy(update={"power": stated}), answers(stated, wanted) if wanted else []


def protocol_show(name: Annotated[str, typer.Argument(help="acid-v1, sample-v1, sample-v2, or a .toml file.")]) -> None:
    """Print what a protocol asks for, and its hash."""
    from .protocols.protocol import load_protocol

    _describe(load_protocol(name))


def protocol_film(
    workspace: WorkspaceOption = Path("sample-workspace"),
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="sample-v1 or sample-v2.")] = "sample-v1",
) -> None:
    """Film the clips of a sample protocol into a fresh workspace, with true poses and disparity."""
    from flythrough.errors import InputError
    from flythrough.workspace.catalog import Workspace

    from .protocols.sample_clips import film_protocol

    held = Workspace(workspace)
    if held.has("clips"):
        raise InputError(f"{workspace} has clips already", remedy="Name a fresh --workspace")
    with held.locked():
        filmed = film_protocol(held, protocol)
    for row in filmed:
        print(f"{row['id']}: {row['frame_count']} frames")


def _describe(protocol: Protocol) -> None:
    header = protocol.header
    left_out = [start for start in protocol.index.starts if start.frame is None]
    print(f"{header.name}: {header.about}")
    print(f"SHA-256 {protocol.hash}")
    print(f"scoring version {header.scoring_version}{_other_version(header.scoring_version)}")
    print(f"{header.width} x {header.height}; {'held out' if header.held_out else 'NOT held out'}")
    print(f"{len(protocol.view_starts())} starts of view synthesis, at steps {list(header.view_synthesis.steps)}")
    print(
        f"{len(protocol.generation_starts())} flights of {header.generation.steps} steps ({header.generation.flight})"
    )
    if header.view_synthesis.revisit:
        print(f"out {header.view_synthesis.revisit} steps and back to the start frame")
    for power in protocol.power:
        print(f"power by {power.line}")
    if left_out:
        print(f"{len(left_out)} clips left out: {left_out[0].why}")


def _other_version(stated: int) -> str:
    from .protocols.protocol import SCORING_VERSION

    if stated == SCORING_VERSION:
        return ""
    return f": this flythrough scores by version {SCORING_VERSION}, whose scores do not compare"


def methods() -> None:
    """List the methods that can be named."""
    from importlib.metadata import entry_points

    from flythrough.errors import InputError

    from .methods.registry import BUILT_IN, GROUP, find_specs

    for name, spec in BUILT_IN.items():
        print(f"{name:24}{spec.about}")
    for name in sorted(entry_points(group=GROUP).names):
        try:
            (spec,) = find_specs([name])
        except InputError as error:  # of one plugin: the others are listed all the same
            print(f"{name:24}cannot be used: {error.message}")
            continue
        print(f"{name:24}{spec.about or spec.entry_point}")


def check(
    method: Annotated[str, typer.Argument(help="A method's name, or the path of its .toml spec.")],
    workspace: Annotated[Path | None, typer.Option("--workspace", "-w", help="Whose newest checkpoint to use.")] = None,
    height: Annotated[int, typer.Option(help="Pixels.")] = 64,
    width: Annotated[int, typer.Option(help="Pixels.")] = 96,
    time_limit: TimeOption = 600,
    picture: Annotated[
        Path | None, typer.Option(help="Where to write a frame that fails; by default NAME-check.png.")
    ] = None,
) -> None:
    """Run a small conformance test on a method; exits with 1, the reason and the frame that fails, if one does."""
    from flythrough.workspace.catalog import Workspace

    from .generation.conformance import check_method
    from .methods.checkpoint import checkpoint_of
    from .methods.registry import find_specs

    spec = find_specs([method])[0]
    checkpoint = checkpoint_of(spec, Workspace(workspace) if workspace else None)
    folder = checkpoint.folder if checkpoint else None
    shown = picture or Path(f"{spec.name}-check.png")
    size = {"height": height, "width": width}
    for line in check_method(spec, **size, checkpoint=folder, time_limit_s=time_limit, picture=shown):
        print(f"ok  {line}" if not line.startswith("NOTE") else line)
    print(f"{spec.name} conforms")


def generate(
    method: Annotated[str, typer.Argument(help="A method's name, or the path of its .toml spec.")],
    out: Annotated[Path, typer.Option(help="Folder for the frames.")],
    workspace: WorkspaceOption = Path("workspace"),
    protocol: ProtocolOption = "workspace",
    device: DeviceOption = "auto",
    time_limit: TimeOption = 4 * 3600,
) -> None:
    """Let a method fly a protocol; prints the folder of frames, for ``score``."""
    from flythrough.networks.device import pick
    from flythrough.results.methods import Setting
    from flythrough.workspace.catalog import Workspace

    from .generation.generate import generate as run
    from .methods.checkpoint import checkpoint_of
    from .methods.registry import find_specs
    from .protocols.leakage import refuse_trained_on

    source = _source(workspace, protocol)
    header = source.protocol.header
    spec = find_specs([method])[0]
    checkpoint = checkpoint_of(spec, Workspace(workspace))
    if checkpoint is not None:
        refuse_trained_on(source, checkpoint.folder)
    folder = checkpoint.folder if checkpoint else None
    steps = source.protocol.longest_flight
    setting = Setting(header.name, header.height, header.width, steps, str(pick(device)), folder)
    print(run(spec, source, out, setting, time_limit))


def _source(workspace: Path, protocol: str) -> Source:
    from flythrough.workspace.catalog import Workspace
    from flythrough.workspace.config import load_config

    from .protocols.source import Source
    from .stage import EvaluateConfig, make_protocol

    held = Workspace(workspace)
    config = load_config(held.config_file)["evaluate"].model_copy(update={"protocol": protocol})
    assert isinstance(config, EvaluateConfig)
    return Source(make_protocol(held, config), held)


def score(
    frames: Annotated[Path, typer.Argument(help="Folder with view_synthesis/START/000001.png, generation/START/...")],
    name: Annotated[str, typer.Option(help="The method's name, lower case.")],
    workspace: WorkspaceOption = Path("workspace"),
    protocol: ProtocolOption = "workspace",
    out: Annotated[Path | None, typer.Option(help="Write results.json here, and nothing to the workspace.")] = None,
    loose: Annotated[
        bool, typer.Option("--loose", help="PNG frames that belong to no start: set distances only, not ranked.")
    ] = False,
    citation: Annotated[str, typer.Option(help="Paper or page.")] = "",
    inception: Annotated[Path | None, typer.Option(help="Inception weights to use in place of the known file.")] = None,
    device: DeviceOption = "auto",
) -> None:
    """Score frames made elsewhere; if a frame is missing or wrong, the error names it."""
    from flythrough.cli.tools import existing
    from flythrough.errors import InputError
    from flythrough.networks.device import pick
    from flythrough.results.schema import write_result
    from flythrough.workspace.catalog import Workspace
    from flythrough.workspace.printing import number, print_table

    from .methods.registry import BUILT_IN, Spec
    from .scoring.handed_in import keep, refuse_measured, score_loose
    from .scoring.score import score as run
    from .scoring.tally import Settings

    if name in BUILT_IN:
        raise InputError(f"{name} is the name of a baseline", remedy="Choose another --name")
    settings = Settings(device=str(pick(device)), inception=inception)
    spec = Spec(name=name, about="frames handed in", citation=citation, handed_in=True)
    held = existing(workspace) if out is None else Workspace(workspace)
    with held.locked() if out is None else nullcontext():  # from the start: a refusal after hours would lose them
        if out is None:
            refuse_measured(held, name)
        source = _source(workspace, protocol)
        result = score_loose(spec, source, frames, settings) if loose else run(spec, source, frames, settings, {})
        if out is not None:
            write_result(result, out)
        file = out or keep(held, result)
    rows = [
        [v.metric, v.step, number(v.value), number(v.low), number(v.high), v.n, number(v.floor), _yes(v.ranked)]
        for v in result.values
    ]
    print_table(["metric", "step", "value", "low", "high", "n", "floor", "ranked"], rows)
    if result.follow_note:
        print(f"camera: {result.follow_note}")
    print(file)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def report(workspace: WorkspaceOption = Path("workspace")) -> None:
    """Write the workspace's evaluate/report.html from its results."""
    from flythrough.errors import InputError
    from flythrough.workspace.catalog import Workspace

    from .report.page import update_report

    held = Workspace(workspace)
    rows = [row for row in held.rows("results") if row["results_file"]]
    if not rows:
        raise InputError(f"{workspace} has no results", remedy="Run: flythrough evaluate")
    with held.locked():
        print(update_report(held, rows))
