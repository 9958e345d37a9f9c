"""Commands of train/: fly from a picture; report on a run."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flythrough.cli.options import WorkspaceOption
from flythrough.errors import InputError

if TYPE_CHECKING:
    from .fly.outputs import Outputs
    from .model.network import InfiniteNature


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add ``flythrough fly``, and ``train``'s ``report``, ``import``, ``export``, ``average``, ``narrow``, ``onnx``."""
    app.command()(fly)
    stage.command()(report)
    stage.command("import")(import_release)
    stage.command("export")(export)
    stage.command("average")(average)
    stage.command("narrow")(narrow)
    stage.command("onnx")(onnx)


StartArgument = Annotated[
    Path | None,
    typer.Argument(
        metavar="[IMAGE_OR_NPZ]",
        help="A photo, rgbd and intrinsics in a .npz, or a picture of the page's by its name (island-9000); "
        "none opens the page.",
    ),
]
SpeedOption = Annotated[
    float | None,
    typer.Option(
        help="Distance per step, in near-ground distances; below 0: back. By default 0.2; 0.011 for orbit; a camera "
        "file's own."
    ),
]
CheckpointsOption = Annotated[
    list[Path] | None,
    typer.Option(
        help="Checkpoint folder, or TensorFlow prefix; by default the workspace's newest, or the package's. "
        "The page shows several side by side: give the option again."
    ),
]


def fly(
    start: StartArgument = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The video to write: .mp4, or a .gif or .webp loop.")
    ] = Path("flight.mp4"),
    steps: Annotated[int, typer.Option(min=1, help="Number of steps to fly.")] = 500,
    checkpoint: CheckpointsOption = None,
    workspace: WorkspaceOption = Path("workspace"),
    speed: SpeedOption = None,
    plan: Annotated[str, typer.Option(help="autopilot, straight, orbit, or a camera file to follow.")] = "autopilot",
    depth: Annotated[str, typer.Option(help="Source of a photo's depth: auto, rough, or a network's name.")] = "auto",
    fps: Annotated[float, typer.Option(min=1, help="Frames per second of the video.")] = 20,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")] = "auto",
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16 (faster where supported).")] = False,
    size: Annotated[
        str, typer.Option(help="Width x height to fly at, multiples of 32; by default the size it was trained at.")
    ] = "",
    sky: Annotated[
        bool | None, typer.Option(help="Keep the start picture's sky; unset: as the model was trained.")
    ] = None,
    disparity: Annotated[Path | None, typer.Option(help="Also film the disparity: .mp4, .gif or .webp.")] = None,
    poses: Annotated[Path | None, typer.Option(help="Also write the poses flown, as RealEstate10K text.")] = None,
    tum: Annotated[Path | None, typer.Option(help="Also write them as a TUM trajectory.")] = None,
    path: Annotated[Path | None, typer.Option(help="Also write the path with its points: .ply or .glb.")] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The page's port; 0 takes a free one.")] = 0,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = True,
    export_web: Annotated[
        Path | None, typer.Option(help="Write a folder for any web host, which flies in the browser; then stop.")
    ] = None,
    onnxruntime_web: Annotated[
        Path, typer.Option(help="onnxruntime-web's folder as npm installed it, for --export-web.")
    ] = Path("node_modules/onnxruntime-web"),
) -> None:
    """Fly from one picture and film it; without a picture, open a page on which you choose one and steer."""
    from flythrough.networks.device import pick
    from flythrough.workspace.catalog import Workspace

    from .fly.from_photo import at_size, default_checkpoint, load_model, name_checkpoints
    from .fly.outputs import Outputs
    from .fly.runtime import fast

    outputs = Outputs(output, disparity, poses, tum, path)
    outputs.check()
    folders = checkpoint or [default_checkpoint(Workspace(workspace))]
    if start is not None and len(folders) > 1:
        raise InputError("A video is filmed with one model", remedy="Give --checkpoint once, or fly on the page")
    models = {
        name: at_size(load_model(folder), size).to(pick(device)) for name, folder in name_checkpoints(folders).items()
    }
    if not bf16:
        models = {name: fast(model) for name, model in models.items()}
    if export_web is not None:
        _export_web(models, export_web, onnxruntime_web)
    elif start is None:
        _serve(models, depth, bf16, port, open_)
    else:
        (model,) = models.values()
        _film(model, start, depth, plan, speed, outputs, steps=steps, fps=fps, bf16=bf16, sky=sky)


def _export_web(models: dict[str, InfiniteNature], folder: Path, runtime: Path) -> None:
    from .fly.web_folder import export_web

    if len(models) > 1:
        raise InputError("A web folder has one model", remedy="Give --checkpoint once")
    ((name, model),) = models.items()
    files = export_web(model.cpu(), folder, name, runtime)
    size = sum(file.stat().st_size for file in files) / 1e6
    print(f"{folder.absolute()}: {size:.0f} MB; try it with: python -m http.server --directory {folder}")


def _serve(models: dict[str, InfiniteNature], depth: str, bf16: bool, port: int, open_browser: bool) -> None:
    import webbrowser

    from .fly.page.server import serve
    from .fly.page.service import Service

    def announce(url: str) -> None:
        print(f"Fly at {url}\nStop with Ctrl-C.", flush=True)
        if open_browser:
            webbrowser.open(url)

    serve(Service(models, depth, bf16), port, announce)


def _film(
    model: InfiniteNature,
    start: Path,
    depth: str,
    plan: str,
    speed: float | None,
    outputs: Outputs,
    *,
    steps: int,
    fps: float,
    bf16: bool,
    sky: bool | None,
) -> None:
    from flythrough.workspace.progress import bar

    from .fly.from_photo import film, plan_flight
    from .fly.page.gallery import read_any

    begin = read_any(start, model.config.height, model.config.width, depth)
    if begin.disparity_from != "the file":
        print(f"Disparity of the start picture: {begin.disparity_from}", file=sys.stderr)
    flight = plan_flight(plan, begin, speed)
    flown = 0
    began = time.monotonic()

    with bar("fly", steps, "frame") as advance:

        def count(n: int = 1) -> None:
            nonlocal flown
            flown += n
            advance(n)

        try:
            film(model, begin, flight, outputs, steps=steps, fps=fps, advance=count, bf16=bf16, sky=sky)
        except KeyboardInterrupt:
            print(f"Interrupted after {flown} of {steps} steps; {outputs.video} plays up to there.", file=sys.stderr)
            raise typer.Exit(130) from None
    print(f"{outputs.video}: {flown} steps, {flown / (time.monotonic() - began):.1f} frames a second")


def report(
    workspace: WorkspaceOption = Path("workspace"),
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; by default WORKSPACE/train/report.html.")
    ] = None,
) -> None:
    """Draw the newest run's curves, strips and flight into one HTML page."""
    from flythrough.workspace.catalog import Workspace

    from .report import write_report

    print(write_report(Workspace(workspace), output).absolute())


def import_release(
    prefix: Annotated[Path, typer.Argument(help="Of the TensorFlow checkpoint, such as ckpt/model.ckpt-6935893.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Checkpoint folder to write.")] = Path("release"),
) -> None:
    """Convert the authors' TensorFlow checkpoint to ours; prints which variables were used, skipped or missing."""
    from .model.native import save_checkpoint
    from .model.release import import_tensorflow

    model = import_tensorflow(prefix, tell=print)
    save_checkpoint(output, model, {"source": prefix.name})
    print(output.absolute())


def export(
    states: Annotated[
        list[Path],
        typer.Argument(help="The state.safetensors of a run, finished or not; of several, the mean of their weights."),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="Checkpoint folder to write.")],
) -> None:
    """Write a run's running mean as a small checkpoint (float16, without optimiser state)."""
    from .loop.export import export_state

    export_state(states, output)
    print(output.absolute())


def average(
    checkpoints: Annotated[list[Path], typer.Argument(help="Checkpoint folders of one shape, best of one origin.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Checkpoint folder to write.")],
    share: Annotated[
        list[float] | None,
        typer.Option(help="A checkpoint's share of the mean, once for each, in their order; by default all the same."),
    ] = None,
) -> None:
    """Write the weighted mean of models' weights (float16): often better than each of them."""
    from .loop.average import average_checkpoints

    average_checkpoints(checkpoints, share or [], output)
    print(output.absolute())


def narrow(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Checkpoint folder to write.")],
) -> None:
    """Write a model that flies in about two thirds of the time, with nearly the same pictures."""
    from .loop.narrow import narrow_checkpoint

    narrow_checkpoint(checkpoint, output)
    print(output.absolute())


def onnx(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to write encoder.onnx and generator.onnx to.")],
    checkpoint: Annotated[
        Path | None, typer.Option(help="Checkpoint folder, or TensorFlow prefix; by default the package's model.")
    ] = None,
    size: Annotated[str, typer.Option(help="Width x height, multiples of 32; by default as it was trained.")] = "",
    half: Annotated[bool, typer.Option("--half", help="Store the weights as float16: half the bytes.")] = False,
) -> None:
    """Write a model as ONNX files, to run without Python (the renderer is not in them)."""
    from .fly.from_photo import at_size, load_model
    from .fly.onnx_model import export_onnx
    from .fly.shipped import shipped_checkpoint

    folder = checkpoint or shipped_checkpoint()
    model = at_size(load_model(folder), size)
    for file in export_onnx(model, output, folder.resolve().name, half=half):
        print(f"{file.absolute()}: {file.stat().st_size / 1e6:.1f} MB")
