"""A few figures per clip that describe a dataset's flights."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from flythrough.scene.cameras import Cameras
from flythrough.scene.geometry import camera_center

from ..poses.trajectory import gravity

NEAREST = 30  # points below a camera that its height is measured against
MOST_FRAMES = 24  # frames of a clip at which height is measured
LEVEL = 0.2  # length of a view's horizontal part below which the heading is taken from the picture's upper edge


def clip_figures(cameras: Cameras, points: Float[np.ndarray, "p 3"] | None = None) -> dict[str, float]:
    """Figures of one clip; its unit is its own near distance (``clips.scale``).

    Args:
        cameras: of all frames, at least two.
        points: of the reconstruction, in the cameras' world; without them height is left out.

    Returns:
        ``length_s``; ``speed`` (median, units/s); ``climb`` (net, units/s, up is positive); ``heading_deg_s`` (median
        turn about the vertical, either way); ``turn_deg`` (net turn over the clip, right is positive); ``pitch_deg``
        (median, -90 straight down .. 90 up); ``view_deg`` (angle of view across); ``height`` (median, units over the
        points that are nearest on the map).
    """
    poses = cameras.poses
    down, centers = gravity(poses), camera_center(poses)
    times_s = (cameras.timestamps_us - cameras.timestamps_us[0]) / 1e6
    spans = np.maximum(np.diff(times_s), 1e-6)
    turns = np.degrees(_turns(poses, down))
    found = {
        "length_s": float(times_s[-1]),
        "speed": float(np.median(np.linalg.norm(np.diff(centers, axis=0), axis=-1) / spans)),
        "climb": float((centers[0] - centers[-1]) @ down / max(times_s[-1], 1e-6)),
        "heading_deg_s": float(np.median(np.abs(turns) / spans)),
        "turn_deg": float(turns.sum()),
        "pitch_deg": float(np.median(np.degrees(np.arcsin(np.clip(-poses[:, 2, :3] @ down, -1, 1))))),
        "view_deg": float(np.degrees(2 * np.arctan(0.5 / np.median(cameras.intrinsics[:, 0])))),
    }
    if points is not None and len(points) >= NEAREST:
        found["height"] = _height(centers, np.asarray(points, dtype=float), down)
    return found


def _turns(poses: Float[np.ndarray, "n 3 4"], down: Float[np.ndarray, 3]) -> Float[np.ndarray, "m"]:
    """Radians that the heading turns right from frame to frame."""
    ahead, up = poses[:, 2, :3], -poses[:, 1, :3]
    flat = ahead - (ahead @ down)[:, None] * down
    if np.median(np.linalg.norm(flat, axis=-1)) < LEVEL:
        flat = up - (up @ down)[:, None] * down
    here, there = flat[:-1], flat[1:]
    return np.arctan2(np.cross(here, there) @ down, (here * there).sum(-1))


def _height(centers: np.ndarray, points: np.ndarray, down: np.ndarray) -> float:
    chosen = centers[np.unique(np.linspace(0, len(centers) - 1, MOST_FRAMES).round().astype(int))]
    heights = []
    for center in chosen:
        away = points - center
        below = away @ down
        on_map = np.linalg.norm(away - below[:, None] * down, axis=-1)
        heights.append(np.median(below[np.argpartition(on_map, NEAREST - 1)[:NEAREST]]))
    return float(np.median(heights))
