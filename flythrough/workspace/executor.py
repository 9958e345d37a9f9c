"""Executors: where tasks run. They only schedule; every one of them runs every task and collects every failure."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass
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
        by_cores = int((os.cpu_count() or 1) / resources.cpus)
        by_memory = int(psutil.virtual_memory().available / 2**30 / resources.memory_gb)
        return max(1, min(by_cores, by_memory))

    def run(
        self, work: Work, calls: Sequence[tuple[Any, ...]], resources: Resources
    ) -> Iterator[tuple[int, Failure | None]]:
        import multiprocessing

        from pebble import ProcessPool

        workers = min(self.count(resources), max(1, len(calls)))
        context = multiprocessing.get_context("spawn")
        threads = self.threads or max(1, int((os.cpu_count() or 1) / workers))
        with ProcessPool(workers, context=context, initializer=_start_worker, initargs=(threads,)) as pool:
            pending: dict[Any, int] = {}
            waiting = iter(enumerate(calls))
            try:
                while True:
                    for index, call in waiting:  # a bounded queue keeps memory flat in the number of tasks
                        pending[pool.schedule(work, args=call, timeout=resources.time_limit_s)] = index
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
    if isinstance(error, TimeoutError):
        return Failure("timeout", f"Took over {resources.time_limit_s:g} s", "TimeoutError", TIMEOUT_REMEDY)
    if isinstance(error, ProcessExpired):
        return Failure("crash", f"Its process died (exit code {error.exitcode})", "ProcessExpired", CRASH_REMEDY)
    return None if error is None else Failure.of(error)


def _start_worker(threads: int) -> None:
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    limit_threads(threads)


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
