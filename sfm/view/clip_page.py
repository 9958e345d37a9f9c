"""One clip on a page: points and camera path, frames with their disparity, errors over time."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64, UInt8
from markupsafe import Markup

from flythrough.cli.page import jpeg_uri, page, svg, table
from flythrough.errors import InputError
from flythrough.scene.clips import Clip
from flythrough.scene.geometry import camera_center
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import write_text

from ..publish import TRAJECTORY
from .scene_drawing import level_axes, near_points, turnable_scene

_FRAMES = 8  # shown with their disparity


def write_view(workspace: Workspace, clip_id: str, path: Path | None = None) -> Path:
    """Write a clip's page; returns its path.

    Raises:
        InputError: there is no such clip, or it has no frames.
    """
    rows = {row["id"]: row for row in workspace.rows("clips")}
    if clip_id not in rows:
        some = ", ".join(list(rows)[:5]) or "none yet"
        raise InputError(f"There is no clip {clip_id!r}", remedy=f"Clips are: {some}")
    row = rows[clip_id]
    if not row["folder"] or not (workspace / row["folder"] / TRAJECTORY).exists():
        raise InputError(f"The clip {clip_id} has no frames yet", remedy="Run flythrough sfm")
    target = path or workspace / "sfm" / "view" / f"{clip_id}.html"
    write_text(target, render(Clip(workspace / row["folder"], row), row))
    return target


def render(clip: Clip, row: Row) -> str:
    """The page as self-contained HTML."""
    with np.load(clip.folder / TRAJECTORY) as archive:
        trajectory = dict(archive)
    measures = json.loads(row["measures"])
    facts = {
        "split": row["split"],
        "frames": f"{len(clip)} of {clip.width} x {clip.height}",
        "every": f"{clip.steps} frames per training step",
        "scale": f"{row['scale']:.4g} SfM units per unit",
        "disparity": row["disparity"],
        "fx fy cx cy": ", ".join(f"{value:.5g}" for value in clip.cameras.intrinsics[0]),
        **{name: value for name, value in measures.items() if name != "routes"},
        **{f"{name} mapping": _listed(found) for name, found in measures.get("routes", {}).items()},
    }
    frames = np.unique(np.linspace(0, len(clip) - 1, _FRAMES).round().astype(int))
    body = Markup("").join(
        [
            Markup("<h2>Camera path and points</h2>"),
            turnable_scene(clip, trajectory, frames),
            Markup(_paths(clip, trajectory)),
            Markup("<h2>Frames and disparity</h2>"),
            _frames(clip, frames),
            Markup("<h2>Errors</h2>"),
            Markup(_errors(clip, trajectory)),
            Markup("<h2>Figures</h2>"),
            Markup(table(["figure", "value"], list(facts.items()))),
        ]
    )
    return page(f"Clip {clip.id}", str(body))


def _listed(figures: Row) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in figures.items())


def turbo(disparity: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Disparity in [0, 1] as colours: near red, far blue, sky black."""
    import matplotlib

    colors = (matplotlib.colormaps["turbo"](np.clip(disparity, 0, 1))[..., :3] * 255).astype(np.uint8)
    colors[disparity <= 0] = 0
    return colors


def _frames(clip: Clip, frames: Int64[np.ndarray, "k"]) -> Markup:
    import cv2

    shown = []
    for index in frames:
        pair = np.concatenate([clip.frame(index), turbo(clip.disparity(index))], 1)
        small = cv2.resize(pair, (960, round(960 * pair.shape[0] / pair.shape[1])), interpolation=cv2.INTER_AREA)
        time_s = (clip.cameras.timestamps_us[index] - clip.cameras.timestamps_us[0]) / 1e6
        shown.append(
            Markup('<figure><img src="{}" style="max-width:100%" alt="frame {}"><figcaption>{}</figcaption></figure>')
            .format(jpeg_uri(small), index, f"frame {index}, {time_s:.2f} s")
        )  # fmt: skip
    return Markup("").join(shown)


def _paths(clip: Clip, trajectory: dict[str, np.ndarray]) -> str:
    """The path from above and from the side, aligned with gravity and the first view."""
    from matplotlib.figure import Figure

    poses = clip.cameras.poses
    axes_of_view = level_axes(poses)
    near, near_colors = near_points(trajectory, camera_center(poses), 2500)
    points, colors = near @ axes_of_view.T, near_colors / 255
    raw = camera_center(poses) @ axes_of_view.T
    smoothed = camera_center(trajectory["smoothed"]) @ axes_of_view.T
    ahead = poses[:, 2, :3] @ axes_of_view.T
    figure = Figure(figsize=(11, 5.5), layout="constrained")
    for place, (title, across, up, sign) in enumerate([("from above", 0, 2, 1), ("from the side", 2, 1, -1)]):
        ax = figure.add_subplot(1, 2, place + 1)
        ax.scatter(points[:, across], sign * points[:, up], c=colors, s=2, linewidths=0, rasterized=True)
        ax.plot(raw[:, across], sign * raw[:, up], color="#d62728", lw=2, label="raw")
        ax.plot(smoothed[:, across], sign * smoothed[:, up], color="#1f77b4", lw=1, ls="--", label="smoothed")
        some = slice(None, None, clip.steps)
        ax.plot(raw[some, across], sign * raw[some, up], "o", color="#d62728", ms=3, label=f"every {clip.steps}")
        arrows = slice(None, None, max(1, len(raw) // 8))
        ax.quiver(
            raw[arrows, across], sign * raw[arrows, up], ahead[arrows, across], sign * ahead[arrows, up],
            angles="xy", width=0.003, color="#555555",
        )  # fmt: skip
        ax.set(title=title, aspect="equal", xlabel="units")
        ax.grid(alpha=0.3)
    figure.axes[0].legend(loc="best", fontsize=8)
    return str(svg(figure))


def _errors(clip: Clip, trajectory: dict[str, np.ndarray]) -> str:
    from matplotlib.figure import Figure

    times = (clip.cameras.timestamps_us - clip.cameras.timestamps_us[0]) / 1e6
    motion = np.linalg.norm(np.diff(camera_center(clip.cameras.poses), axis=0), axis=-1)
    curves = [
        ("reprojection error, px at 640", times, trajectory["error_px"]),
        ("camera motion per frame, units", times[1:], motion),
        ("disparity against neighbour, relative", None, trajectory["warp_disparity"]),
        ("colour against neighbour", None, trajectory["warp_photometric"]),
    ]
    figure = Figure(figsize=(11, 5), layout="constrained")
    for place, (title, x, y) in enumerate(curves):
        ax = figure.add_subplot(2, 2, place + 1)
        ax.plot(times[len(times) - len(y) :] if x is None else x, y, color="#1f77b4", lw=1.2)
        ax.set(title=title, xlabel="s")
        ax.set_ylim(bottom=0)
        ax.grid(alpha=0.3)
    return str(svg(figure))
