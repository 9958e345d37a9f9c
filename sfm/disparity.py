"""The door to disparity: one provider or another, always in the clip's common scale."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from .config import DisparityConfig
from .posed import PosedClip

Disparities = Iterator[Float[np.ndarray, "h w"]]
_MIN_POINTS = 6


def disparities(clip: PosedClip, config: DisparityConfig) -> Disparities:
    """Disparity of each frame in turn, float32 ``[h, w]``, 0 = infinitely far."""
    if config.provider == "sfm":
        return _from_points(clip, config)
    from .networks import from_network

    return from_network(clip, config)


def _from_points(clip: PosedClip, config: DisparityConfig) -> Disparities:
    from .densify import densify

    for place in range(len(clip)):
        xy, disparity, _ = clip.sparse(place)
        assert len(xy) >= _MIN_POINTS, "quality rules let a frame without points pass"
        yield densify(clip.images[place], xy, disparity, config)
