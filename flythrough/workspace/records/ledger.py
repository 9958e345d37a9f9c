"""A stage's ledger: what the records of its finished tasks say, in one file.

Reading and checking a record takes 0.1 ms, two minutes for a million of them. A run reads them all, for its tables, and
notes in the ledger what each says about its task, with the record's size and the time it was last changed. An entry
is valid as long as these two are unchanged, which takes a stat instead of a read. The time is ``ctime``: any write sets
it, and programs cannot set it back.

The ledger is a cache. If it has no entry, or one that is no longer valid (the folder was removed, made again, repaired,
copied from elsewhere), the record is read. An incomplete ledger, or one written by another version or for other
settings, is ignored. So no command has to keep it up to date, and a kill at any moment costs only time. A record whose
bytes changed while size and time did not, as on a failing disk, counts as finished in ``flythrough status --plan``; a
run reads it for the tables, removes the ledger, and decides again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ..files import TASK_FILE, publish


@dataclass(frozen=True)
class TaskState:
    """``name`` is new, done or error; ``attempts`` counts the attempts under this key."""

    name: str
    attempts: int = 0


Note = Callable[[str, str, TaskState], None]  # a task's folder, the stamp of its record before it was read, its state
_BATCH = 1 << 20  # bytes read at a time


class Ledger:
    """What is known of a stage's tasks, by the names of their folders."""

    def __init__(self, folder: Path, entries: dict[str, str]) -> None:
        self._root = f"{folder}/"
        self._entries = entries

    @classmethod
    def read(cls, file: Path, folder: Path, settings: str) -> Ledger:
        """The ledger in a file; empty if it is missing, incomplete, or for other settings.

        Args:
            file: see :func:`write_ledger`.
            folder: the stage's.
            settings: all that its entries depend on besides the records.
        """
        digest, entries, last = hashlib.sha256(), dict[str, str](), b""
        try:
            with open(file, "rb") as open_file:
                while lines := open_file.readlines(_BATCH):
                    last = b"" if lines[-1].endswith(b"\n") else lines.pop()
                    batch = b"".join(lines)
                    digest.update(batch)
                    entries.update(line.split("\t", 1) for line in batch.decode().split("\n")[:-1])  # type: ignore[misc]
        except (OSError, ValueError):
            return cls(folder, {})
        return cls(folder, entries if last == _seal(digest, settings) else {})

    def __len__(self) -> int:
        return len(self._entries)

    def state(self, name: str) -> TaskState | None:
        """The state in the ledger of the task with this folder; None if its record must be read."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        stamp, _, state = entry.partition("\t")
        return _state(state) if stamp == stamp_of(f"{self._root}{name}/{TASK_FILE}") else None


@cache
def _state(text: str) -> TaskState:
    name, attempts = text.split("\t")
    return TaskState(name, int(attempts))


def stamp_of(record: str | Path) -> str:
    """Size of a file and the time it was last changed, as text; empty if there is none."""
    try:
        stat = os.stat(record)
    except OSError:
        return ""
    return f"{stat.st_size} {stat.st_ctime_ns}"


@contextmanager
def write_ledger(file: Path, settings: str) -> Iterator[Note]:
    """Publish a ledger: yields a function to call for each task; tasks without a record are left out.

    Args:
        file: is replaced atomically.
        settings: see :meth:`Ledger.read`.
    """
    digest = hashlib.sha256()
    with publish(file, durable=False) as scratch, open(scratch, "wb") as out:

        def note(name: str, stamp: str, state: TaskState) -> None:
            if stamp:
                line = f"{name}\t{stamp}\t{state.name}\t{state.attempts}\n".encode()
                digest.update(line)
                out.write(line)

        yield note
        out.write(_seal(digest, settings))


def _seal(digest: hashlib._Hash, settings: str) -> bytes:
    """The last line, which alone has no line break: the hash of all before it, and the settings that they are for."""
    return f"{digest.hexdigest()} {settings}".encode()
