"""``flythrough train report``: a run's curves, pictures and flight in one HTML page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup, escape

from flythrough.cli import page
from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_text

from .loop.watch import FLIGHTS, SCALARS, STRIPS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

STRIP_ROWS = "input, render, mask, refined, truth, refined disparity, true disparity"
PANELS = (
    ("Distance to the recording (L1)", ("l1",)),
    ("Perceptual distance", ("perceptual",)),
    ("Feature matching", ("feature",)),
    ("Adversarial", ("adversarial", "discriminator")),
    ("KL of the style", ("kl",)),
    ("Gradient length", ("generator_grad", "discriminator_grad")),
)


def find_run(workspace: Workspace) -> Path:
    """The folder of the run, finished or not, that recorded scalars last.

    Raises:
        InputError: nothing was trained here.
    """
    finished = [(workspace / row["path"]).parent for row in workspace.rows("checkpoints")]
    going = (workspace / "train" / ".partial").glob("*")
    runs = [folder for folder in (*going, *reversed(finished)) if (folder / SCALARS).is_file()]
    for folder in sorted(runs, key=lambda folder: (folder / SCALARS).stat().st_mtime, reverse=True):
        if read_scalars(folder):  # not one that was stopped before its first figures
            return folder
    raise InputError(f"Nothing was trained in {workspace.root}", remedy="Run flythrough train first")


def read_scalars(folder: Path) -> dict[str, np.ndarray]:
    """The columns of a run's scalars, with ``step``; NaN where a step lacks a figure."""
    rows = [json.loads(line) for line in (folder / SCALARS).read_text().splitlines() if line.endswith("}")]
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: np.array([row.get(name, np.nan) for row in rows], dtype=np.float64) for name in names}


def write_report(workspace: Workspace, output: Path | None = None) -> Path:
    """Write the page; returns its path.

    Raises:
        InputError: nothing was trained here.
    """
    run = find_run(workspace)
    path = output or workspace / "train" / "report.html"
    write_text(path, page.page("Training", _body(run), subtitle=run.name.removeprefix(".")))
    return path


def _body(run: Path) -> str:
    scalars = read_scalars(run)
    parts = ["<h2>Curves</h2>", page.svg(_curves(scalars))]
    parts += ["<h2>Last figures</h2>", page.table(["figure", "value"], [[n, v[-1]] for n, v in scalars.items()])]
    if videos := sorted((run / FLIGHTS).glob("*.mp4")):
        parts.append(f"<h2>Flight at step {int(videos[-1].stem)}</h2>")
        source = page.file_uri(videos[-1], "video/mp4")
        parts.append(f'<video src="{source}" controls loop muted playsinline style="width:min(100%,512px)"></video>')
    if strips := sorted((run / STRIPS).glob("*.png")):
        parts.append(f"<h2>Strips</h2><p>One column per step; from the top: {escape(STRIP_ROWS)}.</p>")
        parts += [_strip(file) for file in _some(strips, 6)]
    if (record := run / "checkpoint" / "model.json").is_file():
        settings = json.loads(record.read_text()).get("settings", {})
        parts += ["<h2>Settings</h2>", page.table(["setting", "value"], [[k, str(v)] for k, v in settings.items()])]
    return Markup("\n").join(Markup(part) for part in parts)


def _curves(scalars: dict[str, np.ndarray]) -> Figure:
    from matplotlib.figure import Figure

    panels = [(title, [n for n in names if n in scalars]) for title, names in PANELS]
    panels = [(title, names) for title, names in panels if names]
    figure = Figure(figsize=(11, 2.6 * ((len(panels) + 1) // 2)), layout="constrained")
    axes = figure.subplots((len(panels) + 1) // 2, 2, squeeze=False).ravel()
    for axis, (title, names) in zip(axes, panels, strict=False):
        for name in names:
            (line,) = axis.plot(scalars["step"], scalars[name], alpha=0.25, linewidth=0.8)
            axis.plot(scalars["step"], _smooth(scalars[name]), color=line.get_color(), label=name)
        axis.set_title(title)
        axis.set_xlabel("step")
        axis.grid(alpha=0.25)
        if len(names) > 1:
            axis.legend()
    for axis in axes[len(panels) :]:
        axis.remove()
    return figure


def _smooth(values: np.ndarray, share: float = 0.05) -> np.ndarray:
    """Running mean over a share of the run."""
    width = max(1, round(share * len(values)))
    padded = np.pad(values, (width // 2, (width - 1) // 2), mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")


def _some(items: list[Path], count: int) -> list[Path]:
    """The last few of a list, the newest first."""
    return items[::-1][:count]


def _strip(file: Path) -> str:
    import cv2

    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        return f"<p>{escape(file.name)} cannot be read</p>"
    source = page.png_uri(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    style = f"width:min(100%, {max(768, image.shape[1])}px)"  # strips of small pictures are enlarged
    return f'<figure><img src="{source}" style="{style}"><figcaption>Step {int(file.stem)}</figcaption></figure>'
