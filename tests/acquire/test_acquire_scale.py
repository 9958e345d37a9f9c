"""Many files at once, many failures, and kills at any moment."""

from __future__ import annotations

import hashlib
import logging
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from flythrough.acquire.failures import of_status
from flythrough.acquire.fetch.download import Fetcher
from flythrough.acquire.report import report
from flythrough.acquire.urls import url_id
from flythrough.workspace.catalog import Workspace
from tests.acquire.acquire_world import FAST, acquire, make_video, tables
from tests.acquire.http_server import Page, Server, serve


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def test_200_files_at_concurrency_8(server: Server, tmp_path: Path) -> None:
    rng = random.Random(5)
    bodies = [rng.randbytes(rng.randrange(1, 200_000)) for _ in range(200)]
    for index, body in enumerate(bodies):
        server.pages[f"/{index}.mp4"] = Page(body, cut_at=0.5 if index % 10 == 3 else None, delay_s=0.002)

    def fetch(index: int) -> bytes:
        Fetcher(FAST, tmp_path / "hosts").fetch(server.url(f"/{index}.mp4"), tmp_path / str(index))
        return (tmp_path / str(index)).read_bytes()

    with ThreadPoolExecutor(12) as pool:  # more workers than the host may see connections
        assert list(pool.map(fetch, range(200))) == bodies
    assert server.most_open <= 8
    assert all(server.sent[f"/{index}.mp4"] == len(body) for index, body in enumerate(bodies))


@pytest.mark.usefixtures("unchecked")  # its checks take longer than 10,000 entries
def test_memory_is_flat_in_entries_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(self: Fetcher, url: str, target: Path) -> None:
        raise of_status(404, url)

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)  # pytest would keep every record
    process = psutil.Process()
    rss = []
    for count in (100, 10_000):
        (tmp_path / f"{count}.txt").write_text("".join(f"http://127.0.0.1:9/{n}.mp4\n" for n in range(count)))
        run = acquire(tmp_path / f"w{count}", inputs=[str(tmp_path / f"{count}.txt")])
        assert (run.failed, run.rows) == (count, 0)
        rss.append(process.memory_info().rss)
    assert (rss[1] - rss[0]) / 9900 < 8_000  # bytes an entry: its row, and no more
    _, counts = report(Workspace(tmp_path / "w10000"))
    assert counts["errors"] == {"removed": 10_000}
    assert counts["entries"] == 10_000


def test_killed_20_times_the_tables_are_the_same_and_every_byte_came_once(server: Server, tmp_path: Path) -> None:
    inputs, bodies = [server.url("/gone.mp4"), "file:///etc/passwd"], {}
    for seed in range(5):
        data = make_video(tmp_path / "src.mp4", seed=seed, frames=12).read_bytes()
        data += (400_000).to_bytes(4, "big") + b"free" + random.Random(seed).randbytes(399_992)
        bodies[f"/{seed}.mp4"] = data
        server.pages[f"/{seed}.mp4"] = Page(data, delay_s=0.001, block=8192)
        inputs.append(server.url(f"/{seed}.mp4"))
    acquire(tmp_path / "calm", inputs=inputs)
    server.sent.clear()
    server.requests.clear()
    root = tmp_path / "killed"
    total = sum(map(len, bodies.values()))
    reached: dict[str, list[int]] = {path: [0] for path in bodies}
    rng = random.Random(11)
    context = multiprocessing.get_context("fork")
    for point in sorted(rng.randrange(total) for _ in range(20)):
        process = context.Process(target=acquire, args=(root,), kwargs={"inputs": inputs})
        process.start()
        while process.is_alive() and sum(arrived(root, server.url(path)) for path in bodies) < point:
            time.sleep(0.001)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        assert process.exitcode == -signal.SIGKILL
        for path, sizes in reached.items():
            sizes.append(arrived(root, server.url(path)))
    acquire(root, inputs=inputs)
    found, calm = tables(root), tables(tmp_path / "calm")
    assert {row["sha256"] for row in found["videos"]} == {hashlib.sha256(b).hexdigest() for b in bodies.values()}
    for name in ("videos", "drops", "errors"):
        assert [strip(row) for row in found[name]] == [strip(row) for row in calm[name]]
    for path, sizes in reached.items():  # no byte that had arrived was asked for again
        starts = [int(asked[6:-1]) if asked else 0 for _, at, asked in server.requests if at == path]
        assert starts == sorted(starts)
        assert set(starts) <= set(sizes)
    assert sum(asked is not None for _, _, asked in server.requests) >= 10


def arrived(root: Path, url: str) -> int:
    """Bytes of a video in the store, whether its download is finished or not."""
    sizes = [0]
    for name in ("direct.part", "direct", "video"):
        with suppress(FileNotFoundError):
            sizes.append((root / "acquire" / ".downloads" / url_id(url) / name).stat().st_size)
    return max(sizes)


def strip(row: dict[str, object]) -> dict[str, object]:
    """Without the time of the download."""
    return {name: value for name, value in row.items() if name != "fetched"}
