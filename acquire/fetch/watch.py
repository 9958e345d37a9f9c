"""A running download: its time limit, and whether the budget still allows it."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..config import Download
from ..failures import FetchError

_STEP = 1 << 26  # bytes between two looks at the budget: what a file without a stated length may exceed it by


class Watch:
    """One video's limits, over all attempts.

    Args:
        url: for messages.
        settings: the time limit.
        admit: called with the bytes so far, now and then; raises if the budget does not allow them.
    """

    def __init__(self, url: str, settings: Download, admit: Callable[[int], None]) -> None:
        self._url = url
        self._limit_s = settings.time_limit_s
        self._began = time.monotonic()
        self._admit = admit
        self._next = _STEP

    def left_s(self) -> float:
        """Seconds until the time is up."""
        return self._began + self._limit_s - time.monotonic()

    def check(self, size: int) -> None:
        """Continue, with ``size`` bytes received.

        Raises:
            FetchError: the time is up.
            OverBudget: the budget does not allow so many bytes.
        """
        if self.left_s() < 0:
            raise FetchError(
                f"{self._url} took longer than {self._limit_s:g} s",
                kind="network",
                remedy="Raise acquire.download.time_limit_s, then run with --retry-errors: it resumes where it stopped",
                again=False,
            )
        if size >= self._next:
            self._next = size + _STEP
            self._admit(size)
