"""Ground that is known: the surface that a flight's start picture shows, and how to stay above it.

A model may paint a hill farther off at every step, and what steers by its disparity then flies through the hill. The
start picture shows where the hill stands.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from .geometry import Intrinsics, Pose, invert, transform, unproject

MESH_ROWS = 64  # of the start picture's surface
MIN_DISPARITY = 0.02  # what is farther than 50 scene units is sky
ABOVE = 0.2  # scene units: how far above the ground the camera should pass
BESIDE = 0.4  # scene units: ground farther to the side is passed by
MAX_SLOPE = 1.0  # of a climb: 45 degrees
EARLY = 3.0  # steps before a place by which the climb over it is made in full; before that, little by little


def start_surface(disparity: Float[np.ndarray, "h w"], intrinsics: Intrinsics) -> Float[np.ndarray, "_h _w 3"]:
    """Points of a start picture in its camera's frame, at most ``MESH_ROWS`` rows; not finite where it shows sky."""
    every = -(-len(disparity) // MESH_ROWS)
    points = unproject(intrinsics, 1 / np.maximum(disparity.astype(np.float64), 1e-9))
    points[disparity < MIN_DISPARITY] = np.nan
    return points[::every, ::every]


class KnownGround:
    """The ground that a flight's start picture shows.

    Args:
        disparity: of the start picture, 1 / scene units.
        intrinsics: fx fy cx cy, normalised.
        pose: of the start, cam_from_world; its y axis is down.
    """

    def __init__(self, disparity: Float[np.ndarray, "h w"], intrinsics: Intrinsics, pose: Pose) -> None:
        surface = start_surface(disparity, intrinsics).reshape(-1, 3)
        world_from_start = invert(pose)
        self._points = transform(world_from_start, surface[np.isfinite(surface).all(-1)])
        self._down = world_from_start[:, 1]

    def clear(self, position: Float[np.ndarray, 3], move: Float[np.ndarray, 3], speed: float) -> Float[np.ndarray, 3]:
        """The heading ``move``, raised as far as needed to pass above the ground ahead.

        Args:
            position: of the camera, in world axes.
            move: where it is heading, in world axes, of any length; its length stays.
            speed: distance per step, scene units; negative flies towards ``-move``.
        """
        course = move if speed >= 0 else -move
        level = course + (course @ -self._down) * self._down
        length = float(np.linalg.norm(level))
        if length < 1e-6 or not len(self._points):
            return move
        level /= length
        slope = float(course @ -self._down) / length
        away = self._points - position
        ahead, up = away @ level, away @ -self._down
        aside = np.linalg.norm(away - ahead[:, None] * level + up[:, None] * self._down, axis=1)
        near = (ahead > 0) & (aside < BESIDE)
        ahead = np.maximum(ahead[near], 1e-6)
        missing = np.minimum((up[near] + ABOVE) / ahead, MAX_SLOPE) - slope
        more = float(np.max(missing * np.minimum(1, EARLY * abs(speed) / ahead), initial=0.0))
        if not more:
            return move
        climbing = level - (slope + more) * self._down
        climbing *= np.linalg.norm(course) / np.linalg.norm(climbing)
        return climbing if speed >= 0 else -climbing
