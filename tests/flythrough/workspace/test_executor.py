"""Every executor runs every task and collects every failure, alike."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

import tests.flythrough.workspace.toy_work as toy_work
from flythrough.errors import InputError
from flythrough.workspace.executor import Executor, InlineExecutor, LocalExecutor, RayExecutor
from flythrough.workspace.stage import Resources
from flythrough.workspace.worker import usable_cores

BEHAVIOURS = ["fine", "raise", "fine", "die", "fine", "hang", "bug", "timeout", "fine"]


@pytest.fixture(params=["local", "ray"])
def executor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Executor]:
    if request.param == "local":
        yield LocalExecutor(workers=2)
        return
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))  # Ray's workers import toy_work by name
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, configure_logging=False)
    yield RayExecutor()
    ray.shutdown()


def test_failures_are_collected_and_the_others_go_on(executor: Executor, tmp_path: Path) -> None:
    calls = [(number, str(tmp_path), behaviour) for number, behaviour in enumerate(BEHAVIOURS)]
    found = dict(executor.run(toy_work.work, calls, Resources(memory_gb=0.2, time_limit_s=3)))
    assert sorted(found) == list(range(len(BEHAVIOURS)))
    kinds = {BEHAVIOURS[index]: failure.kind for index, failure in found.items() if failure}
    assert kinds == {"raise": "input", "die": "crash", "hang": "timeout", "bug": "bug", "timeout": "bug"}
    assert {path.name for path in tmp_path.iterdir()} == {"0", "2", "4", "8"}
    assert all(path.read_text() != str(os.getpid()) for path in tmp_path.iterdir())
    refusal, bug = found[1], found[6]
    assert refusal is not None
    assert (refusal.message, refusal.remedy) == ("number 1 is odd", "Use another")
    assert bug is not None
    assert (bug.message, bug.exception) == ("a b", "ZeroDivisionError")


def test_what_still_runs_is_ended_with_the_run(executor: Executor, tmp_path: Path) -> None:
    """As on Ctrl-C, which closes the generator."""
    calls = [(number, str(tmp_path), behaviour) for number, behaviour in enumerate(["fine", "endless"])]
    run = executor.run(toy_work.work, calls, Resources(memory_gb=0.2))
    assert isinstance(run, Generator)
    assert next(run) == (0, None)
    endless = tmp_path / "endless"
    while not (endless.exists() and endless.read_text()):
        time.sleep(0.05)
    work = psutil.Process(int(endless.read_text()))
    run.close()
    with suppress(psutil.NoSuchProcess):
        work.wait(20)
    assert not work.is_running()


def test_what_no_node_has_is_refused(executor: Executor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    with pytest.raises(InputError, match=r"A task needs .*GPU"):
        list(executor.run(toy_work.work, [(0, str(tmp_path), "fine")], Resources(memory_gb=0.2, gpus=2)))


def test_workers_share_out_the_gpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    calls = [(number, str(tmp_path), "gpu") for number in range(4)]
    found = dict(LocalExecutor(workers=4).run(toy_work.work, calls, Resources(memory_gb=0.2, gpus=1)))
    assert found == dict.fromkeys(range(4))
    assert {file.read_text() for file in tmp_path.iterdir()} == {"3", "5"}


def test_a_worker_killed_at_any_moment_costs_its_call_alone(tmp_path: Path) -> None:
    """Also in its first moments, while idle, and while it takes or answers a call."""
    calls = [(number, str(tmp_path), "slow") for number in range(40)]
    moments, done = random.Random(0), threading.Event()

    def kill_now_and_then() -> None:
        while not done.wait(moments.uniform(0, 0.6)):
            with suppress(psutil.Error, IndexError):
                workers = [each for each in psutil.Process().children() if "spawn_main" in " ".join(each.cmdline())]
                moments.choice(workers).kill()

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        found = dict(LocalExecutor(workers=2).run(toy_work.work, calls, Resources(memory_gb=0.2)))
    finally:
        done.set()
        killer.join()
    assert sorted(found) == list(range(40))
    assert {failure.kind for failure in found.values() if failure} == {"crash"}
    assert {int(file.name) for file in tmp_path.iterdir()} >= {
        number for number, failure in found.items() if not failure
    }


def test_a_ray_node_that_dies_half_way_costs_only_what_it_was_running(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what it cost runs on the other node afterwards."""
    ray = pytest.importorskip("ray", reason="the extra ray is not installed")
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[3]))
    node = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    cluster = Cluster(initialize_head=True, head_node_args={**node, "include_dashboard": False})
    try:
        other = cluster.add_node(**node)
        ray.init(address=cluster.address, log_to_driver=False, configure_logging=False)
        calls = [(number, str(tmp_path), "slow") for number in range(12)]
        found: dict[int, object] = {}
        for index, failure in RayExecutor().run(toy_work.work, calls, Resources(memory_gb=0.2)):
            found[index] = failure
            if len(found) == len(calls) // 2:
                cluster.remove_node(other, allow_graceful=False)
        lost = [calls[index] for index, failure in found.items() if failure]
        assert sorted(found) == list(range(len(calls)))
        assert len(lost) <= 2  # a task, and one that Ray had just sent there
        assert {int(file.name) for file in tmp_path.iterdir()} >= set(found) - {number for number, *_ in lost}
        assert not any(failure for _, failure in RayExecutor().run(toy_work.work, lost, Resources(memory_gb=0.2)))
        assert {int(file.name) for file in tmp_path.iterdir()} == set(found)
    finally:
        ray.shutdown()
        cluster.shutdown()


def test_inline_runs_here(tmp_path: Path) -> None:
    calls = [(0, str(tmp_path), "fine"), (1, str(tmp_path), "raise")]
    found = dict(InlineExecutor().run(toy_work.work, calls, Resources()))
    assert found[0] is None
    assert found[1] is not None
    assert (tmp_path / "0").read_text() == str(os.getpid())


def test_workers_fit_cores_and_memory() -> None:
    assert LocalExecutor().count(Resources(cpus=1000)) == 1
    assert LocalExecutor().count(Resources(memory_gb=1e6)) == 1
    assert LocalExecutor(workers=5).count(Resources(memory_gb=1e6)) == 5


@pytest.mark.parametrize("limit", [None, 0.5])
def test_limits_count_processor_time(tmp_path: Path, limit: float | None) -> None:
    """Waiting costs none; a TimeoutError that a task raises itself is that task's failure, whatever the limit."""
    calls = [(0, str(tmp_path), "wait"), (1, str(tmp_path), "timeout")]
    found = dict(LocalExecutor(workers=2).run(toy_work.work, calls, Resources(memory_gb=0.2, time_limit_s=limit)))
    assert found[0] is None
    assert found[1] is not None
    assert (found[1].kind, found[1].message) == ("bug", "the other side did not answer")


def test_cores_are_those_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3}, raising=False)
    assert usable_cores() == 1


@pytest.mark.parametrize(("tasks", "threads"), [(0, 8), (1, 8), (2, 4), (100, 1)])
def test_a_task_that_is_left_over_has_the_threads_that_it_had_among_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tasks: int, threads: int
) -> None:
    """Sums in float32 depend on the number of threads; tables must not depend on when a run was killed."""
    monkeypatch.setattr("flythrough.workspace.executor.usable_cores", lambda: 8)
    calls = [(0, str(tmp_path), "threads")]
    assert dict(LocalExecutor().run(toy_work.work, calls, Resources(memory_gb=0.01, tasks=tasks))) == {0: None}
    assert (tmp_path / "0").read_text() == str(threads)


@pytest.mark.parametrize(("quota", "cores"), [("max 100000", 8), ("150000 100000", 2), ("20000 100000", 1), ("", 8)])
def test_cores_are_those_that_the_control_group_grants(monkeypatch: pytest.MonkeyPatch, quota: str, cores: int) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)), raising=False)
    monkeypatch.setattr(Path, "read_text", lambda self: quota if self.name == "cpu.max" else "")
    assert usable_cores() == cores
