"""A clip on disk: cameras, frames and disparity, read lazily. sfm/ writes it; train/ and evaluate/ read it."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from ..errors import InputError
from ..workspace.catalog import Row, Workspace
from .cameras import Cameras, read_cameras

CAMERA_FILE, FRAMES, DISPARITY = "cameras.txt", "frames", "disparity.npz"


def frame_name(index: int) -> str:
    """File name of a clip's frame, below ``frames/``."""
    return f"{index:06d}.png"


# What numpy raises for a damaged archive.
BROKEN_ARCHIVE = (OSError, KeyError, ValueError, EOFError, NotImplementedError, zipfile.BadZipFile, zlib.error)


class Clip:
    """One posed clip.

    Layout of its folder: ``cameras.txt`` (RealEstate10K text, poses in the clip's common scale),
    ``frames/000000.png ...`` (undistorted, bars cropped, 8-bit RGB), ``disparity.npz`` (one array per frame,
    named ``000000 ...``, float16 ``[h, w]``, 1 / depth in the poses' units, 0 = infinitely far).
    """

    def __init__(self, folder: Path, row: Row) -> None:
        self.folder = Path(folder)
        self.id: str = row["id"]
        self.video_id: str = row["video_id"]
        self.split: str = row["split"]
        self.sha256: str = row.get("sha256") or ""
        self.island: int | None = json.loads(row.get("measures") or "{}").get("island")  # of the sample world
        self.steps: int = row["steps"]  # take every steps-th frame to fly at the training speed
        self.height: int = row["height"]
        self.width: int = row["width"]
        self._cameras: Cameras | None = None

    @property
    def cameras(self) -> Cameras:
        """Of all frames: times (us), intrinsics ``[n, 4]`` (normalised), poses ``[n, 3, 4]`` (cam_from_world)."""
        if self._cameras is None:
            self._cameras = read_cameras(self.folder / CAMERA_FILE)
        return self._cameras

    def __len__(self) -> int:
        return len(self.cameras)

    def frame(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """Frame ``index``, RGB.

        Raises:
            InputError: its file is missing or broken.
        """
        import cv2

        path = self.folder / FRAMES / frame_name(index)
        image = cv2.imread(str(path), cv2.IMREAD_COLOR)
        if image is None:
            raise InputError(f"{path} is missing or broken", remedy="Run flythrough sfm again")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def disparity(self, index: int) -> Float[np.ndarray, "h w"]:
        """Disparity of frame ``index``, float32, in 1 / scene units; 0 is infinitely far.

        Raises:
            InputError: it is missing or broken.
        """
        path = self.folder / DISPARITY
        try:
            with np.load(path) as archive:
                return archive[f"{index:06d}"].astype(np.float32)
        except BROKEN_ARCHIVE as error:
            raise InputError(f"{path}: frame {index}: {error}", remedy="Run flythrough sfm again") from error

    def rgbd(self, index: int, height: int, width: int) -> Float[np.ndarray, "4 height width"]:
        """RGB in [0, 1] and disparity clipped to [0, 1] of a frame, resized by area; float32.

        Raises:
            InputError: as :meth:`frame` and :meth:`disparity`.
        """
        import cv2

        size = (width, height)
        color = cv2.resize(self.frame(index), size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
        disparity = cv2.resize(self.disparity(index), size, interpolation=cv2.INTER_AREA)
        return np.concatenate([color.transpose(2, 0, 1), np.clip(disparity, 0, 1)[None]])


def load_clips(workspace: Workspace, split: str | None = None) -> list[Clip]:
    """The workspace's clips that have frames and disparity, in table order."""
    rows = workspace.rows("clips")
    return [
        Clip(workspace / row["folder"], row)
        for row in rows
        if row["folder"] and row["disparity"] and split in (None, row["split"])
    ]
