"""Is there any parallax? A turning or zooming camera moves the picture without showing depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

_FOCALS = (0.45, 0.6, 0.8, 1.1, 1.6, 2.4)  # widths; 96 to 24 degrees across
_TOLERANCE = 1.5 / 640  # widths
_ROUNDS = 8

Matched = tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]]  # centred, in widths of the picture


@dataclass(frozen=True)
class Motion:
    """How a shot's picture moves.

    Attributes:
        travel: median motion of the picture between the keyframes furthest apart that match, widths.
        share: of the matches, that a rotation and a zoom explain, over the pairs that moved most.
        zoom: median |log zoom| of those pairs.
        turn: median rotation of those pairs, radians.
    """

    travel: float
    share: float
    zoom: float
    turn: float


def measure_motion(pairs: Sequence[Matched]) -> Motion:
    """Fit rotation and zoom to the matches of the pairs that moved most."""
    travel = np.array([np.median(np.linalg.norm(b - a, axis=-1)) for a, b in pairs])
    widest = np.argsort(-travel, kind="stable")[: max(1, min(24, len(pairs) // 3))]
    tried: dict[float, np.ndarray] = {}

    def fit(focal: float) -> float:
        if focal not in tried:
            tried[focal] = np.array([_rotation_and_zoom(pairs[i][0], pairs[i][1], focal) for i in widest])
        return float(tried[focal][:, 3].mean())

    best = min(_FOCALS, key=fit)
    for ratio in (1.15, 1.07, 1.035, 1.017):
        best = min((best / ratio, best, best * ratio), key=fit)
    share, zoom, turn, _ = (float(v) for v in np.median(tried[best], axis=0))
    return Motion(float(travel.max()), share, zoom, turn)


def _rotation_and_zoom(a: np.ndarray, b: np.ndarray, focal: float) -> tuple[float, float, float, float]:
    """Best rotation and zoom by robust Gauss-Newton: share of matches explained, |log zoom|, angle, clipped error."""
    if len(a) > 400:
        a, b = a[:: len(a) // 400], b[:: len(b) // 400]
    rays = np.concatenate([a / focal, np.ones_like(a[:, :1])], -1)
    rotation, zoom = np.eye(3), 0.0
    for _ in range(_ROUNDS):
        turned = rays @ rotation.T
        if turned[:, 2].min() < 0.05:
            return 0.0, 0.0, 0.0, 1.0  # it runs away: no rotation explains this
        x, y = (turned[:, :2] / turned[:, 2:]).T
        gain = focal * np.exp(zoom)
        residual = (b - gain * np.stack([x, y], -1)).ravel()
        jacobian = gain * np.stack(
            [np.stack([-x * y, 1 + x * x, -y, x], -1), np.stack([-1 - y * y, x * y, x, y], -1)], 1
        ).reshape(-1, 4)
        scale = max(_TOLERANCE, float(np.median(np.abs(residual))))
        weight = 1 / (1 + (residual / scale) ** 2)
        weighted = jacobian * weight[:, None]
        step = np.linalg.solve(weighted.T @ weighted + 1e-9 * np.eye(4), weighted.T @ (weight * residual))
        step *= min(1.0, 0.2 / max(1e-12, float(np.linalg.norm(step))))
        rotation = _small_rotation(step[:3]) @ rotation
        zoom += float(step[3])
    turned = rays @ rotation.T
    if turned[:, 2].min() < 0.05:
        return 0.0, 0.0, 0.0, 1.0
    error = np.linalg.norm(b - focal * np.exp(zoom) * turned[:, :2] / turned[:, 2:], axis=-1)
    angle = np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))
    clipped = float(np.minimum(error / (10 * _TOLERANCE), 1).mean())
    return float((error < _TOLERANCE).mean()), abs(zoom), float(angle), clipped


def _small_rotation(vector: np.ndarray) -> np.ndarray:
    angle = float(np.linalg.norm(vector))
    if angle < 1e-12:
        return np.eye(3)
    x, y, z = vector / angle
    skew = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * skew @ skew
