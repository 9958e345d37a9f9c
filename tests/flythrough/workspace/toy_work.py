"""Work for the executor tests; importable by name in worker processes."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from flythrough.errors import InputError


def work(number: int, folder: str, behaviour: str) -> None:
    """Write a file, after doing what ``behaviour`` says."""
    if behaviour == "raise":
        raise InputError(f"number {number} is odd", remedy="Use another")
    if behaviour == "bug":
        raise ZeroDivisionError("a\nb")
    if behaviour == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if behaviour == "endless":
        (Path(folder) / "endless").write_text(str(os.getpid()))
    if behaviour in ("hang", "endless"):
        while True:
            pass
    if behaviour == "wait":
        time.sleep(3)
    if behaviour == "timeout":
        raise TimeoutError("the other side did not answer")
    if behaviour == "gpu":
        (Path(folder) / str(number)).write_text(os.environ["CUDA_VISIBLE_DEVICES"])
        return
    if behaviour == "threads":
        (Path(folder) / str(number)).write_text(os.environ["OMP_NUM_THREADS"])
        return
    if behaviour == "slow":
        time.sleep(0.1)
    (Path(folder) / str(number)).write_text(str(os.getpid()))
