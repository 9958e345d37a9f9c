"""Writing a clip's folder: cameras, frames, disparity, trajectory."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, Int64, UInt8

from flythrough.media.image_files import write_image
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.clips import CAMERA_FILE, DISPARITY, FRAMES, frame_name
from flythrough.workspace.files import disk_errors

TRAJECTORY = "trajectory.npz"  # raw and smoothed poses, points: for sfm view
_EPOCH = (1980, 1, 1, 0, 0, 0)  # date of every archive member, so that equal content gives equal bytes


def write_clip_cameras(
    folder: Path,
    url: str,
    times_us: Int64[np.ndarray, "n"],
    intrinsics: Float[np.ndarray, "n 4"],
    poses: Float[np.ndarray, "n 3 4"],
) -> Path:
    """Write the clip's camera file; returns its path."""
    path = folder / CAMERA_FILE
    write_cameras(path, Cameras(url, times_us, intrinsics, poses))
    return path


def write_frames(folder: Path, images: UInt8[np.ndarray, "n h w 3"]) -> None:
    """Write frames as PNG."""
    target = folder / FRAMES
    with disk_errors(target):
        target.mkdir(parents=True, exist_ok=True)
    for i, image in enumerate(images):
        write_image(target / frame_name(i), image, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def write_disparities(folder: Path, maps: Iterable[Float[np.ndarray, "h w"]]) -> None:
    """Write disparity as float16, one compressed array per frame, in constant memory."""
    path = folder / DISPARITY
    with disk_errors(path), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for i, disparity in enumerate(maps):
            _add(archive, f"{i:06d}", disparity.astype(np.float16))


def write_arrays(path: Path, arrays: Mapping[str, object]) -> None:
    """Write an ``.npz`` whose bytes depend only on its content."""
    with disk_errors(path), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in sorted(arrays.items()):
            _add(archive, name, np.asarray(array))


def _add(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, allow_pickle=False)
    member = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
    member.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(member, buffer.getvalue(), compresslevel=1)
