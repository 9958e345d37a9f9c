"""Entries: every requested item. Each becomes one task, whatever its outcome."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from flythrough.errors import FlythroughError, InputError
from flythrough.workspace.addresses import AddressKeys, redact
from flythrough.workspace.files import JsonObject
from flythrough.workspace.stage import Task

from ..urls import VIDEO_SUFFIXES, Address, address_of, digest, slug

_SAMPLE = 65536


@dataclass(frozen=True)
class Entry:
    """One requested item.

    Attributes:
        kind: ``"file"`` (local), ``"url"``, ``"cameras"`` (a video of camera files), ``"repeat"`` (listed
            before), ``"failed"`` (refused, or its list cannot be read).
        id: deterministic, from content for a file and from the address for a URL.
        where: where it was listed, e.g. ``list.txt:12``.
        inputs: what the result depends on.
        hints: what it does not depend on.
    """

    kind: str
    id: str
    where: str
    inputs: JsonObject = field(default_factory=dict)
    hints: JsonObject = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The URL, the path, or what was listed before; empty for a refused one."""
        return str(self.inputs.get("url") or self.hints.get("path") or self.inputs.get("of") or "")

    def task(self) -> Task:
        """The task that takes this input in."""
        return Task(self.id, {"kind": self.kind, **self.inputs}, {"where": self.where, **self.hints})


def url_entry(url: str, where: str, keys: AddressKeys, *, found: bool = False) -> Entry:
    """An entry for a URL, or a failed one if it is not an http(s) URL.

    Args:
        url: as it was listed.
        where: for messages.
        keys: of the workspace.
        found: it was found by a search, channel or playlist, not requested by name.
    """
    try:
        address = address_of(url, where, keys)
    except FlythroughError as error:
        return failed_entry(url, where, error)
    inputs, hints = address_parts(address)
    return Entry("url", address.id, where, {**inputs, "found": found}, hints)


def address_parts(address: Address) -> tuple[dict[str, str], dict[str, str]]:
    """What a task's inputs and hints say of an address: what is stored, and what is not."""
    if address.mark is None:
        return {"url": address.public}, {}
    return {"url": address.public, "mark": address.mark}, {} if address.full is None else {"address": address.full}


def file_entry(path: Path, where: str) -> Entry:
    """An entry for a local file; its id is from its name and content, so it is the same on every machine."""
    path = Path(os.path.abspath(path))
    if (name := _readable(str(path))) != str(path):
        problem = InputError(f"{name} has a name that is not UTF-8", remedy="Rename it, then give it again")
        return failed_entry(name, where, problem)
    try:
        mark = _fingerprint(path) if path.is_file() else None  # a pipe would keep us waiting
    except OSError:
        mark = None  # the task will say what is wrong with it
    id = f"{slug(path.stem)}-{(mark or digest(str(path)))[:12]}"
    return Entry("file", id, where, {"fingerprint": mark, "name": path.name}, {"path": str(path)})


def failed_entry(text: str, where: str, error: FlythroughError) -> Entry:
    """An entry whose task only fails with ``error``."""
    failure = {"message": error.message, "remedy": error.remedy, "kind": error.kind}
    text = redact(text)
    return Entry("failed", f"{slug(text)}-{digest(where + text)[:12]}", where, {"failure": failure})


def folder_entries(folder: Path, where: str, *, besides: Path) -> Iterator[Entry]:
    """The video files below a folder, in sorted order; hidden and other files, and the folder ``besides``, are not."""
    besides = besides.resolve()
    faults: list[OSError] = []
    found = 0
    for root, folders, files in os.walk(folder, onerror=faults.append):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and (Path(root) / n).resolve() != besides)
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES:
                found += 1
                yield file_entry(Path(root) / name, where)
    for fault in faults:
        name, problem = unreadable_folder(fault)
        yield failed_entry(name, where, problem)
    if not found and not faults:
        names = " ".join(sorted(VIDEO_SUFFIXES))
        problem = InputError(f"{folder} holds no video file", remedy=f"Videos end in one of: {names}")
        yield failed_entry(str(folder), where, problem)


def unreadable_folder(fault: OSError) -> tuple[str, InputError]:
    """The path of a folder that cannot be listed, and its error."""
    name = _readable(str(fault.filename))
    remedy = "Change its permissions (chmod, chown), or remove it from the input"
    return name, InputError(f"{name} cannot be read ({fault.strerror})", remedy=remedy)


def _readable(path: str) -> str:
    """The path itself, or, where its bytes are not text, something printable."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def _fingerprint(path: Path) -> str:
    """A hash over a file's size and 16 spans of it: enough to tell videos apart, at any size in milliseconds."""
    mark = hashlib.sha256()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        mark.update(str(size).encode())
        for part in range(16):
            file.seek(max(0, (size - _SAMPLE) * part // 15))
            mark.update(file.read(_SAMPLE))
    return mark.hexdigest()
