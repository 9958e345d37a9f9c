"""Clips in the formats that other code reads: one small module per format, one entry point.

By default an export holds what ACID published: where the video is, timestamps, cameras. Frames of other people's
videos are written only on request.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from flythrough import __version__
from flythrough.errors import InputError
from flythrough.scene.cameras import Cameras, read_cameras
from flythrough.scene.clips import FRAMES, Clip, frame_name
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import disk_errors, publish_folder, write_json

from ..crop import SIDES, WHOLE, Box, box_of

FORMATS = {  # by name, the module that writes it
    "realestate10k": ".realestate10k",
    "colmap": ".colmap",
    "nerfstudio": ".nerfstudio",
    "pixelsplat": ".pixelsplat",
    "webdataset": ".webdataset_tar",
    "huggingface": ".huggingface",
}
MANIFEST = "export.json"


@dataclass(frozen=True)
class ExportClip:
    """A clip to export.

    Attributes:
        row: its row of the clips table.
        cameras: its cameras, in its common scale.
        pictures: its frames and disparity; None if frames are not asked for, or not in the workspace.
        points: world points from structure from motion ``[p, 3]`` and their colours ``[p, 3]``, where there are any.
        stored: its frames if they are in the workspace, asked for or not.
        box: what its frames show of the video's picture.
    """

    row: Row
    cameras: Cameras
    pictures: Clip | None
    points: tuple[Float[np.ndarray, "p 3"], np.ndarray] | None
    stored: Clip | None
    box: Box

    @property
    def id(self) -> str:
        """The clip's id."""
        return str(self.row["id"])

    @property
    def split(self) -> str:
        """train, validation or test."""
        return str(self.row["split"])


@dataclass(frozen=True)
class Exported:
    """The result of an export.

    Attributes:
        folder: where it was written.
        clips: number of clips.
        without_frames: ids of clips whose frames were asked for but are not in the workspace.
    """

    folder: Path
    clips: int
    without_frames: tuple[str, ...]


def export(
    workspace: Workspace, format: str, folder: Path, *, frames: bool = False, splits: tuple[str, ...] = ()
) -> Exported:
    """Write a workspace's clips to a folder, in one of :data:`FORMATS`.

    Args:
        workspace: whose clips.
        format: see :data:`FORMATS`.
        folder: new, empty, or an earlier export, which is replaced when the new one is complete.
        frames: write frames (and disparity, if the format has a place for it) too.
        splits: which splits; all by default.

    Raises:
        InputError: no such format, no clips, a folder with other files in it or that the process stands in, or a format
            that needs frames.
        DiskError: the folder is a file, or cannot be written.
    """
    if format not in FORMATS:
        raise InputError(f"There is no format {format!r}", remedy=f"Use one of {', '.join(FORMATS)}")
    folder = Path(folder)
    with disk_errors(folder):
        if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
            raise InputError(f"{folder} holds something that is not an export", remedy="Name a new folder with --out")
        if Path.cwd().is_relative_to(folder.resolve()):  # replaced, it would be gone from under the shell
            raise InputError(f"{folder} is the current folder, or around it", remedy="Name another folder with --out")
    rows = [row for row in workspace.rows("clips") if not splits or row["split"] in splits]
    if not rows:
        raise InputError(f"{workspace.root} has no such clips", remedy="Run flythrough sfm first, or check --split")
    without = tuple(row["id"] for row in rows if row["folder"] is None) if frames else ()
    scratch = folder.with_name(f".{folder.name}.partial")
    with disk_errors(scratch):
        if scratch.exists():
            shutil.rmtree(scratch)
        scratch.mkdir(parents=True)
    write: Callable[[Iterator[ExportClip], Path, bool], None]
    write = importlib.import_module(FORMATS[format], __package__).write
    write(_clips(workspace, rows, frames), scratch, frames)
    write_json(
        scratch / MANIFEST,
        {
            "format": format,
            "clips": len(rows),
            "frames": frames,
            "without_frames": list(without),
            "poses": "camera from world, +x right, +y down, +z forward, unless the format says otherwise",
            "flythrough": __version__,
        },
    )
    publish_folder(scratch, folder)
    return Exported(folder, len(rows), without)


def _clips(workspace: Workspace, rows: list[Row], frames: bool) -> Iterator[ExportClip]:
    boxes = _boxes(workspace)
    for row in rows:
        folder = workspace / row["folder"] if row["folder"] else None
        stored = Clip(folder, row) if folder else None
        cameras = read_cameras(workspace / row["camera_file"])
        box = boxes.get(row["shot_id"], WHOLE)
        yield ExportClip(row, cameras, stored if frames else None, _points(folder), stored, box)


def _boxes(workspace: Workspace) -> dict[str, Box]:
    """What the frames of each shot show of their video's picture."""
    sizes = {row["id"]: (row["width"], row["height"]) for row in workspace.scan("videos", ("id", "width", "height"))}
    columns = ("id", "video_id", "camera_file", *(f"crop_{side}" for side in SIDES))
    known = (shot for shot in workspace.scan("shots", columns) if shot["video_id"] in sizes)
    return {shot["id"]: box_of(shot, *sizes[shot["video_id"]]) for shot in known}


def _points(folder: Path | None) -> tuple[np.ndarray, np.ndarray] | None:
    from ..publish import TRAJECTORY

    if folder is None or not (folder / TRAJECTORY).is_file():
        return None
    with np.load(folder / TRAJECTORY) as archive:
        return archive["points"].astype(np.float64), archive["colors"]


def require_frames(clip: ExportClip, format: str) -> Clip:
    """The clip's pictures, for a format that needs them.

    Raises:
        InputError: it has none, or frames were not asked for.
    """
    if clip.pictures is None:
        if clip.row["folder"] is None:
            raise InputError(f"{clip.id} has no frames here", remedy="Run flythrough sfm, or choose with --split")
        raise InputError(f"{format} is made of frames", remedy="Add --frames, if you may redistribute frames")
    return clip.pictures


def pixel_intrinsics(clip: ExportClip, frame: int) -> tuple[float, float, float, float]:
    """fx fy cx cy in pixels of the clip's frames."""
    width, height = clip.row["width"], clip.row["height"]
    fx, fy, cx, cy = (float(v) for v in clip.cameras.intrinsics[frame])
    return fx * width, fy * height, cx * width, cy * height


def copy_frame(clip: Clip, frame: int, target: Path) -> None:
    """Copy a stored frame, byte for byte."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(clip.folder / FRAMES / frame_name(frame), target)
