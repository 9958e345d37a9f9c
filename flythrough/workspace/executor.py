"""Executors: where tasks run. They only schedule; every one of them runs every task and collects every failure."""

from __future__ import annotations

import ctypes
import math
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil

from ..errors import FlythroughError, InputError, MissingDependency
from .stage import Resources


@dataclass(frozen=True)
class Failure:
    """Why a task gave no result; becomes a row of ``errors.parquet``."""

    kind: str
    message: str
    exception: str
    remedy: str

    @classmethod
    def of(cls, error: BaseException) -> Failure:
        """A failure as users read it: one line."""
        if isinstance(error, FlythroughError):
            return cls(error.kind, error.message, type(error).__name__, error.remedy)
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, MemoryError):
            return cls("memory", text, "MemoryError", "Use fewer --workers, or a machine with more memory")
        return cls("bug", text, type(error).__name__, "See the item's log in the workspace; please report it")


TIMEOUT_REMEDY = "Raise the stage's time limit in the config, then run again with --retry-errors"
CRASH_REMEDY = (
    "The process died (out of memory, or a crash in a library): run again with --retry-errors, fewer --workers"
)

WALL_CLOCK_FACTOR = 10  # a task may take so many times its limit by the clock: other work may share the machine
_OVER_LIMIT = 124  # exit code of a worker whose task took too much processor time, as timeout(1)'s
_PR_SET_PDEATHSIG = 1  # linux/prctl.h

Work = Callable[..., None]


class Executor(Protocol):
    """Runs ``work(*arguments)`` for each call; yields ``(index, failure or None)`` as calls end.

    A call whose process dies is a failure of kind "crash", one over its time limit of kind "timeout"; the
    others go on. ``work`` must be importable by name; its return value is not carried: results go to files.
    """

    def run(
        self, work: Work, calls: Sequence[tuple[Any, ...]], resources: Resources
    ) -> Iterator[tuple[int, Failure | None]]: ...


class InlineExecutor:
    """One task after another in this process; for stages that use the whole machine, and for debugging."""

    def run(
        self, work: Work, calls: Sequence[tuple[Any, ...]], resources: Resources
    ) -> Iterator[tuple[int, Failure | None]]:
        for index, call in enumerate(calls):
            try:
                work(*call)
            except Exception as error:
                yield index, Failure.of(error)
            else:
                yield index, None


class LocalExecutor:
    """Worker processes on this machine (spawned, so that native libraries start clean)."""

    def __init__(self, workers: int | None = None, threads: int | None = None) -> None:
        self.workers = workers
        self.threads = threads  # a worker; by default the cores are shared out

    def count(self, resources: Resources) -> int:
        """Workers that the cores and the free memory bear, at least one."""
        if self.workers is not None:
            return self.workers
        by_cores = int(usable_cores() / resources.cpus)
        by_memory = int(psutil.virtual_memory().available / 2**30 / resources.memory_gb)
        return max(1, min(by_cores, by_memory))

    def run(
        self, work: Work, calls: Sequence[tuple[Any, ...]], resources: Resources
    ) -> Iterator[tuple[int, Failure | None]]:
        import multiprocessing

        from pebble import ProcessPool

        workers = min(self.count(resources), max(1, len(calls)))
        context = multiprocessing.get_context("spawn")
        wall_clock = None if resources.time_limit_s is None else WALL_CLOCK_FACTOR * resources.time_limit_s
        threads = self.threads or max(1, int(usable_cores() / workers))
        with ProcessPool(workers, context=context, initializer=_start_worker, initargs=(threads, os.getpid())) as pool:
            pending: dict[Any, int] = {}
            waiting = iter(enumerate(calls))
            try:
                while True:
                    for index, call in waiting:  # a bounded queue keeps memory flat in the number of tasks
                        limited = (work, call, resources.time_limit_s)
                        pending[pool.schedule(_run_limited, args=limited, timeout=wall_clock)] = index
                        if len(pending) >= 4 * workers:
                            break
                    if not pending:
                        return
                    done, _ = wait(pending, return_when=FIRST_COMPLETED)
                    for future in done:
                        yield pending.pop(future), _local_failure(future, resources)
            except BaseException:
                pool.stop()
                raise


def _local_failure(future: Any, resources: Resources) -> Failure | None:
    from pebble import ProcessExpired

    error = future.exception()
    limit = resources.time_limit_s
    if isinstance(error, ProcessExpired) and error.exitcode == _OVER_LIMIT and limit is not None:
        return Failure("timeout", f"Took over {limit:g} s of processor time", "TimeoutError", TIMEOUT_REMEDY)
    # A task's own TimeoutError arrives with the traceback of its process; the pool's has none.
    if isinstance(error, TimeoutError) and error.__cause__ is None and limit is not None:
        text = f"Took over {WALL_CLOCK_FACTOR * limit:g} s, though less than {limit:g} s of processor time"
        return Failure("timeout", text, "TimeoutError", TIMEOUT_REMEDY)
    if isinstance(error, ProcessExpired):
        return Failure("crash", f"Its process died (exit code {error.exitcode})", "ProcessExpired", CRASH_REMEDY)
    return None if error is None else Failure.of(error)


def _start_worker(threads: int, parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    limit_threads(threads)
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    """End this process when the one that started it has ended, however that was: nobody is left to publish for."""
    if sys.platform == "linux":
        with suppress(OSError):  # also while a native library holds Python's lock
            ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    while os.getppid() == parent:
        time.sleep(0.5)
    _end_now(1)


def _end_now(code: int) -> None:
    """End this process and all it started, at once."""
    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
    os._exit(code)


def _run_limited(work: Work, call: tuple[Any, ...], limit_s: float | None) -> None:
    """Run a call; the process ends where it takes more processor time than the limit, its children's included.

    Processor time, because on a busy machine the same work takes any time by the clock.
    """
    if limit_s is None:
        return work(*call)
    done = threading.Event()
    watch = threading.Thread(target=_watch, args=(done, _processor_time() + limit_s), daemon=True)
    watch.start()
    try:
        work(*call)
    finally:
        done.set()
        watch.join()


def _watch(done: threading.Event, until: float) -> None:
    while not done.wait(0.2):
        if _processor_time() > until:
            _end_now(_OVER_LIMIT)


def _processor_time() -> float:
    """Seconds of processor time of this process, its ended children and its running ones."""
    total = sum(os.times()[:4])
    with suppress(psutil.Error):
        for child in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                times = child.cpu_times()
                total += times.user + times.system
    return total


def usable_cores() -> int:
    """Cores that this process may use: its affinity and its control group's quota count, where there are any."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        if quota != "max":
            cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(1, cores)


def limit_threads(threads: int) -> None:
    """Cap the thread pools of the numeric libraries that this process has yet to load."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(threads)


class RayExecutor:
    """Tasks on a Ray cluster; the workspace must be on storage that every node mounts at the same path."""

    def __init__(self, address: str | None = None) -> None:
        self.address = address

    def run(
        self, work: Work, calls: Sequence[tuple[Any, ...]], resources: Resources
    ) -> Iterator[tuple[int, Failure | None]]:
        try:
            import ray
        except ImportError as error:
            raise MissingDependency("Ray is not installed", remedy="pip install 'flythrough[ray]'") from error
        if not ray.is_initialized():
            ray.init(address=self.address, include_dashboard=False, log_to_driver=False, configure_logging=False)
        remote = ray.remote(max_retries=0)(_ray_call).options(
            num_cpus=resources.cpus, num_gpus=resources.gpus, memory=int(resources.memory_gb * 2**30)
        )
        limit = 4 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        pending: dict[Any, int] = {}
        waiting = iter(enumerate(calls))
        threads = max(1, int(resources.cpus))
        while True:
            for index, call in waiting:
                pending[remote.remote(work, call, threads, resources.time_limit_s)] = index
                if len(pending) >= limit:
                    break
            if not pending:
                return
            done, _ = ray.wait(list(pending), num_returns=1)
            for reference in done:
                yield pending.pop(reference), _ray_failure(reference)


def _ray_call(work: Work, call: tuple[Any, ...], threads: int, time_limit_s: float | None) -> Failure | None:
    """Run one call under the same roof as locally: a child process that can be timed and can die."""
    local = LocalExecutor(workers=1, threads=threads)
    return next(iter(local.run(work, [call], Resources(time_limit_s=time_limit_s))))[1]


def _ray_failure(reference: Any) -> Failure | None:
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        text = " ".join(str(error).split())[:300]
        return Failure("crash", f"Its Ray worker died: {text}", type(error).__name__, CRASH_REMEDY)


def make_executor(name: str, *, workers: int | None = None, ray_address: str | None = None) -> Executor:
    """The executor called ``name``: local, ray or inline.

    Raises:
        InputError: there is none of that name.
    """
    match name:
        case "local":
            return LocalExecutor(workers)
        case "ray":
            return RayExecutor(ray_address)
        case "inline":
            return InlineExecutor()
    raise InputError(f"There is no executor {name!r}", remedy="--executor takes one of: local, ray, inline")
