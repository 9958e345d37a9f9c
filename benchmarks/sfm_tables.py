"""Shared by the benchmarks of sfm/: errors against the truth, and their tables in docs/sfm.md."""

from __future__ import annotations

import re
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float

from flythrough.sample.film import Film, frame_times_us
from flythrough.scene.geometry import rotation_angle_deg
from flythrough.sfm.config import SfmConfig
from flythrough.sfm.poses.footage import Footage
from flythrough.sfm.poses.keyframes import choose_keyframes, picture_motion
from flythrough.sfm.poses.mapping import map_keyframes
from flythrough.sfm.poses.matching import match_keyframes
from flythrough.sfm.poses.scene import Scene
from flythrough.sfm.reconstruct import pose_all
from flythrough.workspace.files import write_text

PAGE = Path(__file__).parents[1] / "docs" / "sfm.md"


def align(
    found: Float[np.ndarray, "n 3"], true: Float[np.ndarray, "n 3"]
) -> tuple[float, Float[np.ndarray, "3 3"], float]:
    """Similarity that takes found positions to true ones (Umeyama).

    Returns:
        Scale, rotation, and the RMS distance that is left, percent of the true path's length.
    """
    a, b = found - found.mean(0), true - true.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.diag([1, 1, np.linalg.det(u @ vt)])
    rotation = u @ sign @ vt
    scale = float(np.trace(np.diag(s) @ sign) / (a**2).sum())
    distance = np.sqrt(((scale * a @ rotation.T - b) ** 2).sum(-1).mean())
    return scale, rotation, float(100 * distance / np.linalg.norm(np.diff(true, axis=0), axis=-1).sum())


def rotation_error_deg(
    found: Float[np.ndarray, "n 3 4"], true: Float[np.ndarray, "n 3 4"], rotation: Float[np.ndarray, "3 3"]
) -> float:
    """Median angle between found and true orientations, after ``rotation`` takes the found world to the true one."""
    moved = np.concatenate([found[:, :, :3] @ rotation.T, found[:, :, 3:]], -1)
    return float(np.median(rotation_angle_deg(moved, true)))


def pose_take(take: Film) -> Scene:
    """Pose every frame of a take as the stage does, without disparity."""
    config = SfmConfig()
    gray = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in take.images])
    footage = Footage(frame_times_us(len(take), take.fps), gray, take.images)
    keyframes = choose_keyframes(picture_motion(footage), footage.times_us, config.keyframes)
    graph = match_keyframes(footage, keyframes, config.mapping.focal, config.features, config.seed)
    best, _ = map_keyframes(graph, config.mapping, config.seed)
    return pose_all(footage, best.models, keyframes, config)[0]


def write_table(name: str, lines: list[str]) -> None:
    """Replace the text in docs/sfm.md between the comments ``<!-- name -->`` and ``<!-- end of name -->``."""
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    text = PAGE.read_text(encoding="utf-8")
    assert begin in text, f"{PAGE} has no place for the table {name}"
    table = "\n".join(lines)
    pattern = f"{re.escape(begin)}.*?{re.escape(end)}"
    write_text(PAGE, re.sub(pattern, lambda _: begin + table + end, text, flags=re.DOTALL))
