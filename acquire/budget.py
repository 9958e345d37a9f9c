"""The run-wide budget: bytes, videos, hours. One small database that all workers of a workspace share."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flythrough.files import disk_errors

from .config import Budget


class OverBudget(Exception):
    """The video does not fit any more; ``reason`` says into what."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Purse:
    """What has been spent. An id is counted once, however often it is fetched or asked for again."""

    def __init__(self, workspace: Path, budget: Budget) -> None:
        self._file = workspace / "acquire" / ".budget.sqlite"
        self._limits = {
            "bytes": None if budget.gigabytes is None else budget.gigabytes * 1e9,
            "videos": budget.videos,
            "hours": budget.hours,
        }
        self._limited = any(limit is not None for limit in self._limits.values())

    def spend(self, id: str, length: int | None = None, duration_s: float | None = None) -> None:
        """Count a video; what is not known counts as nothing until it is.

        Raises:
            OverBudget: it does not fit; nothing is counted for it then.
        """
        if not self._limited:
            return
        with self._open() as database:
            sums = "SELECT coalesce(sum(bytes), 0), count(*), coalesce(sum(hours), 0) FROM spent WHERE id != ?"
            others = dict(zip(self._limits, database.execute(sums, (id,)).fetchone(), strict=True))
            own = {"bytes": length or 0, "videos": 1, "hours": (duration_s or 0) / 3600}
            for name, limit in self._limits.items():
                if limit is not None and (others[name] >= limit or others[name] + own[name] > limit):
                    database.execute("DELETE FROM spent WHERE id = ?", (id,))
                    raise OverBudget(f"budget: {name}")
            values = (id, own["bytes"], own["hours"])
            database.execute("INSERT OR REPLACE INTO spent VALUES (?, ?, ?)", values)

    def note_duration(self, id: str, duration_s: float) -> None:
        """Say how long a video that was counted turned out to be; it stays, though the budget may be over."""
        if self._limited:
            with self._open() as database:
                database.execute("UPDATE spent SET hours = ? WHERE id = ?", (duration_s / 3600, id))

    def refund(self, id: str) -> None:
        """Count a video no more: it could not be had."""
        if self._limited:
            with self._open() as database:
                database.execute("DELETE FROM spent WHERE id = ?", (id,))

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with disk_errors(self._file):
            self._file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._file, timeout=60, isolation_level=None)
        try:
            database.execute("CREATE TABLE IF NOT EXISTS spent (id TEXT PRIMARY KEY, bytes INTEGER, hours REAL)")
            database.execute("BEGIN IMMEDIATE")
            yield database
        finally:
            database.execute("COMMIT") if database.in_transaction else None
            database.close()
