"""Rate limits for each host, over threads and processes."""

from __future__ import annotations

import errno
import multiprocessing
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flythrough.acquire.config import Download
from flythrough.acquire.failures import FetchError
from flythrough.acquire.fetch.download import Fetcher
from flythrough.acquire.fetch.hosts import Host
from flythrough.acquire.urls import host_name
from flythrough.errors import DiskError
from tests.acquire.http_server import Page, Server, serve

FAST = Download(backoff_s=0.01, backoff_max_s=5, stall_timeout_s=20, attempts=4, per_host=8,
                private_hosts=("127.0.0.1",))  # fmt: skip
BODY = b"\x00\x00\x00\x18ftyp" + random.Random(7).randbytes(1_500_000)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def _child(url: str, hosts: Path, target: Path, settings: Download = FAST) -> None:
    Fetcher(settings, hosts).fetch(url, target)


def test_a_pause_holds_for_all_workers(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY)
    Host(tmp_path / "hosts", server.url("/").split("/")[2], FAST).pause(0.7)
    began = time.monotonic()
    _child(server.url("/a.mp4"), tmp_path / "hosts", tmp_path / "got")
    assert server.requests[0][0] - began >= 0.65


def test_per_host_limit_holds_over_processes_and_requests_keep_their_distance(server: Server, tmp_path: Path) -> None:
    settings = FAST.model_copy(update={"per_host": 2, "requests_per_s": 20.0})
    context = multiprocessing.get_context("fork")
    processes = []
    for n in range(8):
        server.pages[f"/{n}.mp4"] = Page(BODY[:200_000], delay_s=0.02)
        arguments = (server.url(f"/{n}.mp4"), tmp_path / "hosts", tmp_path / f"got{n}", settings)
        processes.append(context.Process(target=_child, args=arguments))
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert server.most_open == 2
    times = sorted(at for at, _, _ in server.requests)
    assert len(times) == 8
    assert times[-1] - times[0] >= 7 / 20 * 0.9


def test_requests_keep_a_distance_longer_than_the_longest_wait(tmp_path: Path) -> None:
    host = Host(tmp_path, "h", FAST.model_copy(update={"requests_per_s": 5.0, "backoff_max_s": 0.01}))
    began = time.monotonic()
    for _ in range(3):
        with host.connection():
            pass
    assert time.monotonic() - began >= 0.38


def test_a_pause_holds_for_those_who_wait_already(tmp_path: Path) -> None:
    host = Host(tmp_path, "h", FAST.model_copy(update={"requests_per_s": 1.0}))
    began: list[float] = []

    def one() -> None:
        with host.connection():
            began.append(time.monotonic())

    one()
    waiting = threading.Thread(target=one)
    waiting.start()
    time.sleep(0.1)
    paused = time.monotonic()
    host.pause(1.4)
    waiting.join()
    assert began[1] - paused >= 1.38


def test_a_host_that_wants_to_be_left_alone_is_not_asked_for_the_next_file(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, statuses=[(429, {"Retry-After": "3600"})])
    server.pages["/b.mp4"] = Page(BODY)
    for path in ("/a.mp4", "/b.mp4"):
        with pytest.raises(FetchError) as caught:
            _child(server.url(path), tmp_path / "hosts", tmp_path / "got")
        assert caught.value.kind == "rate-limited"
    assert (server.hits("/a.mp4"), server.hits("/b.mp4")) == (1, 0)


@pytest.mark.parametrize("use", [lambda host: host.connection().__enter__(), lambda host: host.pause(1)])
def test_a_disk_that_cannot_be_written_is_an_error_with_a_remedy(tmp_path: Path, use: Callable[[Host], None]) -> None:
    host = Host(tmp_path, "h", FAST)
    (tmp_path / "h").rmdir()
    (tmp_path / "h").touch()  # as a full disk would, this refuses every file below
    with pytest.raises(DiskError, match="Not a directory"):
        use(host)
    with pytest.raises(DiskError):
        Host(tmp_path, "h", FAST)


def test_what_a_connection_is_used_for_keeps_its_own_errors(tmp_path: Path) -> None:
    with pytest.raises(PermissionError), Host(tmp_path, "h", FAST).connection():
        raise PermissionError(errno.EACCES, "refused")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://youtu.be/dQw4w9WgXcQ", "youtube.com"),
        ("https://m.youtube.com/watch?v=dQw4w9WgXcQ", "youtube.com"),
        ("https://www.youtube.com/@somebody", "youtube.com"),
        ("http://me:secret@Host.example:8080/a.mp4", "host.example:8080"),
    ],
)
def test_names_of_hosts(url: str, name: str) -> None:
    assert host_name(url) == name
