"""COLMAP models, one folder per clip: ``CLIP/sparse/0`` (binary and text), and ``CLIP/images`` on request."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from flythrough.scene.clips import frame_name
from flythrough.workspace.files import write_json

from .door import ExportClip, copy_frame, pixel_intrinsics

if TYPE_CHECKING:
    import pycolmap


def write(clips: Iterable[ExportClip], folder: Path, frames: bool) -> None:
    """Cameras, images and points; ``sources.json`` says which frame of which video an image is."""
    for clip in clips:
        target = folder / clip.id
        (target / "sparse" / "0").mkdir(parents=True)
        model = reconstruction(clip)
        model.write_binary(target / "sparse" / "0")
        model.write_text(target / "sparse" / "0")
        times = {frame_name(frame): int(time_us) for frame, time_us in enumerate(clip.cameras.timestamps_us)}
        write_json(target / "sources.json", {"url": clip.cameras.url, "timestamps_us": times, "split": clip.split})
        if clip.pictures is not None:
            for frame in range(len(clip.cameras)):
                copy_frame(clip.pictures, frame, target / "images" / frame_name(frame))


def reconstruction(clip: ExportClip) -> pycolmap.Reconstruction:
    """A ``pycolmap.Reconstruction``: one pinhole camera (one per image if they differ), points without tracks."""
    import pycolmap

    model = pycolmap.Reconstruction()
    shared = bool(np.all(clip.cameras.intrinsics == clip.cameras.intrinsics[0]))
    for frame, pose in enumerate(clip.cameras.poses):
        camera_id = 1 if shared else frame + 1
        if camera_id not in model.cameras:
            model.add_camera_with_trivial_rig(_camera(clip, frame, camera_id))
        image = pycolmap.Image(name=frame_name(frame), camera_id=camera_id, image_id=frame + 1)
        rotation, translation = pycolmap.Rotation3d(pose[:, :3].copy()), pose[:, 3].copy()
        model.add_image_with_trivial_frame(image, pycolmap.Rigid3d(rotation, translation))
    points, colors = clip.points or (np.zeros((0, 3)), np.zeros((0, 3), np.uint8))
    for point, color in zip(points, colors, strict=True):
        model.add_point3D(point, pycolmap.Track(), color)
    return model


def _camera(clip: ExportClip, frame: int, id: int) -> pycolmap.Camera:
    import pycolmap

    return pycolmap.Camera(
        model="PINHOLE",
        width=clip.row["width"],
        height=clip.row["height"],
        params=pixel_intrinsics(clip, frame),
        camera_id=id,
    )
