"""One shot, from its frames to its clips."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np

from flythrough.catalog import Row, to_json
from flythrough.stage import Job, Outcome

from .config import SfmConfig
from .footage import Footage, read_photos, read_shot
from .scene import Scene

logger = logging.getLogger(__name__)
MIN_ROWS, MIN_COLUMNS = 160, 256  # training's picture must fit into a clip's


def process(job: Job, config: SfmConfig) -> Outcome:
    """Reconstruct the shot of a task; a drop with its reason, or a row a clip."""
    inputs = job.task.inputs
    if "shot" not in inputs:
        footage = read_photos(Path(job.task.hints["folder"]), config.frames)
        return _reconstruct(job, footage, inputs["video_id"], inputs["video_id"], config)
    shot, video = inputs["shot"], inputs["video"]
    url = video["url"] or video["path"]
    if shot["camera_file"]:
        from .given import process_given

        return process_given(job, url, config)
    overlay = job.workspace / shot["overlay_file"] if shot["overlay_file"] else None
    footage = read_shot(job.workspace / video["path"], shot, overlay, config.frames)
    return _reconstruct(job, footage, video["id"], url, config)


def drop(job: Job, reason: str, **values: Any) -> Outcome:
    """The shot yields nothing, and why."""
    logger.info("dropped: %s %s", reason, values)
    return Outcome(drops=[{"id": job.task.id, "reason": reason, "values": values}])


def _reconstruct(job: Job, footage: Footage, video_id: str, url: str, config: SfmConfig) -> Outcome:
    from .keyframes import choose_keyframes, picture_motion
    from .mapping import map_keyframes
    from .matching import match_keyframes
    from .parallax import measure_motion, reject_motion

    height, width = footage.color.shape[1:3]
    if len(footage) < config.frames.min_frames:
        return drop(job, "too_few_frames", frames=len(footage), needed=config.frames.min_frames)
    if height < MIN_ROWS or width < MIN_COLUMNS:
        return drop(job, "too_small", width=width, height=height)
    keyframes = choose_keyframes(picture_motion(footage), footage.times_us, config.keyframes)
    graph = match_keyframes(footage, keyframes, footage.focal or config.mapping.focal, config.features, config.seed)
    logger.info("%d frames, %d keyframes, %d pairs", len(footage), len(keyframes), len(graph.pairs))
    counts = {
        "frames": len(footage),
        "keyframes": len(keyframes),
        "pairs": len(graph.pairs),
        "features": int(np.median([len(f) for f in graph.features])),
    }
    if len(graph.pairs) < 2:
        reason = "featureless" if counts["features"] < 100 else "no_matches"
        return drop(job, reason, **counts)
    motion = measure_motion(graph.matched())
    if reason := reject_motion(motion, config.quality):
        return drop(job, reason, **counts, **{name: round(v, 5) for name, v in vars(motion).items()})
    best, routes = map_keyframes(graph, config.mapping, config.seed)
    counts |= {"routes": {route.name: route.figures() for route in routes}, "route": best.name}
    if not best.models:
        return drop(job, "no_reconstruction", **counts)
    scenes = _pose_all(footage, best.models, keyframes, config)
    return _publish_all(job, footage, scenes, video_id, url, counts, config)


def _pose_all(footage: Footage, models: list[Any], keyframes: np.ndarray, config: SfmConfig) -> list[Scene]:
    """Every model with all the frames it can carry, refined; a frame belongs to the first model that poses it."""
    from .register import register_frames
    from .scene import adjust, scene_of
    from .trajectory import runs

    taken = np.zeros(len(footage), bool)
    scenes = []
    for model in models:
        scene = register_frames(footage, scene_of(model, keyframes), config.mapping.track_points, config.seed)
        scene = scene.keep_frames(~taken[scene.frames])
        if len(scene.frames) < config.frames.min_frames or len(scene.points) < config.quality.min_points:
            continue
        scene = adjust(scene)
        taken[scene.frames] = True
        scenes += runs(scene, config.frames.min_frames)
    return scenes


def _publish_all(
    job: Job, footage: Footage, scenes: list[Scene], video_id: str, url: str, counts: Row, config: SfmConfig
) -> Outcome:
    from .clip import publish_clip
    from .trajectory import measure_quality, reject_trajectory, smooth

    outcome = Outcome()
    registered = sum(len(scene.frames) for scene in scenes) / len(footage)
    if not scenes or registered < config.quality.min_registered:
        return drop(job, "few_frames_posed", registered=round(registered, 4), **counts)
    for number, scene in enumerate(scenes):
        id = job.task.id if len(scenes) == 1 else f"{job.task.id}-{number}"
        smoothed = smooth(scene.poses, footage.times_us[scene.frames])
        quality = measure_quality(scene, smoothed)
        measures = {**counts, "registered": round(registered, 4), **quality.figures()}
        if reason := reject_trajectory(quality, config.quality):
            logger.info("%s dropped: %s", id, reason)
            outcome.drops.append({"id": id, "reason": reason, "values": measures})
            continue
        row = publish_clip(job, id, footage, scene, smoothed, url, config)
        measures |= row.pop("measures")
        outcome.rows.append({**row, "shot_id": job.task.id, "video_id": video_id, "measures": to_json(measures)})
    return outcome
