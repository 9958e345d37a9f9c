"""Parallax test: a rotating or zooming camera moves the picture without showing depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from flythrough.scene.turning import fit_turn

_FOCALS = (0.45, 0.6, 0.8, 1.1, 1.6, 2.4)  # widths; 96 to 24 degrees across
_TOLERANCE = 1.5 / 640  # widths

Matched = tuple[Float[np.ndarray, "m 2"], Float[np.ndarray, "m 2"]]  # centred, in widths of the picture


@dataclass(frozen=True)
class Motion:
    """How a shot's picture moves.

    Attributes:
        travel: largest median motion of the picture between two matched keyframes, widths.
        share: share of the matches that a rotation and a zoom explain; median of the pairs that moved most.
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
    """Best rotation and zoom: share of matches explained, |log zoom|, angle, clipped error."""
    if len(a) > 400:
        a, b = a[:: len(a) // 400], b[:: len(b) // 400]
    turn = fit_turn(a, b, focal, _TOLERANCE)
    if turn is None:
        return 0.0, 0.0, 0.0, 1.0  # it diverged: no rotation explains this
    angle = np.arccos(np.clip((np.trace(turn.rotation) - 1) / 2, -1, 1))
    clipped = float(np.minimum(turn.errors / (10 * _TOLERANCE), 1).mean())
    return float((turn.errors < _TOLERANCE).mean()), abs(turn.zoom), float(angle), clipped
