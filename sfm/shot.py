"""One shot, from its frames to its clips."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from flythrough.catalog import Row, to_json
from flythrough.stage import Job, Outcome

from .config import SfmConfig
from .footage import MIN_COLUMNS, MIN_ROWS, Footage, read_shot
from .photos import read_photos
from .scene import Scene

logger = logging.getLogger(__name__)


def process(job: Job, config: SfmConfig) -> Outcome:
    """Reconstruct the shot of a task: a row a clip, or a drop with its reason."""
    inputs = job.task.inputs
    if "shot" not in inputs:
        return _reconstruct_photos(job, config)
    shot, video = inputs["shot"], inputs["video"]
    url = video["url"] or video["path"]
    if shot["camera_file"]:
        from .given import process_given

        return process_given(job, url, config)
    overlay = job.workspace / shot["overlay_file"] if shot["overlay_file"] else None
    footage = read_shot(job.workspace / video["path"], shot, overlay, config.frames)
    return _reconstruct(Context(job, footage, video["id"], url, {}), config)


def drop(job: Job, reason: str, **values: Any) -> Outcome:
    """The shot yields nothing, and why."""
    logger.info("dropped: %s %s", reason, values)
    return Outcome(drops=[{"id": job.task.id, "reason": reason, "values": values}])


def too_poor(footage: Footage, config: SfmConfig) -> str | None:
    """Reason why the pictures are no material for a clip, or None."""
    height, width = footage.color.shape[1:3]
    if len(footage) < config.frames.min_frames:
        return "too_few_frames"
    return "too_small" if height < MIN_ROWS or width < MIN_COLUMNS else None


@dataclass(frozen=True)
class Context:
    """A shot on its way: where it came from and what was measured so far."""

    job: Job
    footage: Footage
    video_id: str
    url: str
    figures: Row

    def publish(self, scenes: list[Scene], config: SfmConfig, clip_id: str | None = None) -> Outcome:
        """Judge every posed piece; write the good ones."""
        from .clip import publish_clip
        from .trajectory import measure_quality, reject_trajectory, smooth

        job, outcome = self.job, Outcome()
        registered = round(sum(len(scene.frames) for scene in scenes) / len(self.footage), 4)
        if not scenes or registered < config.quality.min_registered:
            return drop(job, "few_frames_posed", registered=registered, **self.figures)
        for number, scene in enumerate(scenes):
            id = clip_id or (job.task.id if len(scenes) == 1 else f"{job.task.id}-{number}")
            smoothed = smooth(scene.poses, self.footage.times_us[scene.frames])
            quality = measure_quality(scene, smoothed)
            measures = {**self.figures, "registered": registered, **quality.figures()}
            if reason := reject_trajectory(quality, config.quality, film=self.footage.film):
                logger.info("%s dropped: %s", id, reason)
                outcome.drops.append({"id": id, "reason": reason, "values": measures})
                continue
            row = publish_clip(job, id, self.footage, scene, smoothed, self.url, config)
            measures |= row.pop("measures")
            row |= {"shot_id": job.task.id, "video_id": self.video_id, "measures": to_json(measures)}
            outcome.rows.append(row)
        return outcome


def _reconstruct_photos(job: Job, config: SfmConfig) -> Outcome:
    """Photos that cannot be used are accounted for one by one; the others are one shot."""
    photos = read_photos(Path(job.task.hints["folder"]), config.frames)
    video = job.task.inputs["video_id"]
    outcome = _reconstruct(Context(job, photos.footage, video, video, {}), config)
    outcome.drops += photos.drops
    outcome.errors += photos.errors
    return outcome


def _reconstruct(shot: Context, config: SfmConfig) -> Outcome:
    from .keyframes import choose_keyframes, picture_motion
    from .mapping import map_keyframes
    from .matching import match_keyframes
    from .parallax import measure_motion, reject_motion

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
    if reason := reject_motion(motion, config.quality):
        return drop(job, reason, **figures)
    best, routes = map_keyframes(graph, config.mapping, config.seed)
    figures |= {"routes": {route.name: route.figures() for route in routes}, "route": best.name}
    if not best.models:
        return drop(job, "no_reconstruction", **figures)
    return shot.publish(pose_all(footage, best.models, keyframes, config), config)


def pose_all(footage: Footage, models: list[Any], keyframes: np.ndarray, config: SfmConfig) -> list[Scene]:
    """Every model with all the frames it can carry, refined; a frame belongs to the first model that poses it."""
    from .disparity import MIN_POINTS
    from .register import register_frames
    from .scene import refine, scene_of
    from .trajectory import runs

    taken = np.zeros(len(footage), bool)
    scenes = []
    for model in models:
        scene = register_frames(footage, scene_of(model, keyframes), config.mapping.track_points, config.seed)
        scene = scene.keep_frames(~taken[scene.frames])
        if len(scene.frames) < config.frames.min_frames or len(scene.points) < config.quality.min_points:
            continue
        scene = refine(scene)
        scene = scene.keep_frames(np.bincount(scene.seen_frame, minlength=len(scene.frames)) >= MIN_POINTS)
        taken[scene.frames] = True
        scenes += runs(scene, config.frames.min_frames) if footage.film else [scene]
    return scenes
