"""More points for the disparity: corners everywhere in the picture, tracked and triangulated with the poses known."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64, UInt8

from flythrough.media.tracking import corners
from flythrough.scene.geometry import camera_center

from ..poses.masks import usable_mask
from ..poses.register import step_tracks
from ..poses.scene import Lens, Scene

_COUNT = 1500  # corners per anchor frame
_REACH = 0.05  # tracks end when half of the corners have moved this far, widths
_MAX_FRAMES = 20  # ... or after this many frames
_MAX_ERROR_PX = 1.0  # largest mean distance from the tracks, at 640 pixels of width
_MIN_ANGLE_DEG = 0.5  # between the outermost rays


@dataclass(frozen=True)
class Dense:
    """Points and the places of the first and the last frame that saw them."""

    points: Float[np.ndarray, "p 3"]
    visible_from: Int64[np.ndarray, "p"]
    visible_to: Int64[np.ndarray, "p"]


def dense_points(gray: UInt8[np.ndarray, "m H W"], color: UInt8[np.ndarray, "m h w 3"], scene: Scene) -> Dense:
    """Track corners through a scene's frames in short stretches and triangulate them.

    Args:
        gray: working pictures of the scene's frames.
        color: the same frames in colour; sky is left out.
        scene: poses and lens.
    """
    found = [
        (places, _triangulate(scene, places, tracks))
        for places, tracks in _stretches(gray, color)
        if len(places) > 1 and tracks.shape[1]
    ]
    points = np.concatenate([np.zeros((0, 3)), *(points for _, points in found)])
    first = np.concatenate([np.zeros(0, np.int64), *(np.full(len(p), places[0]) for places, p in found)])
    last = np.concatenate([np.zeros(0, np.int64), *(np.full(len(p), places[-1]) for places, p in found)])
    return Dense(points, first, last)


def _stretches(
    gray: UInt8[np.ndarray, "m H W"], color: UInt8[np.ndarray, "m h w 3"]
) -> Iterator[tuple[list[int], Float[np.ndarray, "v n 2"]]]:
    """Stretches of frames and the corners that were followed through the whole of each, in pixels."""
    width = gray.shape[2]
    start = 0
    while start < len(gray) - 1:
        usable = usable_mask(color[start], None, (width, gray.shape[1])).astype(np.uint8)
        found = corners(gray[start], _COUNT, spacing_px=5 * width / 640, quality=0.002, mask=usable)
        if not len(found):
            start += 1
            continue
        views = [found.astype(np.float64) + 0.5]
        places = [start]
        while places[-1] < len(gray) - 1 and len(places) <= _MAX_FRAMES:
            here = places[-1]
            kept, moved = step_tracks(gray[here], gray[here + 1], views[-1])
            if len(moved) < 20:
                break
            views = [view[kept] for view in views] + [moved]
            places.append(here + 1)
            if np.median(np.linalg.norm(moved - views[0], axis=-1)) > _REACH * width:
                break
        yield places, np.stack(views)
        start = max(places[-1], start + 1)


def _triangulate(scene: Scene, places: list[int], tracks: Float[np.ndarray, "v n 2"]) -> Float[np.ndarray, "p 3"]:
    """Points nearest to their rays; those that miss a track or rest on parallel rays are left out."""
    poses = scene.poses[places]
    rays = np.stack([_rays(scene.lens, xy) @ pose[:, :3] for xy, pose in zip(tracks, poses, strict=True)])
    centers = camera_center(poses)
    across = np.eye(3) - rays[..., :, None] * rays[..., None, :]  # projects onto the plane perpendicular to a ray
    matrix = across.sum(0) + 1e-9 * np.eye(3)
    points = np.linalg.solve(matrix, (across @ centers[:, None, :, None]).sum(0))[..., 0]
    local = np.einsum("vij,nj->vni", poses[:, :, :3], points) + poses[:, None, :, 3]
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.linalg.norm(scene.lens.pixels(local) - tracks, axis=-1).mean(0)
    cosine = np.clip((rays[0] * rays[-1]).sum(-1), -1, 1)
    good = (local[..., 2] > 0).all(0) & (error < _MAX_ERROR_PX * scene.lens.width / 640)
    good &= np.degrees(np.arccos(cosine)) > _MIN_ANGLE_DEG
    return points[good]


def _rays(lens: Lens, xy: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Unit rays in camera axes of pixels of the recorded picture."""
    bent = (xy - np.array([lens.width, lens.height]) / 2) / lens.focal
    straight = bent
    for _ in range(5):
        straight = bent / (1 + lens.k * (straight**2).sum(-1, keepdims=True))
    rays = np.concatenate([straight, np.ones_like(straight[:, :1])], -1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)
