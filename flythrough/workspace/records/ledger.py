"""A stage's ledger: what the records of its finished tasks say, in one file.

Reading and checking a record takes 0.1 ms, two minutes for a million of them. A run reads them all, for its tables, and
notes in the ledger what each says about its task, with the inode of its folder. An entry counts as long as the folder
has that inode, which listing the stage's folder tells. A task that runs again is published as another folder, made
while the old one was there, so it has another inode.

The ledger is a cache. Where it has no entry, or one that does not fit (the folder was removed, made again, copied from
elsewhere), the record is read. A ledger that is not whole, or was written by another version or for other settings, is
ignored. So no command has to keep it up to date, and a kill at any moment costs nothing but time. A record that was
damaged where it lies passes for finished in ``flythrough status --plan``; a run reads it for the tables, finds that the
ledger was wrong, removes it, and decides again.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..files import publish

_FORMAT = 2  # increase it when ledgers are written in another way


@dataclass(frozen=True)
class TaskState:
    """``name`` is new, done or error; ``attempts`` counts the attempts under this key."""

    name: str
    attempts: int = 0


def inodes_in(folder: Path) -> dict[str, int]:
    """The inode of each file and folder in a folder, by name; nothing if it is not there."""
    try:
        with os.scandir(folder) as entries:
            return {entry.name: entry.inode() for entry in entries}
    except FileNotFoundError:
        return {}


@dataclass
class Notes:
    """Entries for a ledger."""

    _by_state: dict[TaskState, tuple[list[str], list[int]]] = field(default_factory=dict)

    def add(self, name: str, inode: int, state: TaskState) -> None:
        """Note a task by the name and the inode that its folder had before its record was read."""
        names, inodes = self._by_state.setdefault(state, ([], []))
        names.append(name)
        inodes.append(inode)

    def write(self, file: Path, settings: str) -> None:
        """Publish the ledger, in one step; see :func:`read_ledger`."""
        groups = [
            (state.name, state.attempts, "\n".join(names), inodes) for state, (names, inodes) in self._by_state.items()
        ]
        body = json.dumps(groups, separators=(",", ":")).encode()
        with publish(file, durable=False) as scratch:
            scratch.write_bytes(_seal(body, settings) + body)


def read_ledger(file: Path, settings: str, inodes: Mapping[str, int]) -> dict[str, TaskState]:
    """The states of the tasks whose folders are as the ledger has them, by the folders' names.

    Args:
        file: as :meth:`Notes.write` wrote it; if it is missing, not whole, or for other settings, nothing is known.
        settings: all that its entries depend on besides the records.
        inodes: of what is in the stage's folder now.
    """
    try:
        whole = file.read_bytes()
    except OSError:
        return {}
    body = whole[whole.find(b"\n") + 1 :]
    if not whole.startswith(_seal(body, settings)):
        return {}
    known: dict[str, TaskState] = {}
    for state, attempts, lines, noted in json.loads(body):
        names = lines.split("\n")
        if list(map(inodes.get, names)) != noted:  # mostly they are the same, which is told without a loop
            names = [name for name, inode in zip(names, noted, strict=True) if inodes.get(name) == inode]
        group = dict.fromkeys(names, TaskState(state, attempts))
        known = group if not known else known | group
    return known


def _seal(body: bytes, settings: str) -> bytes:
    """The first line: the hash of all after it, the settings that it is for, and how it is written."""
    return f"{hashlib.sha256(body).hexdigest()} {settings} {_FORMAT}\n".encode()
