"""Entries: every single thing that was asked for. Each becomes one task, whatever becomes of it."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit

from flythrough.errors import FlythroughError, InputError
from flythrough.stage import Task

VIDEO_SUFFIXES = frozenset(
    {".3gp", ".asf", ".avi", ".flv", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4"}
    | {".mpeg", ".mpg", ".mts", ".ogv", ".ts", ".webm", ".wmv", ".y4m"}
)
LIST_SUFFIXES = frozenset({".txt", ".csv"})
_SAMPLE = 65536


@dataclass(frozen=True)
class Entry:
    """One thing asked for.

    Attributes:
        kind: ``"file"`` (local), ``"url"``, ``"cameras"`` (a video of camera files), ``"repeat"`` (listed
            before), ``"failed"`` (could not even be asked for: refused, or its list cannot be read).
        id: deterministic, from content for a file and from the address for a URL.
        where: where it was listed, e.g. ``list.txt:12``.
        inputs: what the result depends on.
        hints: what it does not depend on.
    """

    kind: str
    id: str
    where: str
    inputs: dict[str, Any] = field(default_factory=dict)
    hints: dict[str, Any] = field(default_factory=dict)

    @property
    def source(self) -> str:
        """The URL, the path, or what was listed before; empty for what could not be asked for."""
        return str(self.inputs.get("url") or self.hints.get("path") or self.inputs.get("of") or "")

    def task(self) -> Task:
        return Task(self.id, {"kind": self.kind, **self.inputs}, {"where": self.where, **self.hints})


def url_entry(url: str, where: str, *, found: bool = False) -> Entry:
    """An entry for a URL, or a failed one if it is no http(s) URL.

    Args:
        url: as it was listed.
        where: for messages.
        found: it was found by a search, a channel or a playlist, not asked for by name.
    """
    try:
        url = checked_url(url, where)
    except FlythroughError as error:
        return failed_entry(url, where, error)
    return Entry("url", url_id(url), where, {"url": url, "found": found})


def file_entry(path: Path, where: str) -> Entry:
    """An entry for a local file; its id is from its name and content, so it is the same on every machine."""
    path = Path(os.path.abspath(path))
    try:
        mark = _fingerprint(path)
    except OSError:
        mark = None  # the task will say what is wrong with it
    id = f"{slug(path.stem)}-{(mark or _hash(str(path)))[:12]}"
    return Entry("file", id, where, {"fingerprint": mark, "name": path.name}, {"path": str(path)})


def failed_entry(text: str, where: str, error: FlythroughError) -> Entry:
    """An entry that cannot be tried: its task does nothing but fail with ``error``."""
    failure = {"message": error.message, "remedy": error.remedy, "kind": error.kind}
    return Entry("failed", f"{slug(text)}-{_hash(where + text)[:12]}", where, {"failure": failure})


def checked_url(url: str, where: str) -> str:
    """The URL without its fragment.

    Raises:
        InputError: it is no http or https URL: a ``file:`` URL, a local path, an option, a control character.
    """
    address, problem = _examined(url)
    if problem:
        raise InputError(
            f"{where}: {_short(url.strip())!r} {problem}: refused",
            remedy="Only http and https URLs are fetched; give local files with --input",
        )
    return address


@lru_cache(maxsize=4096)  # 13,000 camera files name 765 videos
def _examined(url: str) -> tuple[str, str]:
    """The URL without its fragment, and what is wrong with it, or nothing."""
    text = url.strip()
    try:
        parts = urlsplit(text)
        port_ok = parts.port is None or parts.port > 0  # a port that is no number raises
    except ValueError:
        parts, port_ok = urlsplit(""), False
    problem = ""
    if text.startswith("-") or any(unicodedata.category(c) == "Cc" for c in text):
        problem = "looks like an option" if text.startswith("-") else "has control characters"
    elif parts.scheme.lower() == "file":
        problem = "is a file: URL"
    elif not parts.scheme or len(parts.scheme) == 1:
        problem = "is a local path or no URL"
    elif parts.scheme.lower() not in ("http", "https"):
        problem = f"has the scheme {parts.scheme}:"
    elif not parts.hostname or not port_ok or " " in text:
        problem = "is no whole URL"
    return urlunsplit((parts.scheme.lower(), parts.netloc, parts.path or "/", parts.query, "")), problem


@lru_cache(maxsize=4096)
def url_id(url: str) -> str:
    """Id of a video at a URL; the many spellings of a YouTube address have one id."""
    if key := youtube_key(url):
        return f"youtube-{key}"
    stem = Path(unquote(urlsplit(url).path)).stem
    return f"{slug(stem)}-{_hash(url)[:12]}"


def youtube_key(url: str) -> str | None:
    """A YouTube video's 11 characters, or None for any other URL."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.").removeprefix("music.")
    if host == "youtu.be":
        candidate = parts.path[1:]
    elif host in ("youtube.com", "youtube-nocookie.com"):
        head, _, rest = parts.path.lstrip("/").partition("/")
        candidate = rest if head in ("embed", "shorts", "live", "v") else parse_qs(parts.query).get("v", [""])[0]
    else:
        return None
    key = candidate.split("/")[0]
    return key if re.fullmatch(r"[\w-]{11}", key, re.ASCII) else None


def read_list(path: Path) -> Iterator[Entry]:
    """The entries of a list: a URL a line (``#`` begins a comment), or CSV with a column ``url`` (else the first)."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        problem = InputError(f"{path} cannot be read ({error.strerror})", remedy="Check the path and its rights")
        yield failed_entry(str(path), str(path), problem)
        return
    except UnicodeDecodeError:
        problem = InputError(f"{path} is not UTF-8 text", remedy="Save the list as UTF-8")
        yield failed_entry(str(path), str(path), problem)
        return
    count = 0
    for number, url in _csv_urls(text) if path.suffix.lower() == ".csv" else _text_urls(text):
        count += 1
        yield url_entry(url, f"{path}:{number}")
    if count == 0:
        problem = InputError(f"{path} lists nothing", remedy="Give it a URL a line")
        yield failed_entry(str(path), str(path), problem)


def folder_entries(folder: Path, where: str, *, besides: Path) -> Iterator[Entry]:
    """The video files below a folder, in sorted order; hidden and other files, and the folder ``besides``, are not."""
    besides = besides.resolve()
    faults: list[OSError] = []
    found = 0
    for root, folders, files in os.walk(folder, onerror=faults.append):
        folders[:] = sorted(n for n in folders if not n.startswith(".") and (Path(root) / n).resolve() != besides)
        for name in sorted(files):
            if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES:
                found += 1
                yield file_entry(Path(root) / name, where)
    for fault in faults:
        problem = InputError(
            f"{fault.filename} cannot be read ({fault.strerror})",
            remedy="Give yourself rights to it (chmod, chown), or remove it from the input",
        )
        yield failed_entry(str(fault.filename), where, problem)
    if not found and not faults:
        names = " ".join(sorted(VIDEO_SUFFIXES))
        problem = InputError(f"{folder} holds no video file", remedy=f"Videos end in one of: {names}")
        yield failed_entry(str(folder), where, problem)


def slug(text: str) -> str:
    """At most 40 letters, digits and dashes, safe as a file name anywhere."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "video"


def _text_urls(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _csv_urls(text: str) -> Iterator[tuple[int, str]]:
    reader = csv.reader(io.StringIO(text))
    column = 0
    for first, row in enumerate(reader):
        cells = [cell.strip() for cell in row]
        if first == 0 and "url" in [cell.lower() for cell in cells]:
            column = [cell.lower() for cell in cells].index("url")
        elif any(cells):
            yield reader.line_num, cells[column] if column < len(cells) else ""


def _fingerprint(path: Path) -> str:
    """A hash over a file's size and 16 spans of it: enough to tell videos apart, at any size in milliseconds."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        digest.update(str(size).encode())
        for part in range(16):
            file.seek(max(0, (size - _SAMPLE) * part // 15))
            digest.update(file.read(_SAMPLE))
    return digest.hexdigest()


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _short(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:117]}..."
