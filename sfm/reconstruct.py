"""One shot, from its frames to its clips: photos, given cameras, or structure from motion."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64

from flythrough.workspace.files import unchanged
from flythrough.workspace.stage import Job, Outcome

from .config import SfmConfig
from .decide import BY_RULE
from .photos import read_photos
from .poses.footage import Footage, read_shot
from .poses.scene import Scene
from .shot import Context, drop, too_poor

if TYPE_CHECKING:
    import pycolmap

logger = logging.getLogger(__name__)


def process(job: Job, config: SfmConfig) -> Outcome:
    """Reconstruct the shot of a task: one row per clip, or a drop with its reason."""
    inputs = job.task.inputs
    if "shot" not in inputs:
        return _reconstruct_photos(job, config)
    shot, video = inputs["shot"], inputs["video"]
    url = video["url"] or video["path"]
    if shot["camera_file"]:
        from .given import process_given

        return process_given(job, url, config)
    overlay = job.workspace / shot["overlay_file"] if shot["overlay_file"] else None
    footage = read_shot(unchanged(job.workspace / video["path"], video["sha256"]), shot, overlay, config.frames)
    return _reconstruct(Context(job, footage, video["id"], url, {}), config)


def _reconstruct_photos(job: Job, config: SfmConfig) -> Outcome:
    """Reconstruct the usable photos as one shot; each of the others is a drop or an error."""
    photos = read_photos(Path(job.task.hints["folder"]), config.frames)
    video = job.task.inputs["video_id"]
    outcome = _reconstruct(Context(job, photos.footage, video, video, {}), config)
    outcome.drops.extend(photos.drops)
    outcome.errors += photos.errors
    return outcome


def _reconstruct(shot: Context, config: SfmConfig) -> Outcome:
    from .poses.keyframes import choose_keyframes, picture_motion
    from .poses.mapping import map_incrementally, map_keyframes
    from .poses.matching import match_keyframes
    from .poses.parallax import measure_motion
    from .poses.verify import fails, repair, sound_frames, verified

    if (known := shot.publish_known(config)) is not None:
        return known
    job, footage, figures = shot.job, shot.footage, shot.figures
    height, width = footage.color.shape[1:3]
    figures["frames"] = len(footage)
    if reason := too_poor(footage, config):
        return drop(job, reason, width=width, height=height, **figures)
    keyframes = choose_keyframes(picture_motion(footage), footage.times_us, config.keyframes)
    graph = match_keyframes(footage, keyframes, footage.focal or config.mapping.focal, config.features, config.seed)
    figures |= {"keyframes": len(keyframes), "pairs": len(graph.pairs), "linked": graph.linked}
    figures["features"] = graph.typical_features
    logger.info("%s", figures)
    if graph.linked < config.frames.min_frames:
        return drop(job, "featureless" if graph.typical_features < 100 else "no_matches", **figures)
    motion = measure_motion(graph.matched())
    figures |= {name: round(value, 5) for name, value in vars(motion).items()}
    if reason := config.quality.judge(figures, partial=True).reason:
        return drop(job, reason, **figures, **{BY_RULE: True})
    best, routes = map_keyframes(graph, config.mapping, config.seed)
    figures |= {"routes": {route.name: route.figures() for route in routes}, "route": best.name}
    if not best.models:
        return drop(job, "no_reconstruction", **figures)
    scenes = verified(footage, pose_all(footage, best.models, keyframes, config), config)
    if len(routes) == 1 and any(fails(verdict) for _, verdict in scenes):
        other = map_incrementally(graph, config.seed)
        figures["routes"] |= {other.name: other.figures()}
        others = verified(footage, pose_all(footage, other.models, keyframes, config), config)
        if sound_frames(others) > sound_frames(scenes):
            scenes, figures["route"] = others, other.name
    pieces = [piece for scene, verdict in scenes for piece in repair(footage, scene, verdict, config)]
    figures["cuts"] = len(pieces) - len(scenes)
    return shot.publish([(scene, verdict.figures()) for scene, verdict in pieces], config)


def pose_all(
    footage: Footage, models: list[pycolmap.Reconstruction], keyframes: Int64[np.ndarray, "k"], config: SfmConfig
) -> list[Scene]:
    """Each model with all frames that it can pose, refined; a frame belongs to the first model that poses it."""
    from .disparity.fit import MIN_POINTS
    from .poses.register import register_frames
    from .poses.scene import refine, scene_of
    from .poses.trajectory import runs

    taken = np.zeros(len(footage), bool)
    scenes = []
    for model in models:
        scene = register_frames(footage, scene_of(model, keyframes), config.mapping.track_points, config.seed)
        scene = scene.keep_frames(~taken[scene.frames])
        if len(scene.frames) < config.frames.min_frames or len(scene.points) < config.mapping.min_points:
            continue
        scene = refine(scene)
        scene = scene.keep_frames(np.bincount(scene.seen_frame, minlength=len(scene.frames)) >= MIN_POINTS)
        taken[scene.frames] = True
        if footage.film:
            scenes += runs(scene, config.frames.min_frames)
        elif len(scene.frames) >= config.frames.min_frames:
            scenes.append(scene)
    return scenes
