"""Fetch one file over HTTP: resumed where it broke off, tried again where that helps, never half taken for whole."""

from __future__ import annotations

import os
import time
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from http.cookiejar import LoadError, MozillaCookieJar
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import urljoin, urlsplit

from flythrough import __version__
from flythrough.errors import FlythroughError, InputError
from flythrough.files import disk_errors, read_json, write_json

from .config import Download
from .entries import checked_url
from .failures import FetchError, of_status
from .hosts import Host
from .retry import persist

_CHUNK = 1 << 18
_ROOM = 1 << 20  # bytes given back on a full disk
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 10
_USER_AGENT = f"flythrough/{__version__}"


@dataclass(frozen=True)
class _Known:
    """What is known of the file behind a partial download; written beside it."""

    url: str
    length: int | None = None
    etag: str | None = None
    modified: str | None = None


class Fetcher:
    """Downloads files over HTTP, keeping manners towards each host.

    Args:
        settings: retries, timeouts, rates.
        hosts: folder that all workers share, see :class:`Host`.
        admit: called with a file's length (None if the server does not say) before its body is read;
            raises if it must not be fetched.
    """

    def __init__(self, settings: Download, hosts: Path, admit: Callable[[int | None], None] | None = None) -> None:
        self.settings = settings
        self._hosts = hosts
        self._admit = admit or (lambda length: None)
        self._pool = _pool(settings)
        self._jar = _cookies(settings.cookies)

    def fetch(self, url: str, target: Path) -> None:
        """Fetch ``url`` into ``target``. What a killed attempt left in ``target.part`` is gone on with.

        Raises:
            FetchError: it could not be had; the kind says why.
        """
        if target.exists():
            return
        part, state = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.json")

        def have() -> int:
            return part.stat().st_size if part.exists() else 0

        persist(lambda: self._attempt(url, part, state), have, self.host(url).pause, self.settings)
        with disk_errors(target):
            os.replace(part, target)
            state.unlink(missing_ok=True)

    def host(self, url: str) -> Host:
        """The manners to keep towards the URL's host."""
        return Host(self._hosts, urlsplit(url).netloc.rpartition("@")[2], self.settings)

    def _attempt(self, url: str, part: Path, state: Path) -> None:
        known = _read_state(state)
        have = part.stat().st_size if part.exists() and known is not None else 0
        known = known or _Known(url)
        if have and known.length == have:
            return
        headers = {"Accept-Encoding": "identity", "User-Agent": _USER_AGENT}
        if have:
            headers["Range"] = f"bytes={have}-"
            if (validator := known.etag or known.modified) is not None:
                headers["If-Range"] = validator
        with self.host(url).connection():
            response = self._open(url, headers)
            try:
                self._receive(url, response, part, state, known, have)
            finally:
                response.close()  # of an unread body, the connection goes with it

    def _open(self, url: str, headers: dict[str, str]) -> Any:
        """Ask, following redirects to http and https only."""
        import urllib3

        asked = url
        for _ in range(_MAX_REDIRECTS):
            request = urllib.request.Request(asked, headers=headers)
            if self._jar is not None:
                self._jar.add_cookie_header(request)
            try:
                response = self._pool(asked).request(
                    "GET", asked, headers=dict(request.header_items()), redirect=False, retries=False,
                    preload_content=False, decode_content=False, enforce_content_length=False,
                )  # fmt: skip
            except urllib3.exceptions.HTTPError as error:
                raise FetchError(f"{url} cannot be reached ({_plain(error)})", kind="network") from error
            if response.status not in _REDIRECTS:
                return response
            target = response.headers.get("Location", "")
            response.close()
            try:
                asked = checked_url(urljoin(asked, target), f"{url} redirects")
            except InputError as error:
                raise FetchError(error.message, kind="format", again=False) from error
        raise FetchError(f"{url} redirects more than {_MAX_REDIRECTS} times", kind="network", again=False)

    def _receive(self, url: str, response: Any, part: Path, state: Path, known: _Known, have: int) -> None:
        status, headers = response.status, response.headers
        if status == 416 and have:
            if _total(headers) != have:
                _discard(part, state)
                raise FetchError(f"{url} changed while it was fetched", kind="network")
            return  # the server itself says that we have all of it
        if status not in (200, 206):
            raise of_status(status, url, retry_after_s(headers))
        _refuse_page(url, headers)
        if status == 206 and (start := _start(headers)) != have:
            _discard(part, state)
            raise FetchError(f"{url} sent bytes from {start} on when asked for {have}", kind="network")
        begin = have if status == 206 else 0
        length = _total(headers) if status == 206 else _whole_number(headers.get("Content-Length"))
        if begin and known.length is not None and length is not None and length != known.length:
            _discard(part, state)
            raise FetchError(f"{url} changed while it was fetched", kind="network")
        self._admit(length)
        etag = headers.get("ETag")
        strong = etag if etag and not etag.startswith("W/") else None
        with disk_errors(part), open(part, "r+b" if begin else "wb", buffering=0) as file:
            # Only now that no byte of an older version is left may the state speak of this one.
            note = _Known(url, length, strong, headers.get("Last-Modified"))
            write_json(state, asdict(note), durable=False)
            file.seek(begin)
            self._copy(url, response, file, begin, length)

    def _copy(self, url: str, response: Any, file: BinaryIO, size: int, length: int | None) -> None:
        """The body into the file, unbuffered: a kill loses nothing that was received."""
        import urllib3

        settings = self.settings
        began = window = time.monotonic()
        got = got_before = 0
        while True:
            try:
                chunk = response.read1(_CHUNK)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                raise FetchError(f"{url} stopped after {size} bytes ({_plain(error)})", kind="network") from error
            if not chunk:
                break
            if size == 0:
                _refuse_text(url, chunk)
            _write(file, chunk)
            size, got = size + len(chunk), got + len(chunk)
            now = time.monotonic()
            if now - window > settings.stall_timeout_s:
                if got - got_before < settings.min_bytes_per_s * (now - window):
                    raise FetchError(f"{url} stalls after {size} bytes", kind="network")
                window, got_before = now, got
            if settings.bytes_per_s:
                time.sleep(max(0.0, got / settings.bytes_per_s - (now - began)))
        if length is not None and size < length:
            raise FetchError(f"{url} broke off after {size} of {length} bytes", kind="network")
        if size == 0:
            raise FetchError(f"{url} is empty", kind="format")


def _read_state(state: Path) -> _Known | None:
    try:
        return _Known(**read_json(state))
    except (FileNotFoundError, ValueError):  # never begun, or a power failure emptied it: begin anew
        return None


def _pool(settings: Download) -> Callable[[str], Any]:
    import urllib3

    timeout = urllib3.Timeout(connect=settings.connect_timeout_s, read=settings.stall_timeout_s)
    direct = urllib3.PoolManager(timeout=timeout)
    proxies: dict[str, Any] = {}

    def choose(url: str) -> Any:
        parts = urlsplit(url)
        proxy = settings.proxy
        if proxy is None and not urllib.request.proxy_bypass(parts.hostname or ""):
            proxy = urllib.request.getproxies().get(parts.scheme)
        if not proxy:
            return direct
        if proxy not in proxies:
            try:
                if proxy.startswith("socks"):
                    from urllib3.contrib.socks import SOCKSProxyManager

                    proxies[proxy] = SOCKSProxyManager(proxy, timeout=timeout)
                else:
                    proxies[proxy] = urllib3.ProxyManager(proxy, timeout=timeout)
            except ImportError as error:
                raise FlythroughError(
                    f"The proxy {proxy} needs PySocks", remedy="pip install PySocks", kind="dependency"
                ) from error
        return proxies[proxy]

    return choose


def _cookies(path: Path | None) -> MozillaCookieJar | None:
    if path is None:
        return None
    jar = MozillaCookieJar(path)
    try:
        jar.load(ignore_discard=True, ignore_expires=True)
    except (OSError, LoadError) as error:
        raise InputError(
            f"{path} cannot be read as cookies ({_plain(error)})", remedy="Export cookies.txt in Netscape format"
        ) from error
    return jar


def _refuse_page(url: str, headers: Any) -> None:
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml", "application/json"):
        raise FetchError(f"{url} is a page ({kind}), no video file", kind="format")
    if (coding := headers.get("Content-Encoding", "identity").lower()) not in ("identity", ""):
        raise FetchError(f"{url} is sent as {coding}, which no video is", kind="format")


def _refuse_text(url: str, head: bytes) -> None:
    start = head[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml", b"<head", b"#extm3u", b"ffconcat")):
        raise FetchError(f"{url} is a page or a playlist, no video file", kind="format")


def retry_after_s(headers: Any) -> float | None:
    """How long a server asks to wait (``Retry-After``, seconds or a date), or None."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if text.isdigit():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError):
        return None


def _write(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[file.write(view) :]  # an unbuffered file may take less than it is given
    except OSError:
        # A full disk must hold what is to be said about it: give up the end of what is here, it will be fetched again.
        file.truncate(max(0, file.tell() - _ROOM))
        raise


def _start(headers: Any) -> int | None:
    return _whole_number(headers.get("Content-Range", "").removeprefix("bytes").strip().partition("-")[0])


def _total(headers: Any) -> int | None:
    return _whole_number(headers.get("Content-Range", "").rpartition("/")[2])


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and text.strip().isdigit() else None


def _discard(part: Path, state: Path) -> None:
    part.unlink(missing_ok=True)
    state.unlink(missing_ok=True)


def _plain(error: BaseException) -> str:
    """The message without urllib3's object addresses, so that it reads the same in every run."""
    import re

    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"<[^>]*object at 0x[0-9a-f]+>:? ?|\w+Connection\([^)]*\):? ?", "", text)[:200]
