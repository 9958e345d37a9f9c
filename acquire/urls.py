"""Web addresses: which are allowed, their host, and the id of the video there."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit, urlunsplit

from flythrough.errors import InputError
from flythrough.workspace.addresses import AddressKeys, public_url, redact, stored_mark

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv", ".y4m"}
)
_YOUTUBE = frozenset({"youtube.com", "youtu.be", "youtube-nocookie.com"})


@dataclass(frozen=True)
class Address:
    """Where a video is on the web.

    Attributes:
        public: the URL as it may be stored and shown.
        mark: keyed digest of the whole URL, where that has more than ``public``: a query, user info.
        full: what to request; None where only ``public`` and ``mark`` were stored.
    """

    public: str
    mark: str | None
    full: str | None

    @property
    def id(self) -> str:
        """Id of the video there; the many spellings of a YouTube address have one id."""
        return url_id(self.public, self.mark)


def address_of(url: str, where: str, keys: AddressKeys) -> Address:
    """Split a URL into what may be stored and what may not.

    Raises:
        InputError: as :func:`checked_url`.
    """
    stored, url = stored_mark(url), checked_url(url, where)
    if stored is not None:
        return Address(url, stored, None)
    mark = keys.mark(url)
    public = public_url(url)
    return Address(public, mark, public if mark is None else url)


def checked_url(url: str, where: str) -> str:
    """The URL without its fragment.

    Raises:
        InputError: it is not an http or https URL: a ``file:`` URL, a local path, an option, a control character.
    """
    text = url.strip()
    if problem := _problem(text):
        shown = redact(text)
        raise InputError(
            f"{where}: {shown if len(shown) <= 120 else f'{shown[:117]}...'!r} {problem}: refused",
            remedy="Only http and https URLs are fetched; give local files with --input",
        )
    parts = urlsplit(text)
    return urlunsplit((parts.scheme.lower(), parts.netloc, parts.path or "/", parts.query, ""))


def _problem(text: str) -> str:
    """Why ``text`` is refused, or an empty string."""
    if text.startswith("-"):
        return "looks like an option"
    if re.search(r"[\x00-\x1f\x7f-\x9f]", text):
        return "has control characters"
    try:
        parts = urlsplit(text)
        whole = bool(parts.hostname) and parts.port != 0 and " " not in text  # a port that is not a number raises
    except ValueError:
        return "is not a complete URL"
    scheme = parts.scheme.lower()
    if len(scheme) <= 1:  # a drive's letter is not a scheme
        return "is a local path or no URL"
    if scheme not in ("http", "https"):
        return "is a file: URL" if scheme == "file" else f"has the scheme {scheme}:"
    return "" if whole else "is not a complete URL"


@lru_cache(maxsize=4096)
def url_id(url: str, mark: str | None = None) -> str:
    """Id of a video at an :class:`Address`'s public URL and mark."""
    if key := youtube_key(url):
        return f"youtube-{key}"
    stem = Path(unquote(urlsplit(url).path)).stem
    return f"{slug(stem)}-{digest(url if mark is None else f'{url} {mark}')[:12]}"


def youtube_key(url: str) -> str | None:
    """A YouTube video's 11 characters, or None for any other URL."""
    parts = urlsplit(url)
    if (site := _site(parts)) not in _YOUTUBE:
        return None
    head, _, rest = parts.path.lstrip("/").partition("/")
    if site == "youtu.be":
        key = head
    elif head in ("embed", "shorts", "live", "v"):
        key = rest.split("/")[0]
    else:
        key = parse_qs(parts.query).get("v", [""])[0]
    return key if re.fullmatch(r"[\w-]{11}", key, re.ASCII) else None


def host_name(url: str) -> str:
    """The host to rate-limit, with its port; all names of YouTube are one host."""
    parts = urlsplit(url)
    return "youtube.com" if _site(parts) in _YOUTUBE else parts.netloc.rpartition("@")[2].lower()


def video_suffix(url: str) -> str | None:
    """The suffix that the address ends with, if it is a video file's."""
    suffix = Path(urlsplit(url).path).suffix.lower()
    return suffix if suffix in VIDEO_SUFFIXES else None


def slug(text: str) -> str:
    """At most 40 letters, digits and dashes, safe as a file name anywhere."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "video"


def digest(text: str) -> str:
    """SHA-256 of any text, also of names that are not UTF-8."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _site(parts: SplitResult) -> str:
    return re.sub(r"^(www|m|music)\.", "", parts.hostname or "")
