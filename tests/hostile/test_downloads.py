"""Malicious servers and lists: private addresses, endless bodies, pauses of a year, tokens in URLs."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from flythrough.acquire.config import Download
from flythrough.acquire.failures import FetchError
from flythrough.acquire.fetch import watch
from flythrough.acquire.fetch.download import Fetcher
from flythrough.acquire.fetch.guard import is_public
from flythrough.acquire.fetch.hosts import Host
from flythrough.acquire.fetch.web import retry_after_s
from flythrough.errors import InputError
from flythrough.workspace.addresses import AddressKeys, public_url, redact, stored_mark
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.inputs import remember_inputs
from tests.acquire.acquire_world import acquire, make_video, tables
from tests.acquire.http_server import Page, Server, serve

BODY = b"\x00\x00\x00\x18ftyp" + random.Random(7).randbytes(1_500_000)
FAST = Download(backoff_s=0.01, backoff_max_s=1, attempts=2, private_hosts=("127.0.0.1",))
TOKEN = "s3cr3tT0ken"
MAIN = "from flythrough.cli.app import main; main()"


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.9.9.9", "0.0.0.0", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "::1",
        "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "fe80::1%eth0", "::ffff:10.0.0.1", "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::", "224.0.0.1",
    ],
)  # fmt: skip
def test_loopback_private_and_metadata_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8"])
def test_others_are_public(address: str) -> None:
    assert is_public(address)


def test_a_private_address_is_refused_unless_it_is_named(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY)
    with pytest.raises(FetchError, match="private network: refused"):
        Fetcher(Download(), tmp_path / "hosts").fetch(server.url("/a.mp4"), tmp_path / "got")
    assert server.requests == []
    Fetcher(FAST, tmp_path / "hosts").fetch(server.url("/a.mp4"), tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == BODY


@pytest.mark.parametrize("hops", [1, 3])
@pytest.mark.parametrize("target", ["http://127.0.0.2:{port}/a.mp4", "http://169.254.169.254/latest", "http://[::1]/"])
def test_redirects_to_private_addresses_are_refused_at_every_hop(
    server: Server, tmp_path: Path, target: str, hops: int
) -> None:
    for hop in range(hops - 1):
        server.pages[f"/{hop}.mp4"] = Page(location=server.url(f"/{hop + 1}.mp4"))
    server.pages[f"/{hops - 1}.mp4"] = Page(location=target.format(port=server.httpd.server_port))
    with pytest.raises(FetchError, match="private network: refused"):
        Fetcher(FAST, tmp_path / "hosts").fetch(server.url("/0.mp4"), tmp_path / "got")
    assert len(server.requests) == hops


def test_a_name_is_judged_by_the_address_that_it_resolves_to(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo

    def lied(host: Any, *arguments: Any, **named: Any) -> Any:
        return resolve("127.0.0.2" if host == "films.example" else host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", lied)
    with pytest.raises(FetchError, match=r"leads to 127\.0\.0\.2"):
        Fetcher(FAST, tmp_path / "hosts").fetch(
            f"http://films.example:{server.httpd.server_port}/a.mp4", tmp_path / "got"
        )
    assert server.requests == []


def test_platforms_are_held_to_the_same(server: Server, tmp_path: Path) -> None:
    from flythrough.acquire.fetch.platforms import fetch

    pytest.importorskip("yt_dlp")
    server.pages["/page"] = Page(location=f"http://127.0.0.2:{server.httpd.server_port}/a.mp4")
    with pytest.raises(FetchError, match="private network: refused"):
        fetch(server.url("/page"), tmp_path, FAST, lambda info: None, lambda size: None)
    assert {path for _, path, _ in server.requests} == {"/page"}


def test_an_endless_slow_body_ends_and_is_resumed(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, delay_s=0.05, block=20_000)
    with pytest.raises(FetchError, match=r"took longer than 0\.5 s"):
        Fetcher(FAST.model_copy(update={"time_limit_s": 0.5}), tmp_path / "hosts").fetch(
            server.url("/a.mp4"), tmp_path / "got"
        )
    assert server.hits("/a.mp4") == 1
    server.pages["/a.mp4"].delay_s = 0
    Fetcher(FAST, tmp_path / "hosts").fetch(server.url("/a.mp4"), tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == BODY
    assert server.requests[1][2] is not None


def test_the_time_limit_holds_over_all_tries(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, most=70_000)  # each try brings enough to be tried again
    settings = FAST.model_copy(update={"time_limit_s": 0.3, "backoff_s": 0.1, "backoff_max_s": 0.1})
    with pytest.raises(FetchError):
        Fetcher(settings, tmp_path / "hosts").fetch(server.url("/a.mp4"), tmp_path / "got")
    assert server.hits("/a.mp4") < 10


def test_a_body_without_a_length_ends_where_the_budget_does(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "_STEP", 100_000)
    server.pages["/a.mp4"] = Page(BODY, chunked=True, block=10_000, delay_s=0.001)
    acquire(tmp_path / "w", inputs=[server.url("/a.mp4")], budget={"gigabytes": 3e-4})
    assert [row["reason"] for row in tables(tmp_path / "w")["drops"]] == ["budget: bytes"]
    assert server.sent["/a.mp4"] < len(BODY)


def test_failed_downloads_count_into_the_byte_budget(server: Server, tmp_path: Path) -> None:
    film = make_video(tmp_path / "src.mp4", frames=12).read_bytes()
    server.pages["/bad.mp4"] = Page(BODY, cut_at=0.5, cuts=99, ranges=False)  # 0.75 MB a try, all of it in vain
    server.pages["/good.mp4"] = Page(film)
    inputs = [server.url("/bad.mp4"), server.url("/good.mp4")]
    acquire(tmp_path / "w", inputs=inputs, budget={"gigabytes": 1.6e-3})
    assert [row["kind"] for row in tables(tmp_path / "w")["errors"]] == ["network"]
    assert len(tables(tmp_path / "w")["videos"]) == 0 or server.sent["/bad.mp4"] + len(film) <= 1.6e6
    acquire(tmp_path / "w", inputs=inputs, budget={"gigabytes": 1.6e-3}, retry_errors=True)
    assert [row["reason"] for row in tables(tmp_path / "w")["drops"]] == ["budget: bytes"] * 2


def test_a_pause_of_a_year_is_an_hour(tmp_path: Path) -> None:
    host = Host(tmp_path, "h", FAST)
    host.pause(365 * 86400.0)
    host.pause(float("inf"))
    (note,) = (tmp_path / "h").glob("next-*")
    assert float(note.read_text()) <= time.monotonic() + 3600
    assert retry_after_s({"Retry-After": "9" * 400}) is not None


def test_a_clock_set_back_leaves_a_pause_as_long_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(tmp_path, "h", FAST)
    host.pause(0.2)
    began = time.monotonic()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 86400)
    with host.connection():
        waited = time.monotonic() - began
    assert 0.15 <= waited < 60


def test_a_date_to_wait_for_is_by_the_clock_of_the_server() -> None:
    headers = {"Date": "Wed, 21 Oct 2015 07:28:00 GMT", "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT"}
    assert retry_after_s(headers) == 30


@pytest.mark.parametrize(
    ("url", "public"),
    [
        (f"https://user:{TOKEN}@h.example:81/a/b.mp4?sig={TOKEN}&x=1#f", "https://h.example:81/a/b.mp4"),
        (f"https://h.example/a.mp4?{TOKEN}", "https://h.example/a.mp4"),
        (f"https://www.youtube.com/watch?v=dQw4w9WgXcQ&si={TOKEN}", "https://www.youtube.com/watch?v=dQw4w9WgXcQ"),
        ("https://www.youtube.com/playlist?list=PL1", "https://www.youtube.com/playlist?list=PL1"),
        (f"https://[broken/?{TOKEN}", "https://[broken/"),
    ],
)
def test_public_urls(url: str, public: str) -> None:
    assert public_url(url) == public
    assert redact(f"cannot open <{url}>, sorry.") == f"cannot open <{public}>, sorry."


def test_stored_addresses_are_recognised_and_the_digest_is_keyed(tmp_path: Path) -> None:
    first, second = AddressKeys(tmp_path), AddressKeys(tmp_path)
    url = f"https://h.example/a.mp4?sig={TOKEN}"
    assert first.storable(url) == second.storable(url)
    assert stored_mark(first.storable(url)) == first.mark(url)
    (tmp_path / "other").mkdir()
    assert AddressKeys(tmp_path / "other").mark(url) != first.mark(url)
    assert first.storable("https://h.example/a.mp4") == "https://h.example/a.mp4"
    assert (tmp_path / ".address-key").stat().st_mode & 0o777 == 0o600


def test_processes_that_start_together_agree_on_one_key(tmp_path: Path) -> None:
    url, barrier = f"https://h.example/a.mp4?sig={TOKEN}", threading.Barrier(8)

    def mark(_: int) -> str | None:
        barrier.wait()
        return AddressKeys(tmp_path).mark(url)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(mark, range(8)))) == 1


def test_a_kill_leaves_no_key_rather_than_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"https://h.example/a.mp4?sig={TOKEN}"

    def killed(size: int) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("secrets.token_bytes", killed)
        with pytest.raises(KeyboardInterrupt):
            AddressKeys(tmp_path).mark(url)
    assert not (tmp_path / ".address-key").exists()
    AddressKeys(tmp_path).mark(url)
    (tmp_path / ".address-key").write_bytes(b"")  # as an earlier version may have left it
    with pytest.raises(InputError, match="0 bytes") as error:
        AddressKeys(tmp_path).mark(url)
    assert "delete it" in error.value.remedy


def test_names_with_line_breaks_are_remembered(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    names = [str(tmp_path / name) for name in ("a\nb.mp4", "c\u2028d.mp4", "🌊.mp4", "e.mp4")]
    assert remember_inputs(workspace, names) == names
    assert remember_inputs(workspace, []) == names


def test_no_file_of_a_workspace_holds_a_token(server: Server, tmp_path: Path) -> None:
    for seed, name in enumerate(("good", "listed", "target")):
        server.pages[f"/{name}.mp4"] = Page(make_video(tmp_path / "src.mp4", seed=seed, frames=30).read_bytes())
    server.pages["/moved.mp4"] = Page(location=server.url(f"/target.mp4?hop={TOKEN}"))
    server.pages["/away.mp4"] = Page(location=f"http://127.0.0.2/{TOKEN[:0]}a.mp4?hop={TOKEN}")
    server.pages["/broken.mp4"] = Page(b"\x00\x00\x00\x18ftyp" + bytes(100))
    secret = server.url("/good.mp4").replace("//", f"//user:{TOKEN}@") + f"?sig={TOKEN}"
    (tmp_path / "list.txt").write_text(f"{server.url(f'/listed.mp4?sig={TOKEN}')}\nftp://me:{TOKEN}@h/x?{TOKEN}\n")
    inputs = [secret, str(tmp_path / "list.txt"), f"http://127.0.0.1:9/closed.mp4?a={TOKEN}", f"gopher://{TOKEN}@h/"]
    inputs += [server.url(f"/{name}.mp4?a={TOKEN}") for name in ("moved", "away", "broken", "gone")]
    cameras = tmp_path / "cameras"
    cameras.mkdir()
    (cameras / "clip.txt").write_text(
        f"{server.url(f'/good.mp4?clip={TOKEN}')}\n"
        + "".join(f"{n * 33367} 1 1 .5 .5 0 0 1 0 0 0 0 1 0 0 0 0 1 0\n" for n in range(4))
    )
    options = ["--set", 'acquire.download.private_hosts=["127.0.0.1"]', "--set", "acquire.download.backoff_s=0.01"]
    options += ["--set", f"acquire.download.proxy=http://u:{TOKEN}@127.0.0.1:9", "--set", "acquire.download.attempts=1"]

    def run(*more: str) -> str:
        command = [sys.executable, "-c", MAIN, "acquire", "-w", str(tmp_path / "w"), "--workers", "1", *more]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        return done.stdout + done.stderr

    given = [word for entry in inputs for word in ("--input", entry)] + ["--camera-files", str(cameras)]
    printed = run(*given, *options)  # through a proxy that is not there: all fail
    printed += run(*given, *options[:4], "--retry-errors")
    urls = {row["url"] for row in tables(tmp_path / "w")["videos"]}
    assert urls >= {server.url("/good.mp4"), server.url("/moved.mp4")}
    asked = len(server.requests)
    assert "0 run now" in run(*options[:4])  # by its digest, what is there is known again
    printed += run(*options[:4], "--retry-errors")
    assert "Give the whole address again" in printed
    assert len(server.requests) == asked
    holding = [path for path in (tmp_path / "w").rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()]
    assert holding == []
    assert [path for path in (tmp_path / "w").rglob("*") if TOKEN.lower() in path.name.lower()] == []
    assert TOKEN not in printed


@pytest.mark.parametrize("name", ["owner/model", "owner/model@main", "owner/model@e93beec"])
def test_a_hub_model_must_be_pinned_to_a_commit(name: str) -> None:
    from flythrough.errors import InputError
    from flythrough.sfm.config import DisparityConfig
    from flythrough.sfm.disparity.networks import load_network

    with pytest.raises(InputError, match="is not pinned"):
        load_network(DisparityConfig(provider="midas", model=name))
