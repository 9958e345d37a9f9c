"""The interactive part of a clip's page: points, camera path and some cameras, drawn by ``view.js``."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64
from markupsafe import Markup

from flythrough.scene.clips import Clip
from flythrough.scene.geometry import camera_center, invert, transform
from flythrough.workspace.files import JsonObject

from ..poses.trajectory import gravity

_POINTS = 6000  # drawn at most
_HTML = Markup(
    '<canvas id="scene" style="width:100%;height:32rem;background:#10171d;border-radius:6px;touch-action:none">'
    "</canvas>"
    '<p class="note">Red: camera path, a dot where training takes a frame. Blue: smoothed. Yellow: the frames shown '
    "below. Drag to turn, wheel to zoom, double-click to reset.</p>"
    '<script type="application/json" id="scene-data">{}</script><script>{}</script>'
)


def turnable_scene(clip: Clip, trajectory: dict[str, np.ndarray], frames: Int64[np.ndarray, "k"]) -> Markup:
    """Canvas, data and script as HTML; ``frames`` are those whose cameras are drawn."""
    script = (Path(__file__).parent / "view.js").read_text(encoding="utf-8")
    data = json.dumps(scene_data(clip, trajectory, frames), separators=(",", ":"))
    return _HTML.format(Markup(data), Markup(script))


def scene_data(clip: Clip, trajectory: dict[str, np.ndarray], frames: Int64[np.ndarray, "k"]) -> JsonObject:
    """What ``view.js`` draws, in the axes of :func:`level_axes`."""
    poses = clip.cameras.poses
    axes = level_axes(poses)
    raw = camera_center(poses)
    points, colors = near_points(trajectory, raw, _POINTS)
    middle = (np.median(points, axis=0) + raw.mean(0)) / 2
    reach = [np.percentile(np.linalg.norm(each - middle, axis=-1), 90) for each in (points, raw)]
    radius = round(float(max(reach)), 4)
    xy = (np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - clip.cameras.intrinsics[0, 2:]) / clip.cameras.intrinsics[0, :2]
    corners = 0.06 * radius * np.concatenate([xy, np.ones((4, 1))], -1)

    def placed(places: Float[np.ndarray, "n 3"]) -> list[list[float]]:
        return np.round(places @ axes.T, 3).tolist()

    return {
        "points": placed(points),
        "colors": colors.tolist(),
        "raw": placed(raw),
        "smoothed": placed(camera_center(trajectory["smoothed"])),
        "subsampled": placed(raw[:: clip.steps]),
        "cameras": [
            {"frame": int(i), "eye": placed(raw[i]), "corners": placed(transform(invert(poses[i]), corners))}
            for i in frames
        ],
        "middle": placed(middle),
        "radius": radius,
    }


def near_points(
    trajectory: dict[str, np.ndarray], path: Float[np.ndarray, "n 3"], count: int
) -> tuple[Float[np.ndarray, "p 3"], np.ndarray]:
    """Points and colours, evenly thinned to ``count``, without the tenth that is farthest from the path."""
    away = np.linalg.norm(trajectory["points"] - path.mean(0), axis=-1)
    shown = np.flatnonzero(away <= np.percentile(away, 90))
    shown = shown[:: -(-len(shown) // count)]
    return trajectory["points"][shown].astype(float), trajectory["colors"][shown]


def level_axes(poses: Float[np.ndarray, "n 3 4"]) -> Float[np.ndarray, "3 3"]:
    """Rows: right, down, ahead of a level observer who looks where the first camera does."""
    down = gravity(poses)
    ahead = poses[0, 2, :3] - (poses[0, 2, :3] @ down) * down
    if np.linalg.norm(ahead) < 0.2:  # it looks straight down
        ahead = -poses[0, 1, :3] + (poses[0, 1, :3] @ down) * down
    if np.linalg.norm(ahead) < 0.2:
        down, ahead = poses[0, 1, :3], poses[0, 2, :3]
    ahead = ahead / np.linalg.norm(ahead)
    return np.stack([np.cross(down, ahead), down, ahead])
