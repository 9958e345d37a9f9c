"""Many files at once, many failures, and kills at any moment."""

from __future__ import annotations

import hashlib
import logging
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from acquire_world import FAST, acquire, make_video, tables
from flythrough.acquire.download import Fetcher
from flythrough.acquire.failures import of_status
from flythrough.acquire.report import report
from http_server import Page, Server, serve

from flythrough.catalog import Workspace


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


def test_memory_is_flat_in_entries_that_fail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(self: Fetcher, url: str, target: Path) -> None:
        raise of_status(404, url)

    monkeypatch.setattr(Fetcher, "fetch", fetch)
    monkeypatch.setattr(logging.getLogger("flythrough"), "propagate", False)  # pytest would keep every record
    process = psutil.Process()
    rss = []
    for count in (100, 1500):
        (tmp_path / f"{count}.txt").write_text("".join(f"http://127.0.0.1:9/{n}.mp4\n" for n in range(count)))
        run = acquire(tmp_path / f"w{count}", inputs=[str(tmp_path / f"{count}.txt")])
        assert (run.failed, run.rows) == (count, 0)
        rss.append(process.memory_info().rss)
    assert (rss[1] - rss[0]) / 1400 < 12_000  # bytes an entry
    _, counts = report(Workspace(tmp_path / "w1500"))
    assert counts["errors"] == {"removed": 1500}
    assert counts["entries"] == 1500


def test_killed_at_any_moment_the_tables_come_out_the_same(server: Server, tmp_path: Path) -> None:
    inputs, bodies = [], {}
    for seed in range(5):
        data = make_video(tmp_path / "src.mp4", seed=seed, frames=12).read_bytes()
        data += (400_000).to_bytes(4, "big") + b"free" + random.Random(seed).randbytes(399_992)
        bodies[f"/{seed}.mp4"] = data
        server.pages[f"/{seed}.mp4"] = Page(data, delay_s=0.03)
        inputs += ["--input", server.url(f"/{seed}.mp4")]
    inputs += ["--input", server.url("/gone.mp4"), "--input", "file:///etc/passwd"]
    root = tmp_path / "killed"
    command = [sys.executable, "-c", "from flythrough.cli import main; main()", "acquire", "--workers", "1", *inputs]
    rng = random.Random(11)
    for _ in range(2):
        before = sum(server.sent.values())
        aim = before + rng.randrange(1, 700_000)
        process = subprocess.Popen(
            [*command, "-w", str(root)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while process.poll() is None and sum(server.sent.values()) < aim:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    done = subprocess.run([*command, "-w", str(root)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    for path, body in bodies.items():
        # whole, and fetched once, less what was still on its way into the killed process
        assert server.sent[path] < len(body) + 3 * 600_000
    found = tables(root)
    assert {row["sha256"] for row in found["videos"]} == {hashlib.sha256(b).hexdigest() for b in bodies.values()}
    asked = {path: [int(r[6:-1]) for _, p, r in server.requests if p == path and r] for path in bodies}
    assert sum(map(len, asked.values())) >= 1  # something was resumed
    acquire(tmp_path / "calm", inputs=[text for text in inputs if text != "--input"])
    calm = tables(tmp_path / "calm")
    for name in ("videos", "drops", "errors"):
        assert [strip(row) for row in found[name]] == [strip(row) for row in calm[name]]


def strip(row: dict[str, object]) -> dict[str, object]:
    """Without the time of the download."""
    return {name: value for name, value in row.items() if name != "fetched"}
