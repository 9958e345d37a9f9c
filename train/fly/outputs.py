"""The files of a flight: video or loop, disparity video, camera files, the path with its points."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError
from flythrough.media.video_writer import VideoWriter
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.geometry import Pose, invert
from flythrough.workspace.files import JsonObject, publish, write_text

from .path_file import SUFFIXES as PATH_SUFFIXES
from .path_file import PathPoints, write_path

if TYPE_CHECKING:
    from PIL import Image

VIDEOS, LOOPS = (".mp4", ".m4v", ".mov"), (".gif", ".webp")


@dataclass(frozen=True)
class Outputs:
    """The files to write; all but ``video`` are optional.

    Attributes:
        video: MP4, or a GIF or WebP that repeats forever, by its suffix.
        disparity: the same for the disparity, in colours: red is near, blue is far.
        poses: camera file in RealEstate10K's text.
        tum: trajectory in TUM's text: timestamp, position, quaternion of the camera in the world.
        path: the flown path and points of the pictures, ``.ply`` or ``.glb``.
    """

    video: Path
    disparity: Path | None = None
    poses: Path | None = None
    tum: Path | None = None
    path: Path | None = None

    def check(self) -> None:
        """Check the file names.

        Raises:
            InputError: an unknown suffix, or two outputs in one file.
        """
        for file in filter(None, (self.video, self.disparity)):
            if file.suffix.lower() not in VIDEOS + LOOPS:
                raise InputError(f"{file} is not an MP4, GIF or WebP file name", remedy="For example: -o flight.mp4")
        if self.path and self.path.suffix.lower() not in PATH_SUFFIXES:
            raise InputError(f"{self.path} is not a PLY or glTF file name", remedy="For example: --path flight.glb")
        files = [f.absolute() for f in (self.video, self.disparity, self.poses, self.tum, self.path) if f]
        if len(set(files)) < len(files):
            raise InputError("Two outputs have the same file name", remedy="Name a file for each")


@runtime_checkable
class PictureWriter(Protocol):
    """Takes RGB frames ``[h, w, 3]`` uint8."""

    def write(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Append one RGB frame."""


class LoopWriter:
    """An animated GIF or WebP that repeats forever; the frames stay in memory until :meth:`finish`."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self._frames: list[Image.Image] = []

    def write(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Append one RGB frame."""
        from PIL import Image

        self._frames.append(Image.fromarray(image))

    def finish(self) -> None:
        """Write the file."""
        first, *rest = self._frames
        options: JsonObject = {"quality": 85} if self.path.suffix.lower() == ".webp" else {}
        kind = self.path.suffix.lower()[1:].upper()
        with publish(self.path) as scratch, open(scratch, "wb") as stream:
            first.save(
                stream, kind, save_all=True, append_images=rest, loop=0, duration=round(1000 / self.fps), **options
            )


class Recorder:
    """Writes every picture of a flight to each of :class:`Outputs`; made by :func:`record`."""

    def __init__(self, outputs: Outputs, intrinsics: Float[np.ndarray, 4], fps: float, takeoff: Pose) -> None:
        self._outputs, self._intrinsics, self._fps = outputs, intrinsics, fps
        self._video: PictureWriter | None = None
        self._disparity: PictureWriter | None = None
        self._poses: list[Pose] = []
        self._points = PathPoints(intrinsics, takeoff) if outputs.path else None
        self._files = ExitStack()

    def add(self, rgbd: Float[Any, "4 h w"], pose: Pose) -> None:
        """The picture seen at ``pose`` (cam_from_world)."""
        from .rollout import to_image

        image = to_image(rgbd)
        if self._video is None:
            self._video = self._open(self._outputs.video, *image.shape[:2])
            if self._outputs.disparity:
                self._disparity = self._open(self._outputs.disparity, *image.shape[:2])
        self._video.write(image)
        disparity = rgbd[3].detach().float().cpu().numpy()
        if self._disparity:
            self._disparity.write(color_disparity(disparity))
        if self._points:
            self._points.add(image, disparity, pose)
        self._poses.append(np.array(pose))

    def finish(self) -> None:
        """Close the videos and write the other files."""
        self._files.close()
        if not self._poses:
            return
        poses, out = np.stack(self._poses), self._outputs
        times_us = np.round(np.arange(len(poses)) * 1e6 / self._fps).astype(np.int64)
        if out.poses:
            lenses = np.tile(self._intrinsics, (len(poses), 1))
            write_cameras(out.poses, Cameras(out.video.name, times_us, lenses, poses))
        if out.tum:
            write_text(out.tum, format_tum(times_us, poses))
        if out.path and self._points:
            write_path(out.path, self._points)

    def _open(self, path: Path, height: int, width: int) -> PictureWriter:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() in VIDEOS:
            return self._files.enter_context(VideoWriter(path, width=width, height=height, fps=self._fps))
        loop = LoopWriter(path, self._fps)
        self._files.callback(loop.finish)
        return loop


@contextmanager
def record(outputs: Outputs, intrinsics: Float[np.ndarray, 4], fps: float, takeoff: Pose) -> Iterator[Recorder]:
    """A recorder whose files are complete up to the last picture if the flight is interrupted."""
    recorder = Recorder(outputs, intrinsics, fps, takeoff)
    try:
        yield recorder
    finally:
        recorder.finish()


def color_disparity(disparity: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Disparity in [0, 1] as RGB: blue is far, red is near."""
    import cv2

    grey = np.round(np.clip(disparity, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(grey, cv2.COLORMAP_TURBO)[..., ::-1])


def format_tum(times_us: np.ndarray, poses: Float[np.ndarray, "n 3 4"]) -> str:
    """TUM's trajectory text: ``seconds tx ty tz qx qy qz qw``, world from camera, one line per pose.

    Args:
        times_us: ``[n]``, microseconds.
        poses: cam_from_world.
    """
    from scipy.spatial.transform import Rotation

    world_from_cam = invert(poses)
    quaternions = Rotation.from_matrix(world_from_cam[:, :, :3]).as_quat()
    rows = np.concatenate([world_from_cam[:, :, 3], quaternions], 1)
    lines = [
        f"{time / 1e6:.6f} " + " ".join(f"{v:.9g}" for v in row + 0.0) for time, row in zip(times_us, rows, strict=True)
    ]
    return "\n".join(["# timestamp tx ty tz qx qy qz qw", *lines]) + "\n"
