"""A workspace's files in object storage (S3, Google Cloud Storage, HDFS, a folder), to continue on another machine.

There, a snapshot is ``workspace.json``, the hash and size of every file, and the bytes as ``objects/HASH``. The list is
written last, so readers see the old snapshot or the complete new one. Objects that are there are not sent again, so a
push that was interrupted resumes. Each fetched file is hashed before it takes its place.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from ...errors import DiskError, FlythroughError, InputError
from ..catalog import Workspace
from ..files import TASK_FILE, disk_errors, publish, sha256_of
from ..names import problem_with
from ..progress import track

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

LIST, OBJECTS = "workspace.json", "objects"
AT_ONCE = 8  # transfers
_PIECE = 1 << 22  # bytes
_HASH = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Entry:
    """A file of a snapshot: its path in the workspace, its SHA-256 and its length."""

    path: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class Transfer:
    """How many ``files`` a snapshot has, and what of them had to be ``moved``, in all of ``bytes``."""

    files: int
    moved: int
    bytes: int


def push(workspace: Workspace, address: str) -> Transfer:
    """Send the workspace. Hidden files stay here: locks, unfinished attempts, and the key of private addresses.

    Args:
        workspace: locked by the caller.
        address: ``s3://bucket/folder``, ``gs://...``, ``hdfs://...`` or a folder.

    Raises:
        FlythroughError: the storage cannot be reached or refuses (kind "network").
        InputError: the address has no known scheme, or a file has a name that cannot be fetched again.
    """
    with _storage(address) as (there, root):
        entries = [_entry(workspace, path) for path in track(sorted(_files(workspace.root)), "hash", unit="file")]
        known = _sizes(there, f"{root}/{OBJECTS}")
        missing = {each.sha256: each for each in entries if known.get(each.sha256) != each.bytes}
        there.create_dir(f"{root}/{OBJECTS}", recursive=True)

        def send(entry: Entry) -> None:
            with open(workspace / entry.path, "rb") as file:
                there_file = f"{root}/{OBJECTS}/{entry.sha256}"
                with there.open_output_stream(there_file) as out:
                    while piece := file.read(_PIECE):
                        out.write(piece)

        _each(send, missing.values(), "send")
        text = json.dumps({"schema_version": 1, "files": {e.path: [e.sha256, e.bytes] for e in entries}}, indent=1)
        with there.open_output_stream(f"{root}/{LIST}.new") as out:
            out.write(text.encode())
        there.move(f"{root}/{LIST}.new", f"{root}/{LIST}")
    return Transfer(len(entries), len(missing), sum(each.bytes for each in missing.values()))


def pull(workspace: Workspace, address: str) -> Transfer:
    """Fetch the snapshot. Files here that it does not have stay; those that differ are replaced.

    A task counts as finished only once all of its files are here, and tables come last.

    Raises:
        FlythroughError: the storage cannot be reached (kind "network"), or an object has another hash ("damaged").
        InputError: there is no snapshot, or a path in it leads out of the workspace.
    """
    with _storage(address) as (there, root):
        entries = _listed(there, root, address)
        missing = {each for each in track(entries, "compare", unit="file") if not _same(workspace / each.path, each)}
        folders = {folder for each in missing for folder in PurePosixPath(each.path).parents}
        for entry in entries:
            if _turn(entry.path) == 1 and PurePosixPath(entry.path).parent in folders:
                (workspace / entry.path).unlink(missing_ok=True)
                missing.add(entry)

        def fetch(entry: Entry) -> None:
            digest = hashlib.sha256()
            with publish(workspace / entry.path, durable=False) as scratch:
                with there.open_input_stream(f"{root}/{OBJECTS}/{entry.sha256}") as source, open(scratch, "wb") as file:
                    while piece := source.read(_PIECE):
                        digest.update(piece)
                        file.write(piece)
                if digest.hexdigest() != entry.sha256:
                    raise FlythroughError(f"{shown(address)}: the object of {entry.path} is damaged", kind="damaged",
                                          remedy=f"Delete {OBJECTS}/{entry.sha256} there and push again")  # fmt: skip

        for turn in range(3):
            _each(fetch, sorted((each for each in missing if _turn(each.path) == turn), key=str), "fetch")
    return Transfer(len(entries), len(missing), sum(each.bytes for each in missing))


def _turn(path: str) -> int:
    """When a file is fetched: 0, or 1 if it says that a task is finished, or 2 if it is a table or the settings."""
    name = PurePosixPath(path)
    return 1 if name.name == TASK_FILE else 2 if len(name.parts) == 1 else 0


def _files(root: Path) -> Iterator[str]:
    """The paths of all files below a folder of which no part is hidden."""
    for folder, folders, files in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(folder, name).relative_to(root).as_posix() for name in files if not name.startswith("."))


def _entry(workspace: Workspace, path: str) -> Entry:
    if reason := _problem(path):
        raise InputError(f"{workspace / path} cannot be sent: {reason}", remedy="Rename it, or move it elsewhere")
    with disk_errors(workspace / path):
        return Entry(path, sha256_of(workspace / path), (workspace / path).stat().st_size)


def _problem(path: str) -> str | None:
    return next((reason for part in path.split("/") if (reason := problem_with(part))), None)


def _same(path: Path, entry: Entry) -> bool:
    return path.is_file() and path.stat().st_size == entry.bytes and sha256_of(path) == entry.sha256


def _sizes(there: FileSystem, folder: str) -> dict[str, int]:
    from pyarrow.fs import FileSelector

    return {each.base_name: each.size for each in there.get_file_info(FileSelector(folder, allow_not_found=True))}


def _listed(there: FileSystem, root: str, address: str) -> list[Entry]:
    try:
        with there.open_input_stream(f"{root}/{LIST}") as file:
            found = json.loads(file.read())
        entries = [Entry(str(path), str(sha256), int(size)) for path, (sha256, size) in found["files"].items()]
    except FileNotFoundError as error:
        raise InputError(
            f"{shown(address)} has no snapshot ({LIST})", remedy="Check the address, or push one"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{shown(address)}: {LIST} is damaged", remedy="Push the workspace again") from error
    for each in entries:
        if (reason := _problem(each.path)) or not _HASH.fullmatch(each.sha256):
            raise InputError(f"{shown(address)}: {each.path!a} is refused: {reason or 'it has no hash'}",
                             remedy="Pull only what flythrough push has written")  # fmt: skip
    return entries


def _each(work: Callable[[Entry], None], entries: Iterable[Entry], what: str) -> None:
    entries = list(entries)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            for _ in track(pool.map(work, entries), what, len(entries), "file"):
                pass
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@contextmanager
def _storage(address: str) -> Iterator[tuple[FileSystem, str]]:
    """The file system behind an address, and the folder on it.

    Raises:
        DiskError: in place of an error about a file of this machine.
        FlythroughError: in place of an error of the storage (kind "network").
    """
    import pyarrow as pa

    try:
        there, root = _opened(address)
        yield there, root.rstrip("/")
    except (OSError, pa.ArrowException) as error:
        if isinstance(error, OSError) and error.filename is not None:  # Python's own; pyarrow's have no file's name
            remedy = "Check that it exists and that you have permission, then run it again: it resumes"
            raise DiskError(f"{error.filename}: {error.strerror}", remedy=remedy) from error
        remedy = "Check address, credentials and connection, then run it again: it resumes"
        raise FlythroughError(f"{shown(address)}: {error}", remedy=remedy, kind="network") from error


def _opened(address: str) -> tuple[FileSystem, str]:
    import pyarrow as pa
    from pyarrow.fs import FileSystem

    try:
        return FileSystem.from_uri(address if "://" in address else Path(address).absolute().as_uri())
    except (ValueError, pa.ArrowInvalid) as error:
        remedy = "Give s3://BUCKET/FOLDER, gs://BUCKET/FOLDER, hdfs://HOST/FOLDER or a folder"
        raise InputError(f"{shown(address)} cannot be used: {error}", remedy=remedy) from error


def shown(address: str) -> str:
    """The address without the key and secret that may stand before its bucket."""
    return re.sub("//[^/@]*@", "//", address)
