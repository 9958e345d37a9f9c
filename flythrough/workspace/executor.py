"""Executors: where tasks run. They only schedule; every one of them runs every task and collects every failure."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from multiprocessing.connection import wait
from typing import Protocol, runtime_checkable

import psutil

from ..errors import InputError, extras_named
from .failure import Failure
from .stage import Resources
from .worker import Call, Work, Worker, usable_cores

_CHECK_S = 0.2  # how often time limits are looked at


@runtime_checkable
class Executor(Protocol):
    """Runs ``work(*arguments)`` for each call; yields ``(index, failure or None)`` as calls end.

    A call whose process dies is a failure of kind "crash", one over its time limit of kind "timeout"; the
    others go on. ``work`` must be importable by name; its return value is not carried: results go to files.
    """

    def run(self, work: Work, calls: Sequence[Call], resources: Resources) -> Iterator[tuple[int, Failure | None]]:
        """Call ``work`` with each of ``calls``; yields the index of each that has ended, with its failure or None."""


class InlineExecutor:
    """One task after another in this process; for stages that use the whole machine, and for debugging."""

    def run(self, work: Work, calls: Sequence[Call], resources: Resources) -> Iterator[tuple[int, Failure | None]]:
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
        self.threads = threads  # per worker; by default the cores are divided among workers

    def count(self, resources: Resources) -> int:
        """Number of workers that the cores and the free memory allow, at least one."""
        return self._count(resources, psutil.virtual_memory().available)

    def _count(self, resources: Resources, memory: int) -> int:
        if self.workers is not None:
            return self.workers
        by_cores = int(usable_cores() / resources.cpus)
        return max(1, min(by_cores, int(memory / 2**30 / resources.memory_gb)))

    def run(self, work: Work, calls: Sequence[Call], resources: Resources) -> Iterator[tuple[int, Failure | None]]:
        gpus = _visible_gpus(resources)
        by_gpus = max(1, int(len(gpus) / resources.gpus)) if resources.gpus else len(calls)
        size = max(1, min(self.count(resources), len(calls), by_gpus))
        # by what does not change from run to run: neither the free memory nor the number of tasks left
        usual = self._count(resources, psutil.virtual_memory().total)
        sharing = min(usual, max(resources.tasks, len(calls)), *([by_gpus] if resources.gpus else []))
        threads = self.threads or max(1, int(usable_cores() / max(1, sharing)))
        each = max(1, int(resources.gpus))
        shares = [gpus[slot * each % len(gpus) :][:each] if gpus else [] for slot in range(size)]
        workers = [Worker(threads, {"CUDA_VISIBLE_DEVICES": ",".join(share)} if share else None) for share in shares]
        waiting = iter(enumerate(calls))
        try:
            for worker, (index, call) in zip(workers, waiting, strict=False):
                worker.give(index, work, call)
            while busy := [worker for worker in workers if worker.index is not None]:
                wait([handle for worker in busy for handle in worker.handles()], timeout=_CHECK_S)
                for worker in busy:
                    number = worker.index
                    assert number is not None
                    ended, failure = worker.outcome(resources.time_limit_s)
                    if not ended:
                        continue
                    if (following := next(waiting, None)) is not None:
                        worker.give(following[0], work, following[1])
                    yield number, failure
            for worker in workers:
                worker.finish()
        finally:
            for worker in workers:
                worker.end()


def _visible_gpus(resources: Resources) -> list[str]:
    """Names of the GPUs to divide among workers, as in ``CUDA_VISIBLE_DEVICES``; none if no task needs one.

    Raises:
        InputError: a task needs more than there are.
    """
    if not resources.gpus:
        return []
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        found = [name for name in named.split(",") if name.strip()]
    else:
        import torch

        found = [str(number) for number in range(torch.cuda.device_count())]
    if len(found) < resources.gpus:
        raise InputError(
            f"A task needs {resources.gpus:g} GPU, this machine shows {len(found)}",
            remedy="Set the stage's device to cpu, or its processes to the number of GPUs",
        )
    return found


class RayExecutor:
    """Tasks on a Ray cluster; the workspace must be on storage that every node mounts at the same path."""

    def __init__(self, address: str | None = None) -> None:
        self.address = address

    def run(self, work: Work, calls: Sequence[Call], resources: Resources) -> Iterator[tuple[int, Failure | None]]:
        with extras_named("The executor"):
            import ray
        if not ray.is_initialized():
            ray.init(address=self.address, include_dashboard=False, log_to_driver=False, configure_logging=False)
        remote = ray.remote(max_retries=0)(_ray_call).options(
            num_cpus=resources.cpus, num_gpus=resources.gpus, memory=int(resources.memory_gb * 2**30)
        )
        _refuse_infeasible(ray.cluster_resources(), resources)
        limit = 4 * max(1, int(ray.cluster_resources().get("CPU", 1)))
        pending: dict[object, int] = {}
        waiting = iter(enumerate(calls))
        threads = max(1, int(resources.cpus))
        try:
            while True:
                for index, call in waiting:  # a bounded queue keeps memory flat in the number of tasks
                    pending[remote.remote(work, call, threads, resources.time_limit_s)] = index
                    if len(pending) >= limit:
                        break
                if not pending:
                    return
                done, _ = ray.wait(list(pending), num_returns=1)
                for reference in done:
                    yield pending.pop(reference), _ray_failure(reference)
        finally:
            for reference in pending:  # after Ctrl-C, for example
                ray.cancel(reference, force=True)


def _refuse_infeasible(cluster: dict[str, float], resources: Resources) -> None:
    """Refuse a task that needs more than the whole cluster has: Ray itself would wait silently for nodes to join."""
    wanted = {"CPU": resources.cpus, "GPU": resources.gpus, "memory": resources.memory_gb * 2**30}
    for name, amount in wanted.items():
        if amount > cluster.get(name, 0):
            raise InputError(
                f"A task needs {name} {amount:g}; the whole Ray cluster has {cluster.get(name, 0):g}",
                remedy="Add a node that has it, or change the stage's device and processes",
            )


def _ray_call(work: Work, call: Call, threads: int, time_limit_s: float | None) -> Failure | None:
    """Run one call as the local executor does: in a child process that can be timed and may die."""
    local = LocalExecutor(workers=1, threads=threads)
    return next(iter(local.run(work, [call], Resources(time_limit_s=time_limit_s))))[1]


def _ray_failure(reference: object) -> Failure | None:
    import ray

    try:
        return ray.get(reference)
    except ray.exceptions.RayError as error:
        text = " ".join(str(error).split())[:300]
        return Failure.crash(f"Its Ray worker died: {text}", type(error).__name__)


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
