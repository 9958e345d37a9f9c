"""Downloaded files, kept by id under ``acquire/.downloads``: they outlive kills, changed rules and changed limits."""

from __future__ import annotations

import fcntl
import importlib.metadata
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from flythrough.workspace.files import JsonObject, disk_errors, locked_file, read_json, write_json

_TARGET, _RECORD = "video", "fetched.json"


@dataclass(frozen=True)
class Provenance:
    """Where a video came from. All but ``url`` may be unknown; a local file has no URL."""

    url: str | None = None
    title: str | None = None
    description: str | None = None
    channel: str | None = None
    platform: str | None = None
    platform_id: str | None = None
    license: str | None = None
    uploaded: str | None = None  # YYYY-MM-DD
    fetched: str | None = None  # ISO 8601, UTC
    tools: dict[str, str] | None = None
    duration_s: float | None = None  # as the platform states it
    suffix: str = ".mp4"

    def columns(self) -> JsonObject:
        """As columns of the table ``videos``."""
        names = ("url", "title", "channel", "platform", "platform_id", "license", "uploaded", "fetched")
        tools = json.dumps(self.tools, sort_keys=True) if self.tools else None
        return {**{name: getattr(self, name) for name in names}, "tools": tools}


class DownloadCache:
    """One video's folder in the store."""

    def __init__(self, workspace: Path, id: str) -> None:
        self.id = id
        self.folder = workspace / "acquire" / ".downloads" / id
        self.target = self.folder / _TARGET

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the cache, so that two workers never write one file."""
        with locked_file(self.folder / "lock", f"{self.folder} is in use", "Wait for the other worker to end"):
            yield

    def found(self) -> Provenance | None:
        """The provenance of the completely downloaded file, or None."""
        record = self.folder / _RECORD
        if not (record.exists() and self.target.exists()):
            return None
        try:
            return Provenance(**read_json(record))
        except (ValueError, TypeError):  # damaged: the file is fetched again
            return None

    def put(self, file: Path, provenance: Provenance) -> Provenance:
        """Accept a complete file from the cache's folder; records the time.

        The record comes first: a kill in between leaves the complete file where its downloader finds it.
        """
        stamped = replace(provenance, fetched=datetime.now(UTC).isoformat(timespec="seconds"))
        write_json(self.folder / _RECORD, asdict(stamped))
        with disk_errors(self.target):
            os.replace(file, self.target)
        return stamped

    def clear(self) -> None:
        """Delete everything: it is not a video, so the next attempt must download it again."""
        for file in self.folder.glob("*"):
            if file.name != "lock":
                file.unlink()


def place(source: Path, target: Path) -> None:
    """Put a file into a folder as a hard link, or as a copy where links do not reach."""
    with disk_errors(target):
        target.unlink(missing_ok=True)
        try:
            os.link(source.resolve(), target)
        except OSError:
            _copy(source, target)


_FICLONE = 0x40049409  # linux/fs.h: share a file's blocks until one of the two is written to


def copy(source: Path, target: Path) -> None:
    """Copy a file: as a clone that takes no space where the file system has those (Btrfs, XFS), else byte by byte."""
    with disk_errors(target):
        target.unlink(missing_ok=True)
        try:
            with open(source, "rb") as old, open(target, "wb") as new:
                fcntl.ioctl(new, _FICLONE, old.fileno())
        except OSError:
            _copy(source, target)


def _copy(source: Path, target: Path) -> None:
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        target.unlink(missing_ok=True)  # a full disk must hold what is to be said about it
        error.filename = target
        raise


def tools() -> dict[str, str]:
    """Versions of the programs that fetch and examine videos."""
    import av

    names = ("flythrough", "yt-dlp", "urllib3", "av")
    versions = {name: importlib.metadata.version(name) for name in names}
    return {**versions, "libavcodec": ".".join(map(str, av.library_versions["libavcodec"]))}
