"""WebDataset: ``SPLIT-000000.tar``, one sample per clip, which ``flythrough train`` reads too.

A sample holds ``CLIP.cameras.txt`` and ``CLIP.json`` (the clip's row) and, on request, ``CLIP.000000.png`` and so on
and ``CLIP.disparity.npz``.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path

from flythrough.scene.clips import CAMERA_FILE, DISPARITY, FRAMES, frame_name
from flythrough.workspace.files import write_json

from .door import ExportClip

SHARD_BYTES = 500_000_000


def write(clips: Iterable[ExportClip], folder: Path, frames: bool) -> None:
    """Shards of about :data:`SHARD_BYTES`, each of one split; equal clips give equal bytes."""
    open_: dict[str, tarfile.TarFile] = {}
    counts: dict[str, int] = {}
    held: dict[str, int] = {}
    try:
        for clip in clips:
            split = clip.split
            if split not in open_:
                number = counts.get(split, 0)
                open_[split] = tarfile.open(folder / f"{split}-{number:06d}.tar", "w", format=tarfile.USTAR_FORMAT)
                counts[split], held[split] = number + 1, 0
            for name, data in members(clip):
                held[split] += _add(open_[split], name, data)
            if held[split] >= SHARD_BYTES:
                open_.pop(split).close()
    finally:
        for tar in open_.values():
            tar.close()
    write_json(folder / "shards.json", {split: f"{split}-{{000000..{n - 1:06d}}}.tar" for split, n in counts.items()})


def members(clip: ExportClip) -> Iterable[tuple[str, bytes]]:
    """The files of a sample. The key ends at the first dot, so a clip's id has none."""
    from flythrough.scene.cameras import format_cameras

    assert "." not in clip.id
    yield f"{clip.id}.{CAMERA_FILE}", format_cameras(clip.cameras).encode()
    if clip.pictures is not None:
        for frame in range(len(clip.cameras)):
            yield f"{clip.id}.{frame_name(frame)}", (clip.pictures.folder / FRAMES / frame_name(frame)).read_bytes()
        disparity = clip.pictures.folder / DISPARITY
        if disparity.is_file():
            yield f"{clip.id}.{DISPARITY}", disparity.read_bytes()
    yield f"{clip.id}.json", json.dumps(clip.row, sort_keys=True).encode()


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> int:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))
    return len(data)
