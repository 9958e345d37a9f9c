"""nerfstudio: ``CLIP/transforms.json``, points as PLY beside it, ``CLIP/images`` on request."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from flythrough.scene.clips import frame_name
from flythrough.scene.geometry import invert
from flythrough.workspace.files import JsonObject, write_json

from .door import ExportClip, copy_frame, pixel_intrinsics

_OPENCV_FROM_OPENGL = np.diag([1.0, -1.0, -1.0])  # nerfstudio's cameras look along -z, +y up


def write(clips: Iterable[ExportClip], folder: Path, frames: bool) -> None:
    """One ``transforms.json`` per clip."""
    for clip in clips:
        target = folder / clip.id
        target.mkdir(parents=True)
        write_json(target / "transforms.json", transforms(clip))
        if clip.points is not None:
            _write_ply(target / "sparse_pc.ply", *clip.points)
        if clip.pictures is not None:
            for frame in range(len(clip.cameras)):
                copy_frame(clip.pictures, frame, target / "images" / frame_name(frame))


def transforms(clip: ExportClip) -> JsonObject:
    """The content of ``transforms.json``; nerfstudio ignores our own keys ``url``, ``split`` and ``timestamp_us``."""
    found: JsonObject = {
        "camera_model": "OPENCV",
        "w": clip.row["width"],
        "h": clip.row["height"],
        "k1": 0.0,
        "k2": 0.0,
        "p1": 0.0,
        "p2": 0.0,
        "url": clip.cameras.url,
        "split": clip.split,
        "frames": [],
    }
    if clip.points is not None:
        found["ply_file_path"] = "sparse_pc.ply"
    for frame, pose in enumerate(clip.cameras.poses):
        matrix = np.eye(4)
        matrix[:3] = world_from_opengl_camera(pose)
        fx, fy, cx, cy = pixel_intrinsics(clip, frame)
        found["frames"].append(
            {
                "file_path": f"images/{frame_name(frame)}",
                "timestamp_us": int(clip.cameras.timestamps_us[frame]),
                "transform_matrix": matrix.tolist(),
                "fl_x": fx,
                "fl_y": fy,
                "cx": cx,
                "cy": cy,
            }
        )
    return found


def world_from_opengl_camera(cam_from_world: Float[np.ndarray, "3 4"]) -> Float[np.ndarray, "3 4"]:
    """nerfstudio's pose: from the camera with +x right, +y up, looking along -z, to the world."""
    world_from_cam = invert(cam_from_world)
    return np.concatenate([world_from_cam[:, :3] @ _OPENCV_FROM_OPENGL, world_from_cam[:, 3:]], 1)


def _write_ply(path: Path, points: np.ndarray, colors: np.ndarray) -> None:
    kinds = [("x", "<f4"), ("y", "<f4"), ("z", "<f4"), ("red", "u1"), ("green", "u1"), ("blue", "u1")]
    table = np.empty(len(points), dtype=kinds)
    for k, name in enumerate("xyz"):
        table[name] = points[:, k]
    for k, name in enumerate(("red", "green", "blue")):
        table[name] = colors[:, k]
    names = "".join(f"property {'float' if kind == '<f4' else 'uchar'} {name}\n" for name, kind in kinds)
    header = f"ply\nformat binary_little_endian 1.0\nelement vertex {len(points)}\n{names}end_header\n"
    path.write_bytes(header.encode() + table.tobytes())
