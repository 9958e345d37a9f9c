"""Videos at a URL: fetched once into the store, by our own downloader or through yt-dlp."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flythrough.errors import FlythroughError

from .budget import Purse
from .config import AcquireConfig, Rules
from .download import Fetcher
from .entries import VIDEO_SUFFIXES, youtube_key
from .failures import FetchError
from .retry import persist
from .rules import Candidate, Rejected, check
from .store import Provenance, Shelf, tools


def obtain(
    url: str, shelf: Shelf, fetcher: Fetcher, purse: Purse, config: AcquireConfig, rules: Rules | None
) -> Provenance:
    """See to it that the shelf holds the video at ``url``; what is there is not fetched again.

    Args:
        url: a direct file, or a page that yt-dlp knows.
        shelf: the video's place, held by the caller.
        fetcher: downloads files, asking ``purse`` first.
        purse: what may still be spent.
        config: the settings.
        rules: those that apply to it, if any.

    Raises:
        FetchError: it cannot be had.
        Rejected: a rule drops it, before it is downloaded.
        OverBudget: the budget is spent.
    """
    if (found := shelf.found()) is not None:
        purse.spend(shelf.id, shelf.target.stat().st_size, found.duration_s)
        return found
    direct = shelf.folder / "direct"
    try:
        if youtube_key(url) or (not _names_a_file(url) and _is_platform(url)):
            return _from_platform(url, shelf, fetcher, purse, config, rules)
        try:
            fetcher.fetch(url, direct)
        except FetchError as error:
            if error.kind == "format" and not youtube_key(url) and _names_a_file(url) and _is_platform(url):
                return _from_platform(url, shelf, fetcher, purse, config, rules)
            raise
        return shelf.put(direct, Provenance(url=url, tools=tools(), suffix=suffix_of(url)))
    except FlythroughError:
        purse.refund(shelf.id)
        raise


def _from_platform(
    url: str, shelf: Shelf, fetcher: Fetcher, purse: Purse, config: AcquireConfig, rules: Rules | None
) -> Provenance:
    from .platforms import download, look, provenance_of

    result: list[tuple[Path, Provenance]] = []

    def attempt() -> None:
        with fetcher.host(url).connection():
            info = look(url, config)
            if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
                raise Rejected("live, not a recording", {"live_status": info.get("live_status")})
            if rules is not None:
                check(_candidate(info), rules, final=False)
            purse.spend(shelf.id, info.get("filesize") or info.get("filesize_approx"), info.get("duration"))
            file = download(info, shelf.folder, config)
        result.append((file, replace(provenance_of(info), suffix=file.suffix, duration_s=info.get("duration"))))

    def have() -> int:
        return sum(file.stat().st_size for file in shelf.folder.glob("platform.*"))

    persist(attempt, have, fetcher.host(url).pause, config.download)
    return shelf.put(*result[0])


def suffix_of(name: str) -> str:
    """The file suffix that a URL names, if it is a video's; else ``.mp4``."""
    suffix = Path(urlsplit(name).path).suffix.lower()
    return suffix if suffix in VIDEO_SUFFIXES else ".mp4"


def _candidate(info: dict[str, Any]) -> Candidate:
    from .platforms import provenance_of

    known = provenance_of(info)
    return Candidate(
        title=known.title,
        description=known.description or "",
        duration_s=info.get("duration"),
        width=info.get("width"),
        height=info.get("height"),
        license=known.license,
        uploaded=known.uploaded,
    )


def _names_a_file(url: str) -> bool:
    return Path(urlsplit(url).path).suffix.lower() in VIDEO_SUFFIXES


def _is_platform(url: str) -> bool:
    from .platforms import is_platform

    return is_platform(url)
