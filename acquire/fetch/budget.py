"""The run-wide budget: bytes, videos, hours. One small database that all workers of a workspace share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from flythrough.errors import DiskError
from flythrough.workspace.files import disk_errors

from ..config import Budget

_TABLE = "CREATE TABLE IF NOT EXISTS held (id TEXT PRIMARY KEY, bytes INTEGER, videos INTEGER, hours REAL)"
_WASTED = "CREATE TABLE IF NOT EXISTS wasted (id TEXT, bytes INTEGER)"
_OTHERS = """
SELECT coalesce(sum(bytes), 0) + (SELECT coalesce(sum(bytes), 0) FROM wasted),
    coalesce(sum(videos), 0), coalesce(sum(hours), 0) FROM held WHERE id != ?
"""


class OverBudget(Exception):
    """The video exceeds the budget; ``reason`` says which one."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ByteBudget:
    """What the workspace downloaded. An id counts once, however often it is requested; what was fetched and not kept
    counts on top."""

    def __init__(self, workspace: Path, budget: Budget) -> None:
        self._file = workspace / "acquire" / ".budget.sqlite"
        self._limits = {
            "bytes": None if budget.gigabytes is None else budget.gigabytes * 1e9,
            "videos": budget.videos,
            "hours": budget.hours,
        }
        self._limited = any(limit is not None for limit in self._limits.values())

    def spend(self, id: str, length: int | None = None, duration_s: float | None = None) -> None:
        """Count a video about to be downloaded; unknown figures count as zero until :meth:`note`.

        Raises:
            OverBudget: it does not fit; nothing more is counted for it then.
        """
        if not self._limited:
            return
        own = {"bytes": length or 0, "videos": 1, "hours": (duration_s or 0) / 3600}
        with self._held() as held:
            others = dict(zip(own, held.execute(_OTHERS, (id,)).fetchone(), strict=True))
            for name, limit in self._limits.items():
                if limit is not None and (others[name] >= limit or others[name] + own[name] > limit):
                    held.execute("DELETE FROM held WHERE id = ? AND videos > 0", (id,))  # of failed ones bytes stay
                    raise OverBudget(f"budget: {name}")
            held.execute("INSERT OR REPLACE INTO held VALUES (?, ?, ?, ?)", (id, *own.values()))

    def grow(self, id: str, length: int) -> None:
        """Update the bytes received of a counted video.

        Raises:
            OverBudget: they are more than fit.
        """
        limit = self._limits["bytes"]
        if limit is None:
            return
        with self._held() as held:
            if held.execute(_OTHERS, (id,)).fetchone()[0] + length > limit:
                raise OverBudget("budget: bytes")
            held.execute("UPDATE held SET bytes = max(bytes, ?) WHERE id = ?", (length, id))

    def note(self, id: str, *, length: int | None = None, duration_s: float | None = None) -> None:
        """Correct the figures of a counted video; it stays, even over budget."""
        hours = None if duration_s is None else duration_s / 3600
        self._change(
            "UPDATE held SET bytes = coalesce(?, bytes), hours = coalesce(?, hours) WHERE id = ?", length, hours, id
        )

    def reject(self, id: str) -> None:
        """A rule dropped a video after the download: its bytes stay on disk, but it is not in the workspace."""
        self._change("UPDATE held SET videos = 0, hours = 0 WHERE id = ?", id)

    def fail(self, id: str, *, partial: int = 0, wasted: int = 0) -> None:
        """A video failed; its bytes were downloaded all the same.

        Args:
            id: the video's.
            partial: bytes on disk, from which the next attempt resumes.
            wasted: bytes that were thrown away.
        """
        self._change("INSERT OR REPLACE INTO held VALUES (?, ?, 0, 0)", id, partial)
        if wasted > 0:
            self._change("INSERT INTO wasted VALUES (?, ?)", id, wasted)

    def _change(self, statement: str, *values: object) -> None:
        if self._limited:
            with self._held() as held:
                held.execute(statement, values)

    @contextmanager
    def _held(self) -> Iterator[sqlite3.Connection]:
        """The database, for one transaction that no other worker's comes between."""
        with disk_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self._file, timeout=60, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                database.execute(_TABLE)
                database.execute(_WASTED)
                try:
                    yield database
                finally:
                    database.execute("COMMIT")  # also when over budget: what was deleted stays so
        except sqlite3.OperationalError as error:
            raise DiskError(
                f"{self._file}: {error}", remedy="Free some space there, then run again with --retry-errors"
            ) from error
