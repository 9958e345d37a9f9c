"""``sfm/report.html``: a dataset's fingerprint, histograms over its clips."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from flythrough.cli.page import page, svg, table
from flythrough.errors import InputError
from flythrough.scene.cameras import read_cameras
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import write_text

from ..publish import TRAJECTORY
from .fingerprint import clip_figures

FILE = "sfm/report.html"
FLIGHT = {
    "speed": "speed, units per second",
    "height": "height over ground, units",
    "climb": "climb, units per second",
    "heading_deg_s": "heading change, degrees per second",
    "turn_deg": "net turn of a clip, degrees, right positive",
    "pitch_deg": "pitch, degrees, -90 straight down",
    "view_deg": "angle of view across, degrees",
    "length_s": "length, s",
}
# Measures that curate took of the shots.
LOOK = {
    "coast": "coast, probability",
    "land": "land, share of what is not sky",
    "sky": "sky, share",
    "brightness": "brightness, mean luma",
    "night": "night, 0 to 1",
    "haze": "haze, 0 to 1",
}
ACID = (
    "ACID's release has 765 videos and 2.1 million posed frames, 2,745 per video. It states no speeds or heights; this "
    "page can be made of its cameras, too, in a workspace from flythrough acquire --camera-files."
)
NOTE = (
    "A clip's unit is its own near distance, so speeds and heights compare scenes as the camera sees them, not metres. "
    "Height is over the reconstructed points nearest on the map, and is missing for clips that came as cameras alone. "
    "The picture's figures are of the shots. The sun's position is not measured; see brightness and night instead."
)


def write_report(workspace: Workspace, path: Path | None = None) -> Path:
    """Write the page; returns its path.

    Raises:
        InputError: there are no clips.
    """
    clips = workspace.rows("clips")
    if not clips:
        raise InputError(f"{workspace.root} has no clips", remedy="Run flythrough sfm")
    target = path or workspace / FILE
    write_text(target, render(clips, figures_of(workspace, clips)))
    return target


def figures_of(workspace: Workspace, clips: list[Row]) -> list[dict[str, float]]:
    """Figures of every clip, with those of the shot that it was cut from."""
    wanted = {row["shot_id"] for row in clips}
    shots = {}
    if workspace.has("shots"):
        shots = {
            row["id"]: json.loads(row["measures"])
            for row in workspace.scan("shots", ("id", "measures"))
            if row["id"] in wanted
        }
    found = []
    for row in clips:
        measures = shots.get(row["shot_id"], {})
        look = {name: float(measures[name]) for name in LOOK if measures.get(name) is not None}
        cameras = read_cameras(workspace / row["camera_file"])
        flown = clip_figures(cameras, _points(workspace, row)) if len(cameras) > 1 else {}
        found.append(flown | look)
    return found


def _points(workspace: Workspace, row: Row) -> np.ndarray | None:
    path = workspace / row["folder"] / TRAJECTORY if row["folder"] else None
    if path is None or not path.exists():
        return None
    try:
        with np.load(path) as archive:
            return np.array(archive["points"])
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path}: {error}", remedy="Run flythrough sfm again") from error


def render(clips: list[Row], figures: list[dict[str, float]]) -> str:
    """The page as HTML."""
    frames, videos = sum(row["frame_count"] for row in clips), len({row["video_id"] for row in clips})
    splits = sorted({row["split"] for row in clips})
    totals = [["clips", len(clips)], ["videos", videos], ["posed frames", frames]]
    totals += [["posed frames per video", round(frames / videos)]]
    totals += [[f"clips in {split}", sum(row["split"] == split for row in clips)] for split in splits]
    names = {name: text for name, text in (FLIGHT | LOOK).items() if any(name in one for one in figures)}
    values = {name: np.array([one[name] for one in figures if name in one]) for name in names}
    quantiles = [[names[name], len(v), *np.quantile(v, (0.05, 0.25, 0.5, 0.75, 0.95))] for name, v in values.items()]
    body = [
        table(["", ""], totals),
        f'<p class="note">{ACID}</p><h2>Flights and pictures</h2><p class="note">{NOTE}</p>',
        histograms({names[name]: v for name, v in values.items()}),
        "<h2>Quantiles over clips</h2>",
        table(["figure", "clips", "5 %", "25 %", "median", "75 %", "95 %"], quantiles),
    ]
    return page("Dataset", "".join(body), subtitle=f"{len(clips)} clips of {videos} videos")


def histograms(values: dict[str, np.ndarray]) -> str:
    """One small plot per figure, four in a row; the median is marked."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    rows = -(-len(values) // 4)
    figure = Figure(figsize=(13, 2.6 * rows), layout="constrained")
    for place, (title, each) in enumerate(values.items()):
        ax = figure.add_subplot(rows, 4, place + 1)
        middle, half = (each.max() + each.min()) / 2, (each.max() - each.min()) / 2
        half = max(half, 1e-3 * max(1.0, abs(middle)))  # clips may all be alike
        bins = min(30, max(5, round(2 * np.sqrt(len(each)))))
        ax.hist(each, bins=bins, range=(middle - half, middle + half), color="#1f77b4")
        ax.axvline(float(np.median(each)), color="#d62728", lw=1.2)
        ax.set_title(title, fontsize=9)
        ax.set_ylabel("clips", fontsize=8)
        ax.tick_params(labelsize=8)
        ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    return str(svg(figure))
