"""Downloads from loopback side by side with curl, and reading a dataset's camera files. Run with ``make bench``.

At the size of ACID: ACQUIRE_BENCH_CLIPS=13000 pytest benchmarks/test_acquire_speed.py --benchmark-only -s
"""

from __future__ import annotations

import functools
import http.server
import multiprocessing
import os
import resource
import shutil
import statistics
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.side_by_side import record
from flythrough.acquire.config import Download
from flythrough.acquire.fetch.download import Fetcher
from flythrough.acquire.sources.camera_files import read_index
from flythrough.workspace.addresses import AddressKeys

FILES, MEGABYTES, ROUNDS = 6, 64, 5
CLIPS = int(os.environ.get("ACQUIRE_BENCH_CLIPS", "1300"))
LINES_A_CLIP = 162


class _Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def copyfile(self, source: Any, outputfile: Any) -> None:  # sendfile: the server must not be what is measured
        self.wfile.flush()
        size, at = os.fstat(source.fileno()).st_size, 0
        while at < size:
            at += os.sendfile(self.connection.fileno(), source.fileno(), at, size - at)

    def log_message(self, *arguments: object) -> None:
        pass


def _serve(folder: Path, port: multiprocessing.Queue[int]) -> None:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder)))
    port.put(server.server_port)
    server.serve_forever()


@pytest.fixture
def urls(tmp_path: Path) -> Iterator[list[str]]:
    site = tmp_path / "site"
    site.mkdir()
    for index in range(FILES):
        (site / f"{index}.mp4").write_bytes(os.urandom(MEGABYTES << 20))
    port: multiprocessing.Queue[int] = multiprocessing.Queue()
    server = multiprocessing.Process(target=_serve, args=(site, port), daemon=True)
    server.start()
    base = f"http://127.0.0.1:{port.get()}"
    yield [f"{base}/{index}.mp4" for index in range(FILES)]
    server.terminate()


def test_downloads_against_curl(benchmark: Any, urls: list[str], tmp_path: Path) -> None:
    """The same files, one after another, in alternating rounds: at least 0.8 of curl's throughput."""
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    fetcher, target = Fetcher(Download(private_hosts=("127.0.0.1",)), tmp_path / "hosts"), tmp_path / "out"
    curl_s: list[float] = []
    our_s: list[float] = []

    def curl() -> None:
        began = time.perf_counter()
        for url in urls:
            subprocess.run(["curl", "-sS", "-o", str(target), url], check=True)
            target.unlink()
        curl_s.append(time.perf_counter() - began)

    def ours() -> None:
        began = time.perf_counter()
        for url in urls:
            fetcher.fetch(url, target)
            target.unlink()
        our_s.append(time.perf_counter() - began)

    benchmark.pedantic(ours, setup=curl, rounds=ROUNDS, warmup_rounds=1)
    megabytes = FILES * MEGABYTES * 2**20 / 1e6
    ratio = statistics.median(curl_s) / statistics.median(our_s)
    figures = {"MB/s": megabytes / statistics.median(our_s), "curl MB/s": megabytes / statistics.median(curl_s)}
    what = f"downloading {FILES} files of {MEGABYTES} MB from loopback"
    benchmark.extra_info.update(figures, ratio=ratio, **record(what, our_s, {"curl": curl_s}))
    print(f"\n{figures['MB/s']:.0f} MB/s, curl {figures['curl MB/s']:.0f} MB/s: {ratio:.2f} x curl")
    assert ratio >= 0.8


def test_reading_camera_files(benchmark: Any, tmp_path: Path) -> None:
    """In a fresh process, as the command does it: every line read and checked, clips grouped by video."""
    lines = _write_dataset(tmp_path / "acid", CLIPS)
    figures: list[tuple[float, float, int]] = []

    def read() -> None:
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            figures.append(pool.apply(_read, (tmp_path / "acid",)))

    benchmark.pedantic(read, rounds=3)
    seconds, peak_mb, videos = (statistics.median(each) for each in zip(*figures, strict=True))
    benchmark.extra_info.update(clips=CLIPS, lines=lines, seconds=seconds, peak_mb=peak_mb)
    print(f"\n{CLIPS} clips of {videos} videos, {lines} lines: {seconds:.2f} s, peak {peak_mb:.0f} MB")
    assert seconds < 10
    assert peak_mb < 500


def _read(folder: Path) -> tuple[float, float, int]:
    began = time.perf_counter()
    index = read_index(folder, AddressKeys(folder.parent))
    seconds = time.perf_counter() - began
    assert len(index.clips) == CLIPS
    videos = len({clip.video_id for clip in index.clips.values()})
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, videos


def _write_dataset(root: Path, clips: int) -> int:
    """Write camera files as in ACID, 17 per video; returns their total number of lines."""
    rng = np.random.default_rng(0)
    poses = [" ".join(f"{value:.9f}" for value in pose) for pose in rng.normal(size=(4000, 12))]
    lengths = rng.integers(LINES_A_CLIP // 2, LINES_A_CLIP * 3 // 2, clips)
    for clip, length in enumerate(lengths.tolist()):
        file = root / ("train", "train", "train", "validation", "test")[clip % 5] / f"{clip * 2654435761:016x}.txt"
        file.parent.mkdir(parents=True, exist_ok=True)
        focal = 0.8 + 0.2 * rng.random()
        middle = f"{focal:.9f} {focal * 16 / 9:.9f} 0.500000000 0.500000000 0.000000000 0.000000000"
        start = int(rng.integers(0, 3 * 10**8))
        lines = [f"https://www.youtube.com/watch?v={clip // 17:011d}"]
        lines += [f"{start + n * 33367} {middle} {poses[(7 * clip + n) % 4000]}" for n in range(length)]
        file.write_text("\n".join(lines) + "\n")
    return int(lengths.sum())
