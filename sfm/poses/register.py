"""Poses of the frames between keyframes: points are tracked into them, then each frame is resected."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pycolmap
from jaxtyping import Bool, Float, Int64, UInt8

from flythrough.media.tracking import LucasKanade

from .features import strongest_of_each
from .footage import Footage
from .scene import Scene

_TRACKER = LucasKanade(window=21, rounds=20)
_REFINER = LucasKanade(window=21, rounds=20, levels=0)
_AGREES_PX = 0.7  # between two ways of tracking a point to the same frame, at a width of 640
_MIN_POINTS = 12  # a frame with fewer inliers gets no pose
_MAX_ERROR_PX = 2.0  # of an inlier, at a width of 640
_REACH = 30  # frames that may be posed before the first and after the last posed keyframe


@dataclass(frozen=True)
class Sighting:
    """Points seen in one frame."""

    points: Int64[np.ndarray, "n"]
    xy: Float[np.ndarray, "n 2"]


def register_frames(footage: Footage, scene: Scene, track_points: int, seed: int) -> Scene:
    """Add every frame that tracks reach to a scene of keyframes."""
    sightings = track_between(footage, scene, track_points)
    camera = pycolmap.Camera(
        camera_id=1, model="SIMPLE_RADIAL", width=scene.lens.width, height=scene.lens.height,
        params=[scene.lens.focal, scene.lens.width / 2, scene.lens.height / 2, scene.lens.k],
    )  # fmt: skip
    frames, poses, found = [], [], []
    for frame in sorted(sightings):
        posed = _resect(sightings[frame], scene, camera, seed)
        if posed is not None:
            frames.append(frame)
            poses.append(posed[0])
            found.append(posed[1])
    return _join(scene, frames, poses, found)


def track_between(footage: Footage, scene: Scene, track_points: int) -> dict[int, Sighting]:
    """Sightings in all other frames, tracked forward from the keyframe before and backward from the one after."""
    parts: dict[int, list[Sighting]] = {}
    last = len(footage) - 1
    for place, frame in enumerate(scene.frames):
        start = _strongest(scene, place, track_points)
        after = scene.frames[place + 1] - 1 if place + 1 < len(scene.frames) else min(last, frame + _REACH)
        before = scene.frames[place - 1] + 1 if place > 0 else max(0, frame - _REACH)
        for steps in (range(frame + 1, after + 1), range(frame - 1, before - 1, -1)):
            for reached, sighting in _follow(footage, frame, start, steps):
                parts.setdefault(reached, []).append(sighting)
    return {frame: _merge(sightings) for frame, sightings in parts.items()}


def _strongest(scene: Scene, place: int, count: int) -> Sighting:
    """The points of a keyframe with the longest tracks, spread over the picture."""
    seen = np.flatnonzero(scene.seen_frame == place)
    length = np.bincount(scene.seen_point, minlength=len(scene.points))[scene.seen_point[seen]]
    cell = (scene.seen_xy[seen] / [scene.lens.width, scene.lens.height] * [8, 6]).astype(int)
    cell = cell[:, 0] * 6 + cell[:, 1]
    chosen = seen[strongest_of_each(cell, length, count)]
    return Sighting(scene.seen_point[chosen], scene.seen_xy[chosen])


def _follow(footage: Footage, frame: int, start: Sighting, steps: range) -> Iterator[tuple[int, Sighting]]:
    """Track points from frame to frame, and refine each place against the keyframe itself to avoid drift."""
    points, key = start.points, footage.gray[frame]
    anchor = xy = (start.xy - 0.5).astype(np.float32)
    here = key
    for step in steps:
        if len(points) < _MIN_POINTS:
            return
        there = footage.gray[step]
        moved, found = _TRACKER.follow(here, there, xy)
        refined, also_found = _REFINER.follow(key, there, anchor, moved)
        kept = found & also_found & _inside(refined, there)
        kept &= np.linalg.norm(refined - moved, axis=-1) < _AGREES_PX * there.shape[1] / 640
        points, anchor, xy = points[kept], anchor[kept], refined[kept]
        yield step, Sighting(points, xy.astype(np.float64) + 0.5)
        here = there


def step_tracks(
    here: UInt8[np.ndarray, "h w"], there: UInt8[np.ndarray, "h w"], xy: Float[np.ndarray, "n 2"]
) -> tuple[Bool[np.ndarray, "n"], Float[np.ndarray, "m 2"]]:
    """Track points one step, in pixels; a point that does not track back to its origin is lost.

    Returns:
        Which points are kept, and the places of those.
    """
    from_xy = (xy - 0.5).astype(np.float32)
    moved, found, error = _TRACKER.there_and_back(here, there, from_xy, back_from_start=True)
    kept = found & _inside(moved, there) & (error < _AGREES_PX * there.shape[1] / 640)
    return kept, moved[kept].astype(np.float64) + 0.5


def _inside(xy: Float[np.ndarray, "n 2"], image: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "n"]:
    height, width = image.shape
    return np.asarray(((xy > 2) & (xy < [width - 3, height - 3])).all(-1))


def _merge(sightings: list[Sighting]) -> Sighting:
    """One sighting per point: the first."""
    points = np.concatenate([s.points for s in sightings])
    xy = np.concatenate([s.xy for s in sightings])
    _, first = np.unique(points, return_index=True)
    return Sighting(points[first], xy[first])


def _resect(
    sighting: Sighting, scene: Scene, camera: pycolmap.Camera, seed: int
) -> tuple[Float[np.ndarray, "3 4"], Sighting] | None:
    """Robust pose of one frame, and its inliers."""
    if len(sighting.points) < _MIN_POINTS:
        return None
    options = pycolmap.AbsolutePoseEstimationOptions()
    options.ransac.max_error = _MAX_ERROR_PX * scene.lens.width / 640
    options.ransac.random_seed = seed
    options.ransac.max_num_trials = 1000
    answer = pycolmap.estimate_and_refine_absolute_pose(sighting.xy, scene.points[sighting.points], camera, options)
    if answer is None or answer["num_inliers"] < max(_MIN_POINTS, 0.4 * len(sighting.points)):
        return None
    inlier: Bool[np.ndarray, "n"] = np.asarray(answer["inlier_mask"], dtype=bool)
    return answer["cam_from_world"].matrix(), Sighting(sighting.points[inlier], sighting.xy[inlier])


def _join(scene: Scene, frames: list[int], poses: list[np.ndarray], found: list[Sighting]) -> Scene:
    if not frames:
        return scene
    all_frames = np.concatenate([scene.frames, np.array(frames, dtype=np.int64)])
    order = np.argsort(all_frames, kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    added = np.concatenate([np.full(len(s.points), i) for i, s in enumerate(found)]) + len(scene.frames)
    return replace(
        scene,
        frames=all_frames[order],
        poses=np.concatenate([scene.poses, np.stack(poses)])[order],
        key=np.concatenate([scene.key, np.zeros(len(frames), bool)])[order],
        seen_frame=place[np.concatenate([scene.seen_frame, added])],
        seen_point=np.concatenate([scene.seen_point, *(s.points for s in found)]),
        seen_xy=np.concatenate([scene.seen_xy, *(s.xy for s in found)]),
    )
