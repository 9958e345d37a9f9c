"""Web addresses without their secrets: which parts of a URL may be stored, shown and logged.

Queries and user info often hold access tokens. They stay in memory; on disk a keyed digest replaces them, from which a
rerun recognises the address but nobody can recover it.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from ..errors import DamagedFile
from .files import disk_errors, locked_file, publish

_KEY_BYTES = 32
_KEPT = "mark-"  # begins the fragment of a stored address that lacks its query or user info
_YOUTUBE = re.compile(r"(www\.|m\.|music\.)?(youtube|youtube-nocookie)\.com")
_YOUTUBE_IDS = ("v", "list")  # the parameters that name a video or a playlist
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
_QUERY = re.compile(r"\?[^\s?'\"<>()]*=[^\s'\"<>()]*")  # of an address of which only the path is quoted
_TAIL = ".,;:)]}"


def public_url(url: str) -> str:
    """The URL without user info, query and fragment; of YouTube's query the ids are kept."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return re.sub(r"//[^/]*@", "//", url.partition("?")[0].partition("#")[0])
    host = parts.netloc.rpartition("@")[2]
    pairs = parse_qsl(parts.query) if _YOUTUBE.fullmatch(host.lower()) else []
    query = urlencode([(name, value) for name, value in pairs if name in _YOUTUBE_IDS], safe="")
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def has_secret(url: str) -> bool:
    """Whether the URL has parts that must not be stored: user info, or a query (other than YouTube's)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    host = parts.netloc.rpartition("@")[2].lower()
    return bool(parts.netloc) and ("@" in parts.netloc or (bool(parts.query) and not _YOUTUBE.fullmatch(host)))


def redact(text: str) -> str:
    """The text with every URL in it reduced by :func:`public_url`, and queries of partly quoted URLs removed."""

    def cut(match: re.Match[str]) -> str:
        found = match[0].rstrip(_TAIL)
        return public_url(found) + match[0][len(found) :]

    pieces, end = [], 0
    for match in _URL.finditer(text):
        pieces += [_QUERY.sub("", text[end : match.start()]), cut(match)]
        end = match.end()
    return "".join([*pieces, _QUERY.sub("", text[end:])])


class RedactingFormatter(logging.Formatter):
    """A log formatter that removes queries and user info of URLs, also from tracebacks."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class AddressKeys:
    """Digests of URLs, keyed with the workspace's secret, which is made when the first URL needs it.

    Args:
        workspace: root of the workspace. The secret is in ``.address-key`` there, readable by its owner only.
    """

    def __init__(self, workspace: Path) -> None:
        self._file = workspace / ".address-key"
        self._key: bytes | None = None

    def mark(self, url: str) -> str | None:
        """A digest of the whole URL where the public part alone does not lead to the file; None where it does."""
        if not has_secret(url):
            return None
        if self._key is None:
            self._key = self._read()
        parts = urlsplit(url.strip())
        whole = urlunsplit((parts.scheme, parts.netloc, parts.path or "/", parts.query, ""))
        return hmac.new(self._key, whole.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()

    def storable(self, url: str) -> str:
        """The URL as it may be stored: its public part, with the digest as a fragment if that is not enough."""
        mark = self.mark(url)
        return public_url(url) if mark is None else f"{public_url(url)}#{_KEPT}{mark}"

    def _read(self) -> bytes:
        if not self._file.exists():
            self._make()
        with disk_errors(self._file):
            key = self._file.read_bytes()
        if len(key) != _KEY_BYTES:  # a short key can be guessed, and with it the addresses
            raise DamagedFile(
                f"{self._file} is damaged: it has {len(key)} bytes, not {_KEY_BYTES}",
                remedy="Restore it from a copy; or delete it, and what private addresses gave is fetched again",
            )
        return key

    def _make(self) -> None:
        """Publish a new key, complete, unless another process did so meanwhile."""
        lock = self._file.with_name(f"{self._file.name}.lock")
        with locked_file(lock, f"{lock} is held by another process", "Wait until that has finished"):
            if not self._file.exists():
                with publish(self._file) as scratch:
                    scratch.touch(0o600)  # before the secret is in it
                    scratch.write_bytes(secrets.token_bytes(_KEY_BYTES))


def stored_mark(url: str) -> str | None:
    """The digest in an address that :meth:`AddressKeys.storable` wrote without its secret; None for a whole one."""
    mark = url.partition("#")[2]
    return mark.removeprefix(_KEPT) if re.fullmatch(_KEPT + r"[0-9a-f]{64}", mark) else None
