"""RealEstate10K / ACID text: ``SPLIT/CLIP.txt``; frames, on request, in ``frames/SPLIT/CLIP/TIMESTAMP.png``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flythrough.scene.cameras import write_cameras

from .door import ExportClip, copy_frame


def write(clips: Iterable[ExportClip], folder: Path, frames: bool) -> None:
    """One camera file per clip, 17 significant digits, so that no pose changes."""
    for clip in clips:
        write_cameras(folder / clip.split / f"{clip.id}.txt", clip.cameras)
        if clip.pictures is None:
            continue
        for frame, time_us in enumerate(clip.cameras.timestamps_us):
            copy_frame(clip.pictures, frame, folder / "frames" / clip.split / clip.id / f"{time_us}.png")
