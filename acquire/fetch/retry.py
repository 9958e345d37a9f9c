"""Retrying: how often, and how long to wait in between."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable

from ..config import Download
from ..failures import FetchError
from .watch import Watch

log = logging.getLogger("flythrough.acquire")
_STEP = 1 << 16  # bytes; a server that sends less per attempt is given up on


def persist(
    attempt: Callable[[], None],
    progress: Callable[[], int],
    pause_host: Callable[[float], None],
    settings: Download,
    watch: Watch,
) -> None:
    """Call ``attempt`` until it succeeds, or fails in a way that a retry will not cure.

    Waits double, with jitter, and are at least what the server asked for. An attempt that got well beyond all
    before resets the count, so a long file over a bad line arrives, and one that never will does not take forever.

    Args:
        attempt: one try.
        progress: bytes downloaded so far.
        pause_host: told when the server asks for a pause, which then holds for all workers.
        settings: how often, how long.
        watch: ends it when its time is up, whatever its progress.

    Raises:
        FetchError: the last try's.
    """
    tries, farthest = 0, progress()
    while True:
        try:
            return attempt()
        except FetchError as error:
            here = progress()
            tries, farthest = (1, here) if here >= farthest + _STEP else (tries + 1, farthest)
            asked_s = error.retry_after_s or 0.0
            if asked_s:
                pause_host(asked_s)
            if not error.again or tries >= settings.attempts or asked_s > settings.backoff_max_s:
                raise  # also if the server asks for a longer wait than ours: the user will run again
            wait = random.uniform(0.5, 1) * min(settings.backoff_max_s, settings.backoff_s * 2 ** min(tries - 1, 30))
            wait = max(wait, asked_s)
            if wait > watch.left_s():
                raise
            log.info("%s; again in %.1f s", error.message, wait)
            time.sleep(wait)
