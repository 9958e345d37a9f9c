"""Shots with given cameras: poses are used as they are, points are triangulated for the disparity."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pycolmap
from jaxtyping import Float, Int64

from flythrough.scene.cameras import Cameras, read_cameras
from flythrough.scene.geometry import crop_intrinsics
from flythrough.workspace.files import unchanged
from flythrough.workspace.stage import Job, Outcome

from .config import SfmConfig
from .crop import centered_crop
from .poses.footage import Footage, read_times
from .poses.keyframes import choose_keyframes, picture_motion
from .poses.matching import MatchGraph, match_keyframes, write_database
from .poses.register import track_between
from .poses.scene import LOOSE_PX, Lens, Scene, adjust, scene_of
from .poses.verify import verify

LENS_TOLERANCE = 0.02  # relative to the focal length and the picture's size, which is rounded to whole pixels


def process_given(job: Job, url: str, config: SfmConfig) -> Outcome:
    """Add frames and disparity to a given clip; it keeps its id."""
    from .shot import Context, drop, too_poor

    video, shot = job.task.inputs["video"], job.task.inputs["shot"]
    cameras = read_cameras(job.workspace / shot["camera_file"])
    crop = centered_crop(shot, video["width"], video["height"])
    file = unchanged(job.workspace / video["path"], video["sha256"])
    footage, found = read_times(file, cameras.timestamps_us, crop, config.frames)
    if reason := too_poor(footage, config):
        return drop(job, reason, frames=len(footage), width=footage.color.shape[2], height=footage.color.shape[1])
    intrinsics = crop_intrinsics(
        cameras.intrinsics[found],
        left=crop["crop_left"] / video["width"],
        top=crop["crop_top"] / video["height"],
        width=(crop["crop_right"] - crop["crop_left"]) / video["width"],
        height=(crop["crop_bottom"] - crop["crop_top"]) / video["height"],
    )
    if lens := other_lens(intrinsics, *footage.size):
        return drop(job, "lens_not_supported", **lens)
    clip_id = job.task.inputs["clip"]
    if (known := Context(job, footage, shot["video_id"], url, {}).publish_known(config, clip_id)) is not None:
        return known
    cameras = Cameras(url, cameras.timestamps_us[found], intrinsics, cameras.poses[found])
    keyframes = choose_keyframes(picture_motion(footage), footage.times_us, config.keyframes)
    scene = triangulate(footage, cameras, keyframes, config)
    figures = {"frames": len(footage), "keyframes": len(keyframes), "route": "given"}
    if scene is None:
        return drop(job, "cameras_do_not_fit", **figures)
    context = Context(job, footage, shot["video_id"], url, figures)
    agreement = verify(footage, scene, config).figures()
    return context.publish([(scene, agreement)], config, clip_id=clip_id)


def other_lens(intrinsics: Float[np.ndarray, "n 4"], width: int, height: int) -> dict[str, float] | None:
    """Figures of a lens that a clip cannot hold; None if it can: one focal length, square pixels, a centred axis.

    Args:
        intrinsics: fx fy cx cy of each cropped frame, normalised.
        width: pixels of the frames.
        height: as ``width``.
    """
    fx, fy, cx, cy = np.median(intrinsics, axis=0)
    figures = {
        "aspect": float(fy * height / (fx * width)),
        "center_x": float(cx),
        "center_y": float(cy),
        "zoom": float(intrinsics[:, 0].max() / intrinsics[:, 0].min()),
    }
    wrong = (figures["aspect"] - 1, cx - 0.5, cy - 0.5, figures["zoom"] - 1)
    return {name: round(value, 4) for name, value in figures.items()} if np.abs(wrong).max() > LENS_TOLERANCE else None


def triangulate(
    footage: Footage, cameras: Cameras, keyframes: Int64[np.ndarray, "k"], config: SfmConfig
) -> Scene | None:
    """Points seen by given cameras; None if hardly any match is consistent with them."""
    width, height = footage.size
    intrinsics = np.median(cameras.intrinsics, axis=0)
    graph = match_keyframes(footage, keyframes, float(intrinsics[0]), config.features, config.seed)
    if not graph.pairs:
        return None
    model = _given_model(graph, intrinsics, cameras.poses[keyframes])
    with tempfile.TemporaryDirectory(prefix="flythrough-sfm-") as scratch:
        folder = Path(scratch)
        write_database(folder / "start.db", graph)
        options = pycolmap.IncrementalPipelineOptions()
        options.num_threads, options.random_seed, options.extract_colors = 1, config.seed, False
        options.mapper.filter_min_tri_angle = options.triangulation.min_angle = 0.5
        model = pycolmap.triangulate_points(model, folder / "start.db", folder, folder, options=options)
    scene = replace(scene_of(model, keyframes), lens=Lens(width, height, float(intrinsics[0] * width), 0.0))
    if len(scene.points) < config.mapping.min_points:
        return None
    scene = _add_frames(footage, scene, cameras.poses, config)
    return adjust(scene, refine_lens=False, fixed_poses=True)


def _given_model(
    graph: MatchGraph, intrinsics: Float[np.ndarray, 4], poses: Float[np.ndarray, "k 3 4"]
) -> pycolmap.Reconstruction:
    model = pycolmap.Reconstruction()
    camera = graph.camera
    camera.params = [float(intrinsics[0]) * camera.width, camera.width / 2, camera.height / 2, 0.0]
    model.add_camera_with_trivial_rig(camera)
    for number, (features, pose) in enumerate(zip(graph.features, poses, strict=True), start=1):
        image = pycolmap.Image(
            name=f"{number:06d}.png", keypoints=features.xy.astype(float), camera_id=1, image_id=number
        )
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(pose))
    return model


def _add_frames(footage: Footage, scene: Scene, poses: Float[np.ndarray, "n 3 4"], config: SfmConfig) -> Scene:
    """All frames at their given poses, with the points tracked into them."""
    sightings = track_between(footage, scene, config.mapping.track_points)
    frames = np.arange(len(footage))
    place = scene.frames
    tracked = sorted(sightings)
    added = [np.full(len(sightings[frame].points), frame) for frame in tracked]
    whole = replace(
        scene,
        frames=frames,
        poses=poses,
        key=np.isin(frames, place),
        seen_frame=np.concatenate([place[scene.seen_frame], *added]).astype(np.int64),
        seen_point=np.concatenate([scene.seen_point, *(sightings[frame].points for frame in tracked)]),
        seen_xy=np.concatenate([scene.seen_xy, *(sightings[frame].xy for frame in tracked)]),
    )
    return whole.keep_observations(whole.errors_px() < LOOSE_PX * scene.lens.width / 640)
