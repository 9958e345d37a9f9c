"""Clips read from WebDataset shards (plain ``.tar`` files), as if they were folders.

A sample's key is the clip's id; its files are ``<id>.json`` (the clip's row), ``<id>.cameras.txt``,
``<id>.000000.png ...`` and ``<id>.disparity.npz``. A shard is indexed once and then read at random, so training
from shards and from the workspace sees the same sequences in the same order.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError
from flythrough.scene.cameras import Cameras, parse_cameras
from flythrough.scene.clips import BROKEN_ARCHIVE, Clip, frame_name
from flythrough.workspace.catalog import Row

Members = dict[str, tarfile.TarInfo]  # a clip's files, named without its id


class ShardClip(Clip):
    """A clip inside a shard."""

    def __init__(self, shard: Path, members: Members, row: Row) -> None:
        super().__init__(shard, row)
        self._members = members

    @property
    def cameras(self) -> Cameras:
        """Cameras of all frames; see :class:`.Cameras`."""
        if self._cameras is None:
            with self._open("cameras.txt") as file:
                text = file.read().decode("utf-8-sig")
            self._cameras = parse_cameras(text, f"{self.folder}:{self.id}.cameras.txt")
        return self._cameras

    def frame(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """One frame, RGB."""
        import cv2

        with self._open(frame_name(index)) as file:
            image = cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise InputError(
                f"{self.folder}: {self.id}.{frame_name(index)} is broken", remedy="Export the shards again"
            )
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def disparity(self, index: int) -> Float[np.ndarray, "h w"]:
        """Disparity of one frame in the common scale; 0 = infinitely far."""
        try:
            with self._open("disparity.npz") as file, np.load(file) as archive:
                return archive[f"{index:06d}"].astype(np.float32)
        except BROKEN_ARCHIVE as error:
            raise InputError(
                f"{self.folder}: disparity of {self.id}: {error}", remedy="Export the shards again"
            ) from error

    @contextmanager
    def _open(self, name: str) -> Iterator[IO[bytes]]:
        if name not in self._members:
            raise InputError(f"{self.folder} has no {self.id}.{name}", remedy="Export the shards again")
        with tarfile.open(self.folder, "r:") as tar:  # a handle of its own: decoder threads read in parallel
            file = tar.extractfile(self._members[name])
            assert file is not None
            yield file


def load_shards(root: Path, pattern: str, split: str | None = None) -> list[ShardClip]:
    """The clips of all shards that :func:`find_shards` finds, in the order of shards and of clips within.

    Raises:
        InputError: nothing matches, a file is not a plain tar file, or a sample has no row.
    """
    return [clip for shard in find_shards(root, pattern) for clip in _clips_of(shard) if split in (None, clip.split)]


def find_shards(root: Path, pattern: str) -> list[Path]:
    """The file called ``pattern``, or the files that match it as a glob, below ``root`` if it is relative; sorted.

    Raises:
        InputError: nothing matches.
    """
    given = Path(pattern)
    base = Path(given.anchor or root)  # Path.glob takes relative patterns only
    shards = [given] if given.is_file() else sorted(base.glob(str(given.relative_to(given.anchor))))
    if not shards:
        raise InputError(
            f"No shard matches {pattern}" + ("" if given.anchor else f" below {root}"),
            remedy="Write them with: flythrough export --format webdataset, or correct train.shards",
        )
    return shards


def _clips_of(shard: Path) -> Iterator[ShardClip]:
    samples: dict[str, Members] = {}
    try:
        with tarfile.open(shard, "r:") as tar:
            for member in tar:
                folder, _, file = member.name.rpartition("/")
                key, _, name = file.partition(".")
                if member.isfile() and name:
                    samples.setdefault(f"{folder}/{key}" if folder else key, {})[name] = member
    except (tarfile.TarError, OSError) as error:
        raise InputError(f"{shard} is not a plain tar file: {error}", remedy="Export the shards again") from error
    for key, members in samples.items():
        if "json" not in members:
            raise InputError(f"{shard} has no {key}.json", remedy="Export the shards again")
        with tarfile.open(shard, "r:") as tar:
            content = tar.extractfile(members["json"])
            assert content is not None
            try:
                clip = ShardClip(shard, members, json.load(content))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                raise InputError(
                    f"{shard}: {key}.json is not a clip's row: {error!r}", remedy="Export the shards again"
                ) from error
        yield clip
