"""Fetch one file over HTTP: resumed after an interruption, retried where that helps, never accepted incomplete."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from flythrough.workspace.files import disk_errors, read_json, write_json

from ..config import Download
from ..failures import FetchError, of_status
from ..urls import host_name
from .hosts import Host
from .retry import persist
from .watch import Watch
from .web import Web, content_length, plain, range_start, range_total, retry_after_s

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

_CHUNK = 1 << 18
_ROOM = 1 << 20  # bytes given back on a full disk


@dataclass(frozen=True)
class _Known:
    """What is known of the file behind a partial download; written beside it."""

    length: int | None = None
    etag: str | None = None
    modified: str | None = None


class Fetcher:
    """Downloads files over HTTP, rate-limited per host.

    Args:
        settings: retries, timeouts, rates.
        hosts: folder that all workers share, see :class:`Host`.
        admit: called with a file's length (None if the server does not say) before its body is read;
            raises to refuse it.
    """

    def __init__(self, settings: Download, hosts: Path, admit: Callable[[int | None], None] | None = None) -> None:
        self.settings = settings
        self._hosts = hosts
        self._admit = admit or (lambda length: None)
        self._web = Web(settings)
        self.received = 0  # bytes of bodies, also of those that were thrown away

    def fetch(self, url: str, target: Path) -> None:
        """Fetch ``url`` into ``target``. Resumes from ``target.part`` if an earlier attempt was interrupted.

        Raises:
            FetchError: it failed; the kind says why.
        """
        if target.exists():
            return
        part, state = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.json")

        def have() -> int:
            return part.stat().st_size if part.exists() else 0

        watch = Watch(url, self.settings, self._admit)
        persist(lambda: self._attempt(url, part, state, watch), have, self.host(url).pause, self.settings, watch)
        with disk_errors(target):
            os.replace(part, target)
            state.unlink(missing_ok=True)

    def host(self, url: str) -> Host:
        """The rate limit of the URL's host."""
        return Host(self._hosts, host_name(url), self.settings)

    def _attempt(self, url: str, part: Path, state: Path, watch: Watch) -> None:
        known = _read_state(state)
        have = part.stat().st_size if part.exists() and known is not None else 0
        known = known or _Known()
        if have and known.length == have:
            return
        headers = {}
        if have:
            headers["Range"] = f"bytes={have}-"
            if (validator := known.etag or known.modified) is not None:
                headers["If-Range"] = validator
        with self.host(url).connection():
            response = self._web.open(url, headers)
            try:
                self._receive(url, response, part, state, known, have, watch)
            finally:
                response.close()  # of an unread body, the connection goes with it

    def _receive(
        self, url: str, response: BaseHTTPResponse, part: Path, state: Path, known: _Known, have: int, watch: Watch
    ) -> None:
        status, headers = response.status, response.headers
        if status == 416 and have:
            if range_total(headers) != have:
                _discard(part, state)
                raise FetchError(f"{url} changed while it was fetched", kind="network")
            return  # the server itself says that we have all of it
        if status not in (200, 206):
            raise of_status(status, url, retry_after_s(headers))
        _refuse_page(url, headers)
        if status == 206 and (start := range_start(headers)) != have:
            _discard(part, state)
            raise FetchError(f"{url} sent bytes from {start} on when asked for {have}", kind="network")
        begin = have if status == 206 else 0
        length = range_total(headers) if status == 206 else content_length(headers)
        if begin and known.length is not None and length is not None and length != known.length:
            _discard(part, state)
            raise FetchError(f"{url} changed while it was fetched", kind="network")
        self._admit(length)
        etag = headers.get("ETag")
        strong = etag if etag and not etag.startswith("W/") else None
        with disk_errors(part), open(part, "r+b" if begin else "wb", buffering=0) as file:
            # Only now that no byte of an older version is left may the state speak of this one.
            note = _Known(length, strong, headers.get("Last-Modified"))
            write_json(state, asdict(note), durable=False)
            file.seek(begin)
            self._copy(url, response, file, begin, length, watch)

    def _copy(
        self, url: str, response: BaseHTTPResponse, file: BinaryIO, size: int, length: int | None, watch: Watch
    ) -> None:
        """The body into the file, unbuffered: a kill loses nothing that was received."""
        import urllib3

        settings = self.settings
        began = window = time.monotonic()
        got = got_before = 0
        while True:
            try:
                chunk = response.read1(_CHUNK)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise FetchError(f"{url} stopped after {size} bytes ({plain(error)})", kind="network") from error
            if not chunk:
                break
            if size == 0:
                _refuse_text(url, chunk)
            _write(file, chunk)
            size, got = size + len(chunk), got + len(chunk)
            self.received += len(chunk)
            watch.check(max(size, length or 0))
            now = time.monotonic()
            if now - window > settings.stall_timeout_s:
                if got - got_before < settings.min_bytes_per_s * (now - window):
                    raise FetchError(f"{url} stalled after {size} bytes", kind="network")
                window, got_before = now, got
            if settings.bytes_per_s:
                time.sleep(max(0.0, got / settings.bytes_per_s - (now - began)))
        if length is not None and size < length:
            raise FetchError(f"{url} was interrupted after {size} of {length} bytes", kind="network")
        if size == 0:
            raise FetchError(f"{url} is empty", kind="format")


def _read_state(state: Path) -> _Known | None:
    try:
        return _Known(**read_json(state))
    except (FileNotFoundError, ValueError, TypeError):  # never begun, or emptied by a power failure: start over
        return None


def _refuse_page(url: str, headers: Mapping[str, str]) -> None:
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml", "application/json"):
        raise FetchError(f"{url} is a page ({kind}), not a video file", kind="format")
    if (coding := headers.get("Content-Encoding", "identity").lower()) not in ("identity", ""):
        raise FetchError(f"{url} is sent as {coding}, which is not how videos are sent", kind="format")


def _refuse_text(url: str, head: bytes) -> None:
    start = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"#extm3u", b"ffconcat")):
        raise FetchError(f"{url} is a page or a playlist, not a video file", kind="format")


def _write(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[file.write(view) :]  # an unbuffered file may take less than it is given
    except OSError:
        # A full disk must hold what is to be said about it: give up the end of what is here, it will be fetched again.
        file.truncate(max(0, file.tell() - _ROOM))
        raise


def _discard(part: Path, state: Path) -> None:
    part.unlink(missing_ok=True)
    state.unlink(missing_ok=True)
