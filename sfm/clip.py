"""From a scene to a clip on disk and its row."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from flythrough.scene.geometry import camera_center
from flythrough.workspace.catalog import Row
from flythrough.workspace.files import JsonObject, sha256_of_folder
from flythrough.workspace.stage import Job

from .config import SfmConfig
from .disparity.consistency import Consistency
from .disparity.posed import PosedClip, pose_clip, training_steps
from .disparity.provider import disparities
from .poses.footage import Footage
from .poses.scene import Scene
from .publish import TRAJECTORY, write_arrays, write_clip_cameras, write_disparities, write_frames


def publish_clip(
    job: Job, id: str, footage: Footage, scene: Scene, smoothed: Float[np.ndarray, "n 3 4"], url: str, config: SfmConfig
) -> Row:
    """Write a clip's folder; returns its row (``measures`` still a dict, without the ids of shot and video).

    Args:
        job: the task.
        id: of the clip.
        footage: the shot's frames.
        scene: the posed piece that becomes the clip.
        smoothed: its smoothed poses, cam_from_world, in SfM units.
        url: of the video, for the camera file.
        config: settings of scale and disparity.
    """
    posed = pose_clip(footage, scene)
    steps = training_steps(posed.poses, config.scale)
    folder = job.folder / id
    folder.mkdir(parents=True)
    cameras = write_clip_cameras(folder, url, posed.times_us, np.tile(posed.intrinsics, (len(posed), 1)), posed.poses)
    write_frames(folder, posed.images)
    consistency = Consistency(posed, steps)
    write_disparities(folder, consistency.watch(disparities(posed, config.disparity)))
    scaled = smoothed.copy()
    scaled[:, :, 3] /= posed.scale
    write_arrays(
        folder / TRAJECTORY,
        {
            "smoothed": scaled,
            "key": scene.key,
            "points": posed.points.astype(np.float32),
            "visible_from": posed.visible_from,
            "visible_to": posed.visible_to,
            "colors": _colors(posed),
            "error_px": _error_by_frame(scene),
            "warp_disparity": consistency.disparity_error,
            "warp_photometric": consistency.photometric_error,
        },
    )
    motion = np.linalg.norm(np.diff(camera_center(posed.poses), axis=0), axis=-1)
    measures: JsonObject = {
        "path_length": round(float(motion.sum()), 4),
        "speed": round(float(np.median(motion)), 6),
        **consistency.figures(),
    }
    return {
        "id": id,
        "frame_count": len(posed),
        "camera_file": job.path_of(cameras),
        "folder": job.path_of(folder),
        "width": posed.images.shape[2],
        "height": posed.images.shape[1],
        "steps": steps,
        "scale": posed.scale,
        "disparity": config.disparity.provider,
        "sha256": sha256_of_folder(folder),
        "measures": measures,
    }


def _colors(posed: PosedClip) -> np.ndarray:
    """RGB of each point, from the middle frame that saw it; grey where it falls outside."""
    colors = np.full((len(posed.points), 3), 128, np.uint8)
    middle = (posed.visible_from + posed.visible_to) // 2
    height, width = posed.images.shape[1:3]
    for place in np.unique(middle):
        xy, _, points = posed.sparse(place)
        mine = middle[points] == place
        at = (xy[mine] * [width, height]).astype(int)
        colors[points[mine]] = posed.images[place, at[:, 1], at[:, 0]]
    return colors


def _error_by_frame(scene: Scene) -> Float[np.ndarray, "m"]:
    """Mean reprojection error of each frame, pixels at a width of 640."""
    count = np.bincount(scene.seen_frame, minlength=len(scene.frames))
    total = np.bincount(scene.seen_frame, weights=scene.errors_px(), minlength=len(scene.frames))
    return total / np.maximum(1, count) * 640 / scene.lens.width
