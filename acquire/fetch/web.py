"""HTTP requests: through proxies, with cookies, redirected to http and https only; and reading response headers."""

from __future__ import annotations

import re
import time
import urllib.request
import warnings
from base64 import b64encode
from collections.abc import Mapping
from email.message import Message
from email.utils import parsedate_to_datetime
from http.cookiejar import LoadError, MozillaCookieJar
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urljoin, urlsplit, urlunsplit

from flythrough import __version__
from flythrough.errors import InputError, MissingDependency

from ..config import Download
from ..failures import FetchError, private_host
from ..urls import checked_url
from .guard import private_address, public_only, refused_address

if TYPE_CHECKING:
    import urllib3
    from urllib3.response import BaseHTTPResponse

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MAX_REDIRECTS = 10
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"flythrough/{__version__}"}


class Web:
    """HTTP access of one worker.

    Args:
        settings: timeouts, cookies and proxy.

    Raises:
        InputError: the cookies cannot be read.
    """

    def __init__(self, settings: Download) -> None:
        import urllib3

        self._settings = settings
        self._timeout = urllib3.Timeout(connect=settings.connect_timeout_s, read=settings.stall_timeout_s)
        self._managers: dict[str | None, urllib3.PoolManager] = {
            None: urllib3.PoolManager(timeout=self._timeout)
        }  # by proxy
        self._cookies = cookie_jar(settings.cookies) if settings.cookies else None

    def open(self, url: str, headers: dict[str, str]) -> BaseHTTPResponse:
        """The response (urllib3's, body unread) after following redirects from ``url``.

        Its user info is sent as an ``Authorization`` header, to its own scheme, host and port only.

        Raises:
            FetchError: no answer, too many redirects, or a redirect away from http(s) or to a private address.
        """
        import urllib3

        asked, login = _without_user(url)
        home = _origin(asked)
        for _ in range(_MAX_REDIRECTS):
            own = login if _origin(asked) == home else {}
            request = urllib.request.Request(asked, headers={**_HEADERS, **headers, **own})
            if self._cookies is not None:
                self._cookies.add_cookie_header(request)
            try:
                with public_only(self._hosts_allowed(url, asked)):
                    response = self._manager(self._proxy(asked)).request(
                        "GET", asked, headers=dict(request.header_items()), redirect=False, retries=False,
                        preload_content=False, decode_content=False, enforce_content_length=False,
                    )  # fmt: skip
            except urllib3.exceptions.HTTPError as error:
                if (address := refused_address(error)) is not None:
                    raise private_host(url, address) from error
                raise FetchError(f"{url} cannot be reached ({plain(error)})", kind="network") from error
            if response.status not in _REDIRECTS:
                return response
            target = response.headers.get("Location", "")
            response.close()
            try:
                asked, _ = _without_user(checked_url(urljoin(asked, target), f"{url} redirects"))
            except InputError as error:
                raise FetchError(error.message, kind="format", again=False) from error
            except ValueError as error:  # urljoin's, of brackets that hold no IPv6 address
                raise FetchError(f"{url} redirects to an incomplete URL", kind="format", again=False) from error
        raise FetchError(f"{url} redirects more than {_MAX_REDIRECTS} times", kind="network", again=False)

    def _hosts_allowed(self, url: str, asked: str) -> tuple[str, ...]:
        """Hosts that the request may connect to although their addresses are private."""
        host, proxy = urlsplit(asked).hostname or "", self._proxy(asked)
        allowed = self._settings.private_hosts
        if proxy is None:
            return allowed
        # The proxy resolves the name; only this machine's answer can be checked.
        if host not in allowed and (address := private_address(host)) is not None:
            raise private_host(url, address)
        return (*allowed, urlsplit(proxy).hostname or "")

    def _proxy(self, url: str) -> str | None:
        parts = urlsplit(url)
        proxy = self._settings.proxy
        if proxy is None and not urllib.request.proxy_bypass(parts.hostname or ""):
            proxy = urllib.request.getproxies().get(parts.scheme)
        return proxy or None

    def _manager(self, proxy: str | None) -> urllib3.PoolManager:
        """Connections, direct ones or a proxy's."""
        if proxy not in self._managers:
            self._managers[proxy] = _proxy_manager(str(proxy), self._timeout)
        return self._managers[proxy]


def _proxy_manager(proxy: str, timeout: urllib3.Timeout) -> urllib3.PoolManager:
    import urllib3

    if not proxy.startswith("socks"):
        return urllib3.ProxyManager(proxy, timeout=timeout)
    try:
        from urllib3.contrib.socks import SOCKSProxyManager
    except ImportError as error:
        raise MissingDependency(f"The proxy {proxy} needs PySocks", remedy="pip install PySocks") from error
    return SOCKSProxyManager(proxy, timeout=timeout)


def _without_user(url: str) -> tuple[str, dict[str, str]]:
    """The URL without its user info, and the header that states it instead (Basic, RFC 7617), if there is any."""
    parts = urlsplit(url)
    info, _, host = parts.netloc.rpartition("@")
    if not info:
        return url, {}
    user, _, password = info.encode("utf-8", "surrogatepass").partition(b":")
    token = b64encode(unquote_to_bytes(user) + b":" + unquote_to_bytes(password)).decode()
    return urlunsplit(parts._replace(netloc=host)), {"Authorization": f"Basic {token}"}


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or {"http": 80, "https": 443}.get(parts.scheme)


def cookie_jar(path: Path) -> MozillaCookieJar:
    """The cookies of a file.

    Raises:
        InputError: it cannot be read, or is not a cookie file.
    """
    jar = MozillaCookieJar(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # of what is said below
            jar.load(ignore_discard=True, ignore_expires=True)
    except (OSError, LoadError, ValueError) as error:
        raise InputError(
            f"{path} cannot be read as cookies ({plain(error)})", remedy="Export cookies.txt in Netscape format"
        ) from error
    for cookie in jar:
        if cookie.expires == 0:  # how browsers' exports write a session's cookies
            cookie.expires, cookie.discard = None, True
    return jar


def retry_after_s(headers: Mapping[str, str] | Message) -> float | None:
    """How long a server asks to wait (``Retry-After``, seconds or a date), or None."""
    text = headers.get("Retry-After", "").strip()
    if not text:
        return None
    if re.fullmatch(r"[0-9]+", text):
        return float(text[:9])  # more digits are decades
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - _now(headers))
    except (ValueError, TypeError, OverflowError):
        return None


def _now(headers: Mapping[str, str] | Message) -> float:
    """The server's time, else ours: its dates refer to its own clock."""
    try:
        return parsedate_to_datetime(headers.get("Date", "")).timestamp()
    except (ValueError, TypeError, OverflowError):
        return time.time()


def named_hosts(settings: Download) -> tuple[str, ...]:
    """Hosts that the settings or the environment name: those of the proxies, and the private ones that are allowed."""
    proxies = urllib.request.getproxies().values() if settings.proxy is None else [settings.proxy]
    return (*settings.private_hosts, *(urlsplit(proxy).hostname or "" for proxy in proxies))


def range_start(headers: Mapping[str, str]) -> int | None:
    """Where the bytes sent begin in the file (``Content-Range``), or None."""
    return _whole_number(headers.get("Content-Range", "").removeprefix("bytes").strip().partition("-")[0])


def range_total(headers: Mapping[str, str]) -> int | None:
    """The length of the whole file as ``Content-Range`` says, or None."""
    return _whole_number(headers.get("Content-Range", "").rpartition("/")[2])


def content_length(headers: Mapping[str, str]) -> int | None:
    """The length of the body, or None where the server does not say."""
    return _whole_number(headers.get("Content-Length"))


def plain(error: BaseException) -> str:
    """The message without urllib3's object addresses, so that it reads the same in every run."""
    text = " ".join(str(error).split()) or type(error).__name__
    return re.sub(r"<[^>]*object at 0x[0-9a-f]+>:? ?|\w+Connection\([^)]*\):? ?", "", text)[:200]


def _whole_number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch(r"\s*[0-9]{1,18}\s*", text) else None  # as large as SQLite holds
