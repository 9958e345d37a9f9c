"""Rotation and zoom: how a picture moves if its camera does not change place, whatever the scene's depth."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

_ROUNDS = 8
_NEAREST = 0.05  # least z of a rotated ray; below it the fit has diverged

Points = Float[np.ndarray, "n 2"]  # centred, in widths of the picture


class Turn(NamedTuple):
    """A rotation and a zoom, and the distance of each point from where they predict it, widths."""

    rotation: Float[np.ndarray, "3 3"]
    zoom: float  # natural logarithm
    errors: Float[np.ndarray, "n"]


def fit_turn(a: Points, b: Points, focal: float, tolerance: float) -> Turn | None:
    """The best rotation and zoom from ``a`` to ``b`` by robust Gauss-Newton; None if it diverges.

    Args:
        a: points in one picture.
        b: the same points in the other.
        focal: focal length of the first, widths.
        tolerance: errors below it count in full, widths.
    """
    rays = np.concatenate([a / focal, np.ones_like(a[:, :1])], -1)
    rotation, zoom = np.eye(3), 0.0
    for _ in range(_ROUNDS):
        turned = rays @ rotation.T
        if turned[:, 2].min() < _NEAREST:
            return None
        x, y = (turned[:, :2] / turned[:, 2:]).T
        gain = focal * np.exp(zoom)
        residual = (b - gain * np.stack([x, y], -1)).ravel()
        jacobian = gain * np.stack(
            [np.stack([-x * y, 1 + x * x, -y, x], -1), np.stack([-1 - y * y, x * y, x, y], -1)], 1
        ).reshape(-1, 4)
        scale = max(tolerance, float(np.median(np.abs(residual))))
        weight = 1 / (1 + (residual / scale) ** 2)
        weighted = jacobian * weight[:, None]
        step = np.linalg.solve(weighted.T @ weighted + 1e-9 * np.eye(4), weighted.T @ (weight * residual))
        step *= min(1.0, 0.2 / max(1e-12, float(np.linalg.norm(step))))
        rotation = _small_rotation(step[:3]) @ rotation
        zoom += float(step[3])
    turned = rays @ rotation.T
    if turned[:, 2].min() < _NEAREST:
        return None
    return Turn(rotation, zoom, np.linalg.norm(b - focal * np.exp(zoom) * turned[:, :2] / turned[:, 2:], axis=-1))


def _small_rotation(vector: np.ndarray) -> np.ndarray:
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
