"""RealEstate10K / ACID text: ``SPLIT/CLIP.txt``; frames, on request, in ``frames/SPLIT/CLIP/TIMESTAMP.png``.

Without frames, intrinsics are of the video's whole picture, bars included, as in the published files; with frames, of
those. ``SPLIT/CLIP.hashes.json`` has the hashes of the clip's frames, if they are in the workspace: with them
``flythrough acquire --camera-files`` finds the clip in a copy of the video that was trimmed, shifted or coded again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from flythrough.media.frame_hashes import hashes_file, write_frame_hashes
from flythrough.media.perceptual_hash import picture_hash
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.geometry import crop_intrinsics

from ..crop import WHOLE
from .door import ExportClip, copy_frame


def write(clips: Iterable[ExportClip], folder: Path, frames: bool) -> None:
    """One camera file per clip, 17 significant digits, so that no pose changes."""
    for clip in clips:
        file = folder / clip.split / f"{clip.id}.txt"
        write_cameras(file, of_whole_picture(clip) if clip.pictures is None else clip.cameras)
        if (stored := clip.stored) is not None:
            hashes = [picture_hash(stored.frame(frame)) for frame in range(len(stored))]
            write_frame_hashes(hashes_file(file), clip.box, stored.cameras.timestamps_us, hashes)
        if clip.pictures is None:
            continue
        for frame, time_us in enumerate(clip.cameras.timestamps_us):
            copy_frame(clip.pictures, frame, folder / "frames" / clip.split / clip.id / f"{time_us}.png")


def of_whole_picture(clip: ExportClip) -> Cameras:
    """The clip's cameras with intrinsics of the video's whole picture."""
    if clip.box == WHOLE:
        return clip.cameras
    left, top, right, bottom = clip.box
    width, height = right - left, bottom - top
    # The whole picture, as a crop of the box: it begins outside.
    whole = crop_intrinsics(
        clip.cameras.intrinsics, left=-left / width, top=-top / height, width=1 / width, height=1 / height
    )
    return replace(clip.cameras, intrinsics=whole)
