"""The cameras that a flight is judged by: the protocol's own, or stated ones that a flight of this protocol could have.

If the protocol plans a flight, its plan is the camera, whatever is handed in. A method that steers itself states a pose
for the start and one per step. They must be a flight that the autopilot could fly: from the protocol's start, at the
protocol's speed, and not through the ground or a hill that the start frame shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float

from flythrough.errors import InputError
from flythrough.scene.cameras import read_cameras
from flythrough.scene.geometry import Pose, camera_center, rotation_angle_deg, transform

# Of the protocol's speed. The autopilot moves by a mean of unit vectors: at most at that speed, slower in a turn.
MIN_SPEED, MAX_SPEED = 0.5, 1.01
START_SHARE, START_DEG = 0.01, 0.1  # a stated start may be off by this share of a step and this angle: rounded text
MAX_RATIO = 1.25  # of the disparities at a triangle's corners: above it, the triangle spans an edge between objects

Poses = Float[np.ndarray, "n 3 4"]


@dataclass(frozen=True)
class Commanded:
    """The camera of one flight.

    Attributes:
        poses: cam_from_world of the start and of each step; None if there are none to judge the frames by.
        objection: why the flight does not count as following, whatever its frames show.
    """

    poses: Poses | None
    objection: str | None = None


NOT_STATED = "states no camera"


def stated_cameras(file: Path, steps: int, start: Pose, speed: float, surface: Float[np.ndarray, "h w 3"]) -> Commanded:
    """Read and check the cameras that a method states for a flight.

    Args:
        file: RealEstate10K text, one line for the start and one per step; its times and intrinsics are ignored.
        steps: of the flight.
        start: the protocol's cam_from_world of the start frame.
        speed: the protocol's, scene units per step.
        surface: of the start frame; see :func:`flythrough.scene.known_ground.start_surface`.
    """
    if not file.is_file():
        return Commanded(None, NOT_STATED)
    try:
        poses = read_cameras(file).poses
    except (InputError, OSError, ValueError) as error:
        text = str(error).splitlines()[0].replace(f"{file.parent}/", "")
        return Commanded(None, f"states cameras that cannot be read: {text[:200]}")
    if (objection := _wrong(poses, steps, start, speed)) is not None:
        return Commanded(None, objection)
    if (step := first_crossing(transform(start, camera_center(poses)), surface)) is not None:
        return Commanded(poses, f"flies through the surface that the start frame shows, at step {step}")
    return Commanded(poses)


def _wrong(poses: Poses, steps: int, start: Pose, speed: float) -> str | None:
    """Why the poses cannot be a flight of this start and speed, or None."""
    if len(poses) != steps + 1:
        return f"states {len(poses)} cameras, not {steps + 1}: one for the start, one per step"
    rotations = poses[:, :, :3]
    square = np.abs(rotations @ rotations.swapaxes(1, 2) - np.eye(3)).max() < 1e-4
    if not square or (np.linalg.det(rotations) < 0).any():
        return "states cameras that are not rotations and translations"
    apart = float(np.linalg.norm(camera_center(poses[0]) - camera_center(start)))
    turned = float(rotation_angle_deg(poses[0], start))
    if apart > START_SHARE * speed or turned > START_DEG:
        return f"starts {apart:.3g} scene units and {turned:.3g} degrees from the protocol's start"
    shares = np.linalg.norm(np.diff(camera_center(poses), axis=0), axis=1) / speed
    step = int(np.argmax(np.maximum(shares / MAX_SPEED, MIN_SPEED / np.maximum(shares, 1e-9))))
    if not MIN_SPEED <= shares[step] <= MAX_SPEED:
        return f"moves its camera at {shares[step]:.2f} of the protocol's speed at step {step + 1}"
    return None


def first_crossing(centers: Float[np.ndarray, "n 3"], surface: Float[np.ndarray, "h w 3"]) -> int | None:
    """The first step that leads through the surface; None if no step does.

    Args:
        centers: where the camera is at the start and at each step, in the start camera's frame.
        surface: see :func:`flythrough.scene.known_ground.start_surface`. It is cut
            where it recedes at once, as behind a hill.
    """
    corners = _triangles(surface)
    origin, edges = corners[:, 0], corners[:, 1:] - corners[:, :1]
    for step, (here, there) in enumerate(pairwise(centers), start=1):
        if _meets(here, there - here, origin, edges):
            return step
    return None


def _triangles(surface: Float[np.ndarray, "h w 3"]) -> Float[np.ndarray, "k 3 3"]:
    a, b, c, d = surface[:-1, :-1], surface[:-1, 1:], surface[1:, :-1], surface[1:, 1:]
    all_three = np.concatenate([np.stack([a, b, c], -2).reshape(-1, 3, 3), np.stack([d, c, b], -2).reshape(-1, 3, 3)])
    depth = all_three[:, :, 2]
    with np.errstate(invalid="ignore"):
        whole = depth.max(1) <= MAX_RATIO * depth.min(1)  # false where a corner is sky
    return all_three[whole]


def _meets(here: np.ndarray, along: np.ndarray, origin: np.ndarray, edges: np.ndarray) -> bool:
    """Whether the segment from ``here`` by ``along`` meets a triangle (Moeller and Trumbore 1997)."""
    across = np.cross(along, edges[:, 1])
    det = (edges[:, 0] * across).sum(1)
    away = here - origin
    with np.errstate(divide="ignore", invalid="ignore"):
        u = (away * across).sum(1) / det
        turned = np.cross(away, edges[:, 0])
        v = (turned @ along) / det
        t = (edges[:, 1] * turned).sum(1) / det
        return bool(((u >= 0) & (v >= 0) & (u + v <= 1) & (t >= 0) & (t <= 1)).any())
