"""Per-host rate limits, shared by all workers of a machine through files that the kernel locks."""

from __future__ import annotations

import fcntl
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from flythrough.workspace.files import disk_errors

from ..config import Download
from ..failures import FetchError

_POLL_S = 0.02
_LONGEST_PAUSE_S = 3600.0  # however long a server asks for; the next run then asks it again
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Host:
    """One host: at most ``per_host`` connections at a time, and ``requests_per_s`` requests begun a second.

    Locks are the kernel's (``flock``), so a killed worker holds none. They reach over the workers of one
    machine; on a cluster each node counts for itself. Times are the monotonic clock's, which all processes of a
    machine share and nobody sets back; the note's name is of this boot, since the clock restarts with the next.
    """

    def __init__(self, folder: Path, name: str, settings: Download) -> None:
        self._name = name
        self._folder = folder / re.sub(r"[^a-z0-9.-]", "_", name)[:100]
        with disk_errors(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
        self._settings = settings

    @contextmanager
    def connection(self) -> Iterator[None]:
        """Hold one of the host's connections; waits until one is free and a request may begin.

        Raises:
            FetchError: the host asked for a longer pause than we wait.
            DiskError: the limits' files cannot be written.
        """
        slots = list(range(self._settings.per_host))
        random.shuffle(slots)  # so that waiting workers do not all stand before the same slot
        while True:
            for slot in slots:
                with disk_errors(self._folder):  # of the file only, not of what the connection is used for
                    handle = open(self._folder / f"slot{slot}", "w")
                with handle:
                    try:
                        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    except BlockingIOError:
                        continue
                    while (wait_s := self._begin()) > 0:  # asked again after each wait: a pause may have come
                        time.sleep(wait_s)
                    yield
                    return
            time.sleep(_POLL_S * random.uniform(0.5, 1.5))

    def pause(self, seconds: float) -> None:
        """Hold back requests to this host for as long as it asked, an hour at most."""
        with self._next_request() as (at, put):
            put(max(at, time.monotonic() + min(seconds, _LONGEST_PAUSE_S)))

    def _begin(self) -> float:
        """Begin a request, or say how long to wait before asking again."""
        rate, longest_s = self._settings.requests_per_s, self._settings.backoff_max_s
        with self._next_request() as (at, put):
            now = time.monotonic()
            if at - now > max(longest_s, 1 / rate if rate else 0):
                raise FetchError(
                    f"{self._name} asked for a pause of more than {longest_s:g} s (acquire.download.backoff_max_s)",
                    kind="rate-limited",
                    again=False,
                )
            if at > now:
                return at - now
            if rate:
                put(now + 1 / rate)
            return 0

    @contextmanager
    def _next_request(self) -> Iterator[tuple[float, Callable[[float], None]]]:
        """Hold the note of when the next request may begin; yields that time, and the function that sets it."""
        note = self._folder / f"next-{_boot()}"
        with disk_errors(note), open(note, "a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            text = file.read()

            def put(at: float) -> None:
                file.seek(0)
                file.truncate()
                file.write(repr(at))

            try:
                at = float(text)
            except ValueError:
                at = 0.0  # never set, or its writer was killed
            yield at, put


@cache
def _boot() -> str:
    """A name for the time since this machine was started."""
    return _BOOT_ID.read_text().strip()[:8] if _BOOT_ID.exists() else "local"
