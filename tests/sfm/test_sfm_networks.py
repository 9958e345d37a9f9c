"""Each worker loads a depth network once, however many clips it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from flythrough.workspace.executor import LocalExecutor
from flythrough.workspace.stage import Resources
from tests.sfm import network_work


@pytest.mark.parametrize("workers", [1, 2])
def test_each_worker_loads_its_network_once(tmp_path: Path, workers: int) -> None:
    calls = [(number, str(tmp_path)) for number in range(6)]
    found = dict(LocalExecutor(workers).run(network_work.work, calls, Resources(memory_gb=0.2)))
    assert found == dict.fromkeys(range(6))
    loads = (tmp_path / "loads").read_text().split()
    worked = {(tmp_path / str(number)).read_text() for number in range(6)}
    assert len(worked) == workers
    assert sorted(loads) == sorted(worked)
