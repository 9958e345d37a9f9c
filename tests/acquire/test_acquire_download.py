"""Downloads from a real server on loopback that does what servers do."""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from urllib3 import HTTPResponse, PoolManager

from flythrough.acquire.config import Download
from flythrough.acquire.failures import FetchError
from flythrough.acquire.fetch.download import Fetcher
from flythrough.acquire.fetch.web import Web, retry_after_s
from flythrough.errors import FlythroughError, InputError
from tests.acquire.http_server import Page, Server, serve

FAST = Download(backoff_s=0.01, backoff_max_s=5, stall_timeout_s=20, attempts=4, per_host=8,
                private_hosts=("127.0.0.1",))  # fmt: skip
IMPATIENT = FAST.model_copy(update={"stall_timeout_s": 0.5})

COOKIES = "# Netscape HTTP Cookie File\n"
BODY = b"\x00\x00\x00\x18ftyp" + random.Random(7).randbytes(1_500_000)


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def fetch(server: Server, tmp_path: Path, path: str = "/a.mp4", settings: Download = FAST) -> Path:
    Fetcher(settings, tmp_path / "hosts").fetch(server.url(path), tmp_path / "got")
    return tmp_path / "got"


def test_whole_file(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY)
    assert fetch(server, tmp_path).read_bytes() == BODY
    assert sorted(p.name for p in tmp_path.iterdir()) == ["got", "hosts"]


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize("etag", ['"v1"', None])
def test_connection_cut_at_60_percent_is_resumed(
    server: Server, tmp_path: Path, etag: str | None, chunked: bool
) -> None:
    server.pages["/a.mp4"] = Page(BODY, cut_at=0.6, etag=etag, chunked=chunked)
    assert fetch(server, tmp_path).read_bytes() == BODY
    assert server.requests[1][2] == f"bytes={int(len(BODY) * 0.6)}-"
    assert server.sent["/a.mp4"] == len(BODY)


def test_cut_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, cut_at=0.6, ranges=False)
    assert fetch(server, tmp_path).read_bytes() == BODY


def test_always_cut_without_ranges_ends_in_an_error(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, cut_at=0.6, cuts=1000, ranges=False)
    with pytest.raises(FetchError, match="was interrupted") as caught:
        fetch(server, tmp_path)
    assert caught.value.kind == "network"
    assert server.hits("/a.mp4") <= FAST.attempts + 1
    assert not (tmp_path / "got").exists()


def test_stall_times_out_and_is_resumed(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, stall_at=0.4)
    assert fetch(server, tmp_path, settings=IMPATIENT).read_bytes() == BODY
    assert server.sent["/a.mp4"] == len(BODY)


def test_429_waits_as_long_as_asked(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, statuses=[(429, {"Retry-After": "1"})])
    assert fetch(server, tmp_path).read_bytes() == BODY
    first, second = (at for at, _, _ in server.requests)
    assert second - first >= 1.0


def test_429_for_longer_than_we_wait_is_rate_limited(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, statuses=[(429, {"Retry-After": "3600"})])
    with pytest.raises(FetchError) as caught:
        fetch(server, tmp_path)
    assert caught.value.kind == "rate-limited"


def test_retry_after_may_be_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 85 <= (retry_after_s({"Retry-After": later}) or 0) <= 90
    assert retry_after_s({"Retry-After": "7"}) == 7
    assert retry_after_s({"Retry-After": "soon"}) is None
    assert retry_after_s({}) is None


def test_503_twice_then_200(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, statuses=[(503, {}), (503, {})])
    assert fetch(server, tmp_path).read_bytes() == BODY
    assert server.hits("/a.mp4") == 3


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, "removed"), (410, "removed"), (403, "login"), (401, "login"), (451, "geo-blocked"), (400, "format")],
)
def test_final_statuses_are_not_tried_again(server: Server, tmp_path: Path, status: int, kind: str) -> None:
    server.pages["/a.mp4"] = Page(BODY, statuses=[(status, {})])
    with pytest.raises(FetchError, match=str(status)) as caught:
        fetch(server, tmp_path)
    assert caught.value.kind == kind
    assert len(server.requests) == 1


def test_content_length_too_long_but_the_server_then_says_it_is_whole(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, extra_length=500)
    assert fetch(server, tmp_path).read_bytes() == BODY


def test_content_length_too_long_without_ranges_is_an_error(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, extra_length=500, ranges=False)
    with pytest.raises(FetchError, match="was interrupted") as caught:
        fetch(server, tmp_path)
    assert caught.value.kind == "network"
    assert not (tmp_path / "got").exists()


def test_content_length_too_short_is_taken_at_its_word(server: Server, tmp_path: Path) -> None:
    """That the file is not whole, verifying finds out (``test_a_wrong_content_length``)."""
    server.pages["/a.mp4"] = Page(BODY, extra_length=-500)
    assert fetch(server, tmp_path).read_bytes() == BODY[:-500]


def test_a_server_that_only_trickles_stalls(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, block=10, delay_s=0.05)
    with pytest.raises(FetchError, match="stalled after") as caught:
        fetch(server, tmp_path, settings=IMPATIENT.model_copy(update={"attempts": 1}))
    assert caught.value.kind == "network"


def test_a_proxy_is_asked_for_everything(server: Server, tmp_path: Path) -> None:
    server.pages["http://films.invalid/a.mp4"] = Page(BODY)
    settings = FAST.model_copy(update={"proxy": server.url("")})
    Fetcher(settings, tmp_path / "hosts").fetch("http://films.invalid/a.mp4", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == BODY


@pytest.mark.parametrize(
    "page",
    [
        Page(b"<!doctype html><p>Sign in", content_type="text/html; charset=utf-8"),
        Page(b"\n <!DOCTYPE html><p>Sign in", content_type="video/mp4"),
        Page(b"#EXTM3U\nfile:///etc/passwd", content_type="video/mp4"),
        Page(b"", content_type="video/mp4"),
        Page(BODY, headers={"Content-Encoding": "gzip"}),
    ],
)
def test_what_is_no_video_file_is_refused(server: Server, tmp_path: Path, page: Page) -> None:
    server.pages["/a.mp4"] = page
    with pytest.raises(FetchError) as caught:
        fetch(server, tmp_path)
    assert caught.value.kind == "format"
    assert len(server.requests) == 1


def test_redirect_loop(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(location="/b.mp4")
    server.pages["/b.mp4"] = Page(location="/a.mp4")
    with pytest.raises(FetchError, match="redirects more than"):
        fetch(server, tmp_path)
    assert len(server.requests) <= 20


def test_redirects_are_followed_with_their_range(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(location=server.url("/real.mp4"))
    server.pages["/real.mp4"] = Page(BODY, cut_at=0.6)
    assert fetch(server, tmp_path).read_bytes() == BODY
    assert server.sent["/real.mp4"] == len(BODY)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1:70/"])
def test_redirects_to_other_schemes_are_refused(server: Server, tmp_path: Path, target: str) -> None:
    server.pages["/a.mp4"] = Page(location=target)
    with pytest.raises(FetchError, match="refused"):
        fetch(server, tmp_path)
    assert not list(tmp_path.glob("got*"))


def test_a_redirect_to_half_an_address_is_an_error_of_that_video(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(location="http://[bad")
    with pytest.raises(FetchError, match="redirects to an incomplete URL") as caught:
        fetch(server, tmp_path)
    assert not caught.value.again


def test_nobody_there_is_a_network_error(tmp_path: Path) -> None:
    with pytest.raises(FetchError) as caught:
        Fetcher(FAST, tmp_path).fetch("http://127.0.0.1:1/a.mp4", tmp_path / "got")
    assert caught.value.kind == "network"
    assert "0x" not in str(caught.value)


def test_a_file_that_changed_between_attempts_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, cut_at=0.6, cuts=100)
    with pytest.raises(FetchError):
        fetch(server, tmp_path, settings=FAST.model_copy(update={"attempts": 1}))
    other = BODY[::-1]
    server.pages["/a.mp4"] = Page(other, etag='"v2"')
    assert fetch(server, tmp_path).read_bytes() == other


def test_a_file_that_became_shorter_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    """The server answers 416 with another length than what is here."""
    server.pages["/a.mp4"] = Page(BODY, cut_at=0.6, cuts=100, etag=None)
    with pytest.raises(FetchError):
        fetch(server, tmp_path, settings=FAST.model_copy(update={"attempts": 1}))
    server.pages["/a.mp4"] = Page(BODY[:1000], etag=None)
    assert fetch(server, tmp_path).read_bytes() == BODY[:1000]


def test_a_file_that_became_longer_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    """The server sends the range that was asked for, of a file of another length, and has no ETag to tell it by."""
    server.pages["/a.mp4"] = Page(BODY, cut_at=0.6, cuts=100, etag=None)
    with pytest.raises(FetchError):
        fetch(server, tmp_path, settings=FAST.model_copy(update={"attempts": 1}))
    longer = BODY[::-1] + BODY
    server.pages["/a.mp4"] = Page(longer, etag=None)
    assert fetch(server, tmp_path).read_bytes() == longer


def test_another_range_than_was_asked_for_is_not_written(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, cut_at=0.6, shift=-7)
    assert fetch(server, tmp_path).read_bytes() == BODY
    assert [asked for _, _, asked in server.requests].count(None) == 2  # from the start again


def test_a_slow_line_is_not_used_faster_than_is_allowed(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY)
    began = time.monotonic()
    fetch(server, tmp_path, settings=FAST.model_copy(update={"bytes_per_s": 2 * len(BODY)}))
    assert time.monotonic() - began > 0.4


def test_a_server_that_gives_a_few_bytes_a_try_is_given_up(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, most=100)
    with pytest.raises(FetchError, match="was interrupted") as caught:
        fetch(server, tmp_path)
    assert caught.value.kind == "network"
    assert server.hits("/a.mp4") == FAST.attempts


def test_a_long_file_over_a_bad_line_arrives(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY, most=200_000)  # 8 tries of which 4 in a row would be too many
    assert fetch(server, tmp_path).read_bytes() == BODY
    assert server.hits("/a.mp4") == 8


def test_cookies_are_sent_where_they_belong(server: Server, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    cookies.write_text(f"{COOKIES}127.0.0.1\tFALSE\t/\tFALSE\t0\tkey\t42\nelsewhere\tFALSE\t/\tFALSE\t0\tkey\t7\n")
    server.pages["/a.mp4"] = Page(BODY)
    fetch(server, tmp_path, settings=FAST.model_copy(update={"cookies": cookies}))
    assert server.cookies == ["key=42"]


@pytest.mark.parametrize(
    ("target", "asked_again"),
    [
        ("/b.mp4", True),
        ("http://FILMS.invalid:80/b.mp4", True),
        ("http://films.invalid:8080/b.mp4", False),
        ("http://other.invalid/b.mp4", False),
        ("http://eve:own@other.invalid/b.mp4", False),
    ],
)
def test_user_info_is_sent_to_the_host_that_was_asked_only(
    server: Server, tmp_path: Path, target: str, asked_again: bool
) -> None:
    """The server is a proxy here, and so sees what is sent to any host."""
    login = "Basic bWU6cEB3OiE="  # me:p@w:!
    server.pages["http://films.invalid/a.mp4"] = Page(location=target)
    shown = target.replace("eve:own@", "")
    server.pages[shown if shown.startswith("http") else f"http://films.invalid{shown}"] = Page(BODY)
    server.pages["http://films.invalid:80/b.mp4"] = server.pages["http://films.invalid/b.mp4"] = Page(BODY)
    settings = FAST.model_copy(update={"proxy": server.url("")})
    Fetcher(settings, tmp_path / "hosts").fetch("http://me:p%40w:!@films.invalid/a.mp4", tmp_path / "got")
    assert (tmp_path / "got").read_bytes() == BODY
    assert server.logins == [login, login if asked_again else None]
    assert not any("@" in path for _, path, _ in server.requests)


def test_user_info_is_not_sent_to_another_scheme(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, bool]] = []
    moved = {"Location": "https://films.invalid:80/a.mp4"}

    def request(self: object, method: str, url: str, *, headers: dict[str, str], **more: object) -> HTTPResponse:
        asked.append((url, "Authorization" in headers))
        return HTTPResponse(status=200) if url.startswith("https") else HTTPResponse(headers=moved, status=302)

    monkeypatch.setattr(PoolManager, "request", request)
    assert Web(FAST).open("http://me:pw@films.invalid/a.mp4", {}).status == 200
    assert asked == [("http://films.invalid/a.mp4", True), ("https://films.invalid:80/a.mp4", False)]


@pytest.mark.parametrize("text", [None, "no cookies", f"{COOKIES}one column\n"])
def test_what_is_no_cookie_file_is_refused(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "cookies.txt").write_text(text)
    with pytest.raises(InputError, match=r"cookies\.txt cannot be read as cookies"):
        Fetcher(FAST.model_copy(update={"cookies": tmp_path / "cookies.txt"}), tmp_path)


def _short_of_disk(url: str, folder: Path, said: "multiprocessing.Queue[tuple[str, str]]") -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_200_000, 1_200_000))
    try:
        Fetcher(FAST, folder / "hosts").fetch(url, folder / "got")
    except FlythroughError as error:
        said.put((error.kind, error.remedy))


def test_a_full_disk_is_an_error_of_its_own_and_leaves_room(server: Server, tmp_path: Path) -> None:
    server.pages["/a.mp4"] = Page(BODY)
    context = multiprocessing.get_context("fork")
    said = context.Queue()
    process = context.Process(target=_short_of_disk, args=(server.url("/a.mp4"), tmp_path, said))
    process.start()
    kind, remedy = said.get(timeout=30)
    process.join()
    assert kind == "disk"
    assert remedy
    assert 0 < (tmp_path / "got.part").stat().st_size < 200_000
    assert fetch(server, tmp_path).read_bytes() == BODY


def _child(url: str, hosts: Path, target: Path, settings: Download = FAST) -> None:
    Fetcher(settings, hosts).fetch(url, target)


def test_killed_20_times_a_file_is_whole_and_fetched_once(server: Server, tmp_path: Path) -> None:
    body = BODY * 4
    server.pages["/a.mp4"] = Page(body, delay_s=0.0005, block=16384)
    context = multiprocessing.get_context("fork")
    part, target = tmp_path / "got.part", tmp_path / "got"
    rng = random.Random(3)
    reached = [0]
    for point in sorted(rng.randrange(len(body)) for _ in range(20)):
        process = context.Process(target=_child, args=(server.url("/a.mp4"), tmp_path / "hosts", target))
        process.start()
        while process.is_alive() and (part.stat().st_size if part.exists() else 0) < point:
            time.sleep(0.001)
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
        reached.append(part.stat().st_size if part.exists() else 0)
    assert not target.exists()
    Fetcher(FAST, tmp_path / "hosts").fetch(server.url("/a.mp4"), target)
    assert target.read_bytes() == body
    # Every attempt that got as far as asking went on at the very byte where one before it was killed: no byte that
    # had arrived was asked for again.
    starts = [int(asked[6:-1]) if asked else 0 for _, _, asked in server.requests]
    assert starts == sorted(starts)
    assert set(starts) <= set(reached)
    assert starts[-1] == reached[-1]
