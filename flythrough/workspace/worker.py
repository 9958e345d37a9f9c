"""A worker process: one call at a time, over a pipe of its own, so that its death harms no other worker.

The pools of the standard library, of pebble and of loky share one queue, whose lock is lost with the worker that holds
it; here a worker killed at any moment costs only the call that it was given.
"""

from __future__ import annotations

import ctypes
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import psutil

from .failure import Failure

Work = Callable[..., None]
Call = tuple[object, ...]  # its arguments

WALL_CLOCK_FACTOR = 10  # a call may take this many times its limit by the clock: other programs share the machine
START_S = 600  # before its call's clock runs, a process may take this long to start and to import its work
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_BEGAN = "began"  # what a worker sends before it runs a call; after it, it sends the call's failure or None


class Worker:
    """A process, started when first needed and again after its death (spawned: native libraries start clean).

    Attributes:
        index: number of the call that it is running; None while idle.
    """

    def __init__(self, threads: int, environment: dict[str, str] | None = None) -> None:
        self.index: int | None = None
        self._settings = (threads, environment or {})
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None
        self._clock_start = self._processor_start = 0.0

    def give(self, index: int, work: Work, call: Call) -> None:
        """Start ``work(*call)`` in the process."""
        if self._process is None or not self._process.is_alive():
            self._start()
        assert self._pipe is not None
        self.index = index
        self._clock_start, self._processor_start = time.monotonic() + START_S, math.inf
        with suppress(OSError):  # it has died: outcome() reports that
            self._pipe.send((work, call))

    def handles(self) -> list[Connection | int]:
        """What to pass to ``multiprocessing.connection.wait`` to wait for its call."""
        assert self._process is not None
        assert self._pipe is not None
        return [self._pipe, self._process.sentinel]

    def outcome(self, limit_s: float | None) -> tuple[bool, Failure | None]:
        """Whether its call has ended, and how; ends a call that is over its limit.

        Args:
            limit_s: seconds of processor time, with its child processes'; clock time depends on the machine's load.
        """
        assert self._process is not None
        assert self._pipe is not None
        try:
            while self._pipe.poll():
                message = self._pipe.recv()
                if message != _BEGAN:
                    self.index = None
                    return True, message
                self._clock_start, self._processor_start = time.monotonic(), self._processor_seconds()
        except (EOFError, OSError):
            self._process.join(10)
        if not self._process.is_alive():
            code = self._process.exitcode
            self.end()
            return True, Failure.crash(f"Its process died (exit code {code})", "ProcessDied")
        if limit_s is not None and (text := self._over(limit_s)):
            self.end()
            return True, Failure.timeout(text)
        return False, None

    def _over(self, limit_s: float) -> str | None:
        if self._processor_seconds() - self._processor_start > limit_s:
            return f"Took over {limit_s:g} s of processor time"
        if time.monotonic() - self._clock_start > WALL_CLOCK_FACTOR * limit_s:
            return f"Took over {WALL_CLOCK_FACTOR * limit_s:g} s, though less than {limit_s:g} s of processor time"
        return None

    def _processor_seconds(self) -> float:
        assert self._process is not None
        with suppress(psutil.Error):
            return processor_seconds(psutil.Process(self._process.pid))
        return 0.0

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, os.getpid(), *self._settings), daemon=False)
        process.start()
        self._process = process  # only now: Ctrl-C may interrupt the start
        theirs.close()  # so that its death closes the pipe

    def finish(self) -> None:
        """Let an idle process exit."""
        if self._process is not None and self._pipe is not None:
            self._pipe.close()
            self._process.join(10)
        self.end()

    def end(self) -> None:
        """Kill the process and all its descendants."""
        self.index = None
        if self._process is not None and self._process.pid is not None:
            end_with_descendants(self._process.pid)
            self._process.join()
        if self._pipe is not None:
            self._pipe.close()
        self._process = self._pipe = None


def _serve(pipe: Connection, parent: int, threads: int, environment: dict[str, str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.environ.update(environment)
    limit_threads(threads)
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    with suppress(BrokenPipeError):  # the parent has ended
        while True:
            try:
                work, call = pipe.recv()
            except (EOFError, OSError):
                return  # there are no more calls
            except Exception as error:  # the work cannot be imported here
                pipe.send(Failure.of(error))
                continue
            pipe.send(_BEGAN)
            pipe.send(_failure(work, call))


def _failure(work: Work, call: Call) -> Failure | None:
    try:
        work(*call)
    except Exception as error:
        return Failure.of(error)
    return None


def end_with(parent: int) -> None:
    """End this process once its parent has ended, for whatever reason: nobody is left to publish its result."""
    ask_for_signal(signal.SIGKILL)  # also while a native library holds Python's lock
    while os.getppid() == parent:
        time.sleep(0.5)
    end_with_descendants(os.getpid())


def ask_for_signal(number: int) -> None:
    """Have Linux send this process the signal ``number`` when its parent has ended."""
    if sys.platform == "linux":
        with suppress(OSError):
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)


def end_with_descendants(pid: int) -> None:
    """Kill a process and all its descendants."""
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for each in (*process.children(recursive=True), process):
            with suppress(psutil.Error):
                each.kill()


def processor_seconds(process: psutil.Process) -> float:
    """Seconds of processor time of a process and of its children, running and ended."""
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children(recursive=True):
        with suppress(psutil.Error):
            each = child.cpu_times()
            total += each.user + each.system + each.children_user + each.children_system
    return float(total)


def usable_cores() -> int:
    """Number of cores that this process may use, by its affinity and its control group's quota."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def limit_threads(threads: int) -> None:
    """Limit the thread pools of numeric libraries that this process has not loaded yet."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(threads)
