"""Files that are either complete or absent: atomic publishing, hashing, content keys."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from ..errors import DamagedFile, DiskError, FlythroughError, InputError

JsonObject = dict[str, Any]  # a JSON object of ours, by key
TASK_FILE = "task.json"  # in every published folder: the key and the outcome
MANIFEST = "files.json"  # in every published folder: size and SHA-256 of every other file
_REPAIR = "Run flythrough verify --repair, then flythrough acquire again"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2  # linux/fcntl.h, linux/fs.h
_DISK_ERRNOS = {
    errno.ENOSPC: "Free some space there, then run it again (a stage with --retry-errors)",
    errno.EDQUOT: "Free some of your quota, then run it again (a stage with --retry-errors)",
    errno.EFBIG: "Raise the limit on file sizes (ulimit -f), then run it again (a stage with --retry-errors)",
    errno.EEXIST: "A file stands where a folder is wanted: choose another name",
    errno.ENOTDIR: "A file stands where a folder is wanted: choose another name",
    errno.EISDIR: "A folder stands where a file is wanted: move it away, or choose another name",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EROFS: "Choose a folder on a writable disk",
    errno.EACCES: "Change its permissions (chmod, chown) or choose another place",
    errno.EPERM: "Change its permissions (chmod, chown) or choose another place",
}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn the operating system's errors about ``path`` into errors with a remedy.

    Raises:
        DiskError: in place of an OSError about space, names or permissions.
    """
    try:
        yield
    except OSError as error:
        remedy = _DISK_ERRNOS.get(error.errno or 0)
        if remedy is None:
            raise
        raise DiskError(f"{error.filename or path}: {error.strerror}", remedy=remedy) from error


@contextmanager
def locked_file(path: Path, message: str, remedy: str, *, wait_s: float = math.inf) -> Iterator[None]:
    """Hold a lock that only one process can hold at a time; it is released if the process ends.

    Args:
        path: the lock's file; created if missing.
        message: of the error.
        remedy: of the error.
        wait_s: how long to wait for the lock, seconds.

    Raises:
        FlythroughError: another process held it all that time (kind "locked").
    """
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open(path, "w")
    with handle:
        until = time.monotonic() + wait_s
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait_s == math.inf else fcntl.LOCK_NB))
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise FlythroughError(message, remedy=remedy, kind="locked") from None
                time.sleep(0.05)
        yield


@contextmanager
def publish(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a scratch path beside ``path``; on success it is fsynced and takes ``path``'s place.

    A reader sees the old file or the complete new one. On an exception nothing changes.

    Args:
        path: the file.
        durable: survive a power failure too. That costs milliseconds per file, too much for records that can be
            regenerated, such as why one of 10,000 downloads failed.

    Raises:
        DiskError: it cannot be written.
    """
    path = Path(path)
    scratch = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield scratch
            if durable:
                fsync(scratch)
            os.replace(scratch, path)
            if durable:
                fsync(path.parent)
        finally:
            scratch.unlink(missing_ok=True)


def publish_folder(scratch: Path, path: Path) -> None:
    """Move a finished folder into place and remove what was at ``path``. Both must be on one file system.

    Readers find the complete old folder or the complete new one at ``path``, also after a kill. On systems that cannot
    exchange two folders in one call, a kill may leave the old one beside it, as ``.NAME.old``; :func:`recover_folder`
    puts it back.
    """
    with disk_errors(path):
        for file in scratch.rglob("*"):
            if file.is_file():
                fsync(file)
        path.parent.mkdir(parents=True, exist_ok=True)
        recover_folder(path)
        if not path.exists():
            os.replace(scratch, path)
        elif _exchange(scratch, path):
            shutil.rmtree(scratch)
        else:
            os.replace(path, _aside(path))
            os.replace(scratch, path)
            shutil.rmtree(_aside(path))
        fsync(path.parent)


def recover_folder(path: Path) -> None:
    """Put back the folder that a killed :func:`publish_folder` had moved away, or remove it if it was replaced."""
    if (old := _aside(path)).exists():
        if path.exists():
            shutil.rmtree(old)
        else:
            os.replace(old, path)


def _aside(path: Path) -> Path:
    return path.with_name(f".{path.name}.old")


def _exchange(a: Path, b: Path) -> bool:
    """Swap two paths in one system call (Linux's renameat2); False where there is none."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return rename(_AT_FDCWD, os.fsencode(a.absolute()), _AT_FDCWD, os.fsencode(b.absolute()), _RENAME_EXCHANGE) == 0


def write_text(path: Path, text: str, *, durable: bool = True) -> None:
    """Publish ``text`` at ``path``, atomically; see :func:`publish`."""
    with publish(path, durable=durable) as scratch:
        scratch.write_text(text, encoding="utf-8")


def write_json(path: Path, value: object, *, durable: bool = True) -> None:
    """Publish ``value`` as JSON at ``path``, atomically; NaN is refused. See :func:`publish`."""
    write_text(path, to_canonical_json(value), durable=durable)


def to_canonical_json(value: object) -> str:
    """A value as JSON text with sorted keys, the same on every machine; NaN is refused."""
    return json.dumps(value, indent=1, sort_keys=True, allow_nan=False) + "\n"


def read_json(path: Path) -> Any:
    """The JSON value in a file.

    Raises:
        DamagedFile: it is not JSON, or not UTF-8.
        OSError: it cannot be read.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        remedy = "Restore it from a copy, or delete it and run what wrote it again"
        raise DamagedFile(f"{path} is damaged: {error}", remedy=remedy) from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, hex."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unchanged(path: Path, sha256: str) -> Path:
    """The path, after checking that the file still has the hash in its table.

    It is hashed once per process, and again if it was modified.

    Args:
        path: of a file that was linked into the workspace, and so may have been edited in place.
        sha256: as in the table, hex.

    Raises:
        InputError: its content has changed, or it is missing.
    """
    try:
        stat = path.stat()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}", remedy=_REPAIR) from error
    if _hash_now(path, stat.st_mtime_ns, stat.st_size, stat.st_ino) != sha256:
        raise InputError(f"{path} is no longer the file that was taken in", remedy=_REPAIR)
    return path


@lru_cache(64)
def _hash_now(path: Path, *touched: int) -> str:
    return sha256_of(path)


def sha256_of_folder(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below a folder, in sorted order, hex."""
    digest = hashlib.sha256()
    for file in sorted(p for p in Path(folder).rglob("*") if p.is_file()):
        digest.update(f"{file.relative_to(folder).as_posix()}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()


def write_manifest(folder: Path) -> str:
    """Write :data:`MANIFEST` into a folder: size and hash of each of its files; returns the manifest's own SHA-256."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    names = [path.relative_to(folder).as_posix() for path in files]
    record = {
        name: {"bytes": path.stat().st_size, "sha256": sha256_of(path)} for name, path in zip(names, files, strict=True)
    }
    text = json.dumps(record, indent=0, sort_keys=True)
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    return hashlib.sha256(text.encode()).hexdigest()


def check_manifest(folder: Path) -> tuple[dict[str, str], int, int]:
    """Compare a folder with its :data:`MANIFEST`.

    Returns:
        What is wrong, by file name; the number of files checked; their total size as recorded, bytes.
    """
    record = read_json(folder / MANIFEST)
    wrong = {}
    for name, known in record.items():
        path = folder / name
        if not path.is_file():
            wrong[name] = "is missing"
        elif (size := path.stat().st_size) != known["bytes"]:
            wrong[name] = f"has {size} bytes, {known['bytes']} were written"
        elif sha256_of(path) != known["sha256"]:
            wrong[name] = "has other bytes than were written"
    return wrong, len(record), sum(known["bytes"] for known in record.values())


def content_key(*parts: object) -> str:
    """SHA-256 over JSON-able parts, hex; equal parts give equal keys on every machine."""
    return hashlib.sha256(f"[{','.join(map(key_text, parts))}]".encode()).hexdigest()


_KEY_JSON = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def key_text(part: object) -> str:
    """A part of a :func:`content_key` as text."""
    return _KEY_JSON.encode(part)


def fsync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
