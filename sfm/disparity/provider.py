"""Disparity from any provider, always in the clip's common scale."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from flythrough.errors import FlythroughError
from flythrough.scene.geometry import camera_center

from ..config import DisparityConfig
from ..poses.trajectory import level
from .fit import MIN_POINTS, Disparities
from .posed import PosedClip

_UNDER_PERCENT = 2  # of the points may lie below the sea's plane


def disparities(clip: PosedClip, config: DisparityConfig) -> Disparities:
    """Disparity of each frame in turn, float32 ``[h, w]``, 0 = infinitely far.

    Raises:
        MissingWeights: the provider's weights are not on this machine.
        FlythroughError: a network's disparity contradicts the points, or without a network a frame shows too few of
            them (kind "disparity_fit").
    """
    if config.provider == "sfm" and config.model is None:
        return _from_points(clip, config)
    from .networks import from_network

    return from_network(clip, config)


def _from_points(clip: PosedClip, config: DisparityConfig) -> Disparities:
    from .densify import densify

    sea = _sea_plane(clip)
    for place in range(len(clip)):
        xy, disparity, _ = clip.sparse(place)
        if len(xy) < MIN_POINTS:  # frames with given cameras are not chosen by their points
            raise FlythroughError(
                f"The frame at {clip.times_us[place] / 1e6:.3f} s shows only {len(xy)} of the {MIN_POINTS} points that "
                "its disparity takes",
                remedy="Leave such frames out of the given cameras, or take a network's disparity "
                "(--set sfm.disparity.provider=depth-anything-v2-small)",
                kind="disparity_fit",
            )
        ground = None if sea is None else plane_disparity(clip.intrinsics, clip.poses[place], *sea)
        yield densify(clip.images[place], xy, disparity, config, ground)


def _sea_plane(clip: PosedClip) -> tuple[Float[np.ndarray, 3], float] | None:
    """The level plane under nearly all points, as (down, down . x); None if gravity cannot be determined.

    Only bundle-adjusted points count: of the others, some on waves appear to lie below the sea.
    """
    down = level(clip.poses)
    if down is None:
        return None
    depth = float(np.percentile(clip.points[: clip.adjusted] @ down, 100 - _UNDER_PERCENT))
    return (down, depth) if (depth - camera_center(clip.poses) @ down).min() > 0.05 else None


def plane_disparity(
    intrinsics: Float[np.ndarray, 4], pose: Float[np.ndarray, "3 4"], normal: Float[np.ndarray, 3], offset: float
) -> Float[np.ndarray, 3]:
    """Disparity of the world plane ``normal . x = offset`` over a picture: constant, slope along x, slope along y."""
    fx, fy, cx, cy = intrinsics
    a, b, c = pose[:, :3] @ normal / (offset - normal @ camera_center(pose))
    return np.array([c - a * cx / fx - b * cy / fy, a / fx, b / fy])
