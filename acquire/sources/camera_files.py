"""A folder of camera files: its clips by video, and one entry per video or file without one."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from flythrough.errors import FlythroughError, InputError
from flythrough.media.frame_hashes import hashes_file
from flythrough.workspace.addresses import AddressKeys
from flythrough.workspace.files import JsonObject, sha256_of

from ..urls import Address, address_of, digest, slug
from .camera_text import read_camera_text
from .entries import Entry, address_parts, failed_entry, unreadable_folder

SPLITS = {"train": "train", "training": "train", "validation": "validation", "val": "validation", "test": "test"}
DEFAULT_SPLIT = "train"  # ACID-Large has no splits
_READERS = 4


@dataclass(frozen=True)
class GivenClip:
    """A camera file of the folder, without its poses: 13,000 of these are held at once."""

    key: str
    file: str  # below the folder
    split: str
    address: Address
    sha256: str
    hashes_sha256: str | None  # of the file of its frames' hashes, if there is one beside it
    lines: int  # that are right
    faults: tuple[str, ...]  # "FILE:LINE: what is wrong"
    notes: tuple[str, ...]

    @property
    def video_id(self) -> str:
        """Id of the video it is a clip of."""
        return self.address.id


@dataclass(frozen=True)
class Index:
    """A whole folder.

    Attributes:
        clips: by key.
        refused: files that belong to no video, and folders that cannot be read: (key, file, error).
    """

    clips: dict[str, GivenClip]
    refused: tuple[tuple[str, str, FlythroughError], ...]


def read_index(folder: Path, keys: AddressKeys) -> Index:
    """Read all camera files (``*.txt``) below a folder; the split is the name of a folder on the way.

    Raises:
        InputError: there is no such folder, or no camera file in it.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", remedy="Check --camera-files")
    clips: dict[str, GivenClip] = {}
    refused: list[tuple[str, str, FlythroughError]] = []
    unread: list[OSError] = []
    files = [path.relative_to(folder).as_posix() for path in _text_files(folder, unread)]
    with ThreadPoolExecutor(_READERS) as pool:  # the disk is what takes the time
        for file, read in zip(files, pool.map(partial(_read, folder, keys), files), strict=True):
            key = _key(file)
            if isinstance(read, FlythroughError):
                refused.append((key, file, read))
            elif key in clips:
                problem = f"{file}: the clip {key} is already in {clips[key].file}"
                refused.append((key, file, InputError(problem, remedy="Rename or remove one of the two files")))
            else:
                clips[key] = read
    for name, error in map(unreadable_folder, unread):
        refused.append((f"{slug(name)}-{digest(name)[:12]}", name, error))
    if not clips and not refused:
        raise InputError(f"{folder} holds no camera file (*.txt)", remedy="Check --camera-files")
    return Index(clips, tuple(refused))


def camera_entries(folder: Path, keys: AddressKeys) -> Iterator[Entry]:
    """One entry per video, with all its clips, and one per file that names no video."""
    try:
        index = read_index(folder, keys)
    except FlythroughError as error:
        yield failed_entry(str(folder), "camera files", error)
        return
    videos: dict[str, list[GivenClip]] = {}
    for clip in index.clips.values():
        videos.setdefault(clip.video_id, []).append(clip)
    for id, clips in videos.items():
        stored, secret = address_parts(clips[0].address)
        inputs: JsonObject = {**stored, "clips": [_given(clip) for clip in clips]}
        hints = {**secret, "folder": str(folder), "files": {clip.key: clip.file for clip in clips}}
        yield Entry("cameras", id, str(folder), inputs, hints)
    for key, file, problem in index.refused:
        entry = failed_entry(key, file, problem)
        taken = key in index.clips or key in videos
        yield Entry("failed", entry.id if taken else key, file, entry.inputs)


def _given(clip: GivenClip) -> list[str]:
    """What the result depends on of a clip."""
    return [clip.key, clip.split, clip.sha256, *([clip.hashes_sha256] if clip.hashes_sha256 else [])]


def _key(file: str) -> str:
    stem = Path(file).stem
    return stem if re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,149}", stem) else slug(file)


def _read(folder: Path, keys: AddressKeys, file: str) -> GivenClip | FlythroughError:
    """A camera file, or why it belongs to no video."""
    try:
        text = read_camera_text(folder / file)
        faults = tuple(f"{file}:{fault.line}: {fault.problem}" for fault in text.faults)
        if text.cameras.url == "" or not len(text.cameras):
            problem = faults[0] if faults else f"{file}:2: no camera lines"
            return InputError(problem, remedy="Get the file again, or remove it")
        address = address_of(text.cameras.url, f"{file}:1", keys)
        hashes = hashes_file(folder / file)
        hashes_sha256 = sha256_of(hashes) if hashes.is_file() else None
    except OSError as error:
        return InputError(f"{file} cannot be read ({error.strerror})", remedy="Change its permissions (chmod, chown)")
    except FlythroughError as error:
        return error
    return GivenClip(
        key=_key(file),
        file=file,
        split=_split(folder, file),
        address=address,
        sha256=text.sha256,
        hashes_sha256=hashes_sha256,
        lines=len(text.cameras),
        faults=faults,
        notes=tuple(f"{file}: {note}" for note in text.notes),
    )


def _split(folder: Path, file: str) -> str:
    """The nearest folder that has a split's name, the given one included."""
    folders = [folder.name, *file.split("/")[:-1]]
    return next((SPLITS[name.lower()] for name in reversed(folders) if name.lower() in SPLITS), DEFAULT_SPLIT)


def _text_files(folder: Path, unread: list[OSError]) -> Iterator[Path]:
    for root, folders, files in os.walk(folder, onerror=unread.append):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(".txt") and not name.startswith("."):
                yield Path(root) / name
