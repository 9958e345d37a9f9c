"""The run-wide budget."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flythrough.acquire.config import Budget
from flythrough.acquire.fetch.budget import ByteBudget, OverBudget
from flythrough.errors import DiskError
from tests.acquire.acquire_world import acquire, make_video, tables
from tests.acquire.http_server import Page, Server, serve


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.mark.parametrize(
    ("budget", "reason"),
    [({"videos": 2}, "budget: videos"), ({"gigabytes": 2.5e-5}, "budget: bytes"), ({"hours": 1e-9}, "budget: hours")],
)
def test_budget(tmp_path: Path, server: Server, budget: dict[str, float], reason: str) -> None:
    inputs = []
    for seed in range(4):
        data = make_video(tmp_path / "src.mp4", seed=seed, frames=12).read_bytes()
        server.pages[f"/{seed}.mp4"] = Page(data + b"\x00\x00\x27\x10free" + bytes(9992))  # 10 kB to spend
        inputs.append(server.url(f"/{seed}.mp4"))
    acquire(tmp_path / "w", inputs=inputs, budget=budget)
    found = tables(tmp_path / "w")
    assert {row["reason"] for row in found["drops"]} == {reason}
    assert len(found["videos"]) + len(found["drops"]) == 4
    assert 1 <= len(found["videos"]) <= 2
    acquire(tmp_path / "w", inputs=inputs)
    assert len(tables(tmp_path / "w")["videos"]) == 4
    assert all(server.hits(f"/{seed}.mp4") <= 2 for seed in range(4))


def test_the_budget_counts_what_was_not_announced_and_what_was_fetched_in_vain(tmp_path: Path, server: Server) -> None:
    inputs = []
    for seed in range(4):
        size = (64, 96) if seed == 0 else (96, 64)
        data = make_video(tmp_path / "src.mp4", seed=seed, frames=12, size=size).read_bytes()
        data += (10**6).to_bytes(4, "big") + b"free" + bytes(10**6 - 8)
        server.pages[f"/{seed}.mp4"] = Page(data, chunked=True)  # without a Content-Length
        inputs.append(server.url(f"/{seed}.mp4"))
    rules = {"apply_to": "all", "min_duration_s": 0, "min_width_px": 0, "min_height_px": 0}
    acquire(tmp_path / "w", inputs=inputs, rules=rules, budget={"gigabytes": 2.5e-3})
    found = tables(tmp_path / "w")
    assert [row["reason"] for row in found["drops"]] == ["not landscape", "budget: bytes"]  # at 1, 2 and 3 megabytes
    assert len(found["videos"]) == 2
    acquire(tmp_path / "w2", inputs=inputs, rules=rules, budget={"videos": 2})
    assert [row["reason"] for row in tables(tmp_path / "w2")["drops"]] == ["not landscape", "budget: videos"]


def test_workers_do_not_overspend_the_budget_together(tmp_path: Path) -> None:
    def spend(n: int) -> bool:
        try:
            ByteBudget(tmp_path, Budget(videos=5)).spend(f"v{n}", 1000, 10)
        except OverBudget:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(40))) == 5


def test_a_database_that_cannot_be_opened_is_a_disk_error(tmp_path: Path) -> None:
    (tmp_path / "acquire" / ".budget.sqlite").mkdir(parents=True)
    with pytest.raises(DiskError, match=r"\.budget\.sqlite: unable to open"):
        ByteBudget(tmp_path, Budget(videos=1)).spend("v", 1)
