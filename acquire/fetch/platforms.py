"""Video platforms, through yt-dlp: classify a URL, download its best video stream, list a search or channel."""

from __future__ import annotations

import io
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from flythrough.workspace.files import JsonObject

from ..config import Download
from ..failures import FetchError
from ..urls import youtube_key
from .guard import public_only
from .platform_failures import UPDATE, failure_of
from .store import Provenance, tools
from .web import cookie_jar, named_hosts

if TYPE_CHECKING:
    import yt_dlp

NO_FFMPEG = os.devnull + "/no-ffmpeg"
log = logging.getLogger("flythrough.acquire")
Info = JsonObject  # yt-dlp's
_MOST_TABS = 20  # of a channel; also the end of lists that list each other


def is_platform(url: str) -> bool:
    """Whether yt-dlp has an extractor for just this kind of URL."""
    if youtube_key(url):
        return True
    from yt_dlp.extractor import gen_extractor_classes

    return any(each.suitable(url) for each in gen_extractor_classes() if each.IE_NAME != "generic")


def fetch(
    url: str, folder: Path, settings: Download, admit: Callable[[Info], None], check: Callable[[int], None]
) -> tuple[Path, Info]:
    """Download the video stream of a video into ``folder``; resumes from a partial file there.

    Args:
        url: the video's page.
        folder: where the file goes.
        settings: how to fetch.
        admit: called with what the platform says of the video before anything is downloaded; raises to refuse it.
        check: called with the bytes so far while it downloads; raises to stop it.

    Returns:
        The file, and what the platform says of it.

    Raises:
        FetchError: it could not be had, or the URL is not a single video.
    """
    options = _options(settings) | {
        "paths": {"home": str(folder)},
        "outtmpl": {"default": "platform.%(format_id)s.%(ext)s"},  # never the title: it may be anything
        "trim_file_name": 100,
        "progress_hooks": [lambda progress: check(progress.get("downloaded_bytes") or 0)],
    }
    with _session(options, url, settings) as session:
        info = _extract(session, url)
        if info.get("_type", "video") != "video":
            raise FetchError(
                f"{url} is not a single video but a {info['_type']}",
                kind="format",
                remedy='List it under [[acquire.sources]] with kind = "playlist" or "channel"',
            )
        admit(info)
        done = session.process_ie_result(info, download=True)
    files = [Path(each["filepath"]) for each in done.get("requested_downloads", [])]
    if len(files) != 1 or not files[0].is_file():
        raise FetchError(f"{url} yielded no file", kind="format", remedy=UPDATE)
    return files[0], info


def listing(query: str, count: int | None, settings: Download) -> list[Info]:
    """The videos that a search (``ytsearchN:WORDS``), channel or playlist lists, as far as a list says of them.

    A channel's tabs are opened. Each has ``url`` and may have ``title``, ``duration``, ``channel``.

    Raises:
        FetchError: it cannot be listed.
    """
    options = _options(settings) | {"extract_flat": "in_playlist", "noplaylist": False, "playlistend": count}
    found: list[Info] = []
    queue, opened = [query], 0
    with _session(options, query, settings) as session:
        while queue and (count is None or len(found) < count):
            opened += 1
            for entry in _extract(session, queue.pop(0)).get("entries") or []:
                url = entry.get("url") or entry.get("webpage_url") or ""
                if entry.get("_type") == "url" and _lists(entry, url) and opened + len(queue) < _MOST_TABS:
                    queue.append(url)
                elif url:
                    found.append({**entry, "url": url})
    return found[:count]


def provenance_of(info: Info) -> Provenance:
    """Where a platform's video comes from."""
    day = info.get("upload_date") or ""
    return Provenance(
        url=info.get("webpage_url") or info.get("original_url"),
        title=info.get("title"),
        description=info.get("description"),
        channel=info.get("channel") or info.get("uploader"),
        platform=str(info.get("extractor_key") or "").lower() or None,
        platform_id=info.get("id"),
        license=info.get("license"),
        uploaded=f"{day[:4]}-{day[4:6]}-{day[6:]}" if re.fullmatch(r"\d{8}", day) else None,
        tools=tools(),
    )


def _lists(entry: Info, url: str) -> bool:
    key = str(entry.get("ie_key") or "")
    return key in ("YoutubeTab", "YoutubePlaylist") or (not key and "/playlist" in urlsplit(url).path)


def _extract(session: yt_dlp.YoutubeDL, url: str) -> Info:
    info = session.extract_info(url, download=False)
    if not info:
        raise FetchError(f"{url} is empty", kind="removed")
    return dict(info)


@contextmanager
def _session(options: Info, url: str, settings: Download) -> Iterator[yt_dlp.YoutubeDL]:
    import yt_dlp
    from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor

    # The parts of yt-dlp that ask for ffmpeg without looking at the options are told the same.
    FFmpegPostProcessor._ffmpeg_location.set(NO_FFMPEG)
    try:
        with public_only(named_hosts(settings)), yt_dlp.YoutubeDL(options) as session:
            yield session
    except (yt_dlp.utils.YoutubeDLError, OSError) as error:
        raise failure_of(error, url) from error


def _options(settings: Download) -> Info:
    tall = settings.max_height_px
    options: Info = {
        # Pictures only, over plain HTTP or DASH, else HLS read by yt-dlp itself; SDR and H.264 first.
        "format": "/".join(
            f"{kind}[height<=?{tall}][protocol^={protocol}]{sdr}"
            for sdr in ("[dynamic_range=?SDR]", "")
            for kind in ("bv", "b")
            for protocol in ("http", "m3u8")
        ),
        "format_sort": [f"res:{tall}", "vcodec:h264", "fps:60"],
        "noplaylist": True,
        "quiet": True,
        "no_warnings": False,
        "noprogress": True,
        "color": "no_color",
        "logger": _Logger(),
        "retries": 0,  # attempts are counted by us
        "extractor_retries": 1,
        "fragment_retries": settings.attempts,
        "skip_unavailable_fragments": False,  # a hole in a video is a failure
        "socket_timeout": settings.stall_timeout_s,
        "sleep_interval_requests": 1 / settings.requests_per_s if settings.requests_per_s else None,
        "ratelimit": settings.bytes_per_s or None,
        "continuedl": True,
        "updatetime": False,
        "cachedir": False,
        "fixup": "never",
        "enable_file_urls": False,
        # ffmpeg must never see a URL: yt-dlp reads all streams itself, and is told of no ffmpeg.
        "ffmpeg_location": NO_FFMPEG,
        "external_downloader": {"default": "native"},
        "cookiefile": _cookies(settings.cookies) if settings.cookies else None,
        "cookiesfrombrowser": tuple(browser.split(":", 1)) if (browser := settings.cookies_from_browser) else None,
        "proxy": settings.proxy,
    }
    if (deno := deno_path()) is not None:
        options["js_runtimes"] = {"deno": {"path": deno}}
    return options


def _cookies(path: Path) -> io.StringIO:
    """A copy of the cookies for yt-dlp, which writes to what it is given: several workers would tear a file apart."""
    cookie_jar(path)  # refuses what is not a cookie file
    return io.StringIO(path.read_text(encoding="utf-8"))


def deno_path() -> str | None:
    """The JavaScript runtime that YouTube needs: on the PATH, else the one that pip put beside Python."""
    beside = Path(sys.executable).parent / "deno"
    return shutil.which("deno") or (str(beside) if beside.exists() else None)


class _Logger:
    """Sends yt-dlp's output to the task's log; failures arrive as exceptions."""

    def debug(self, text: str) -> None:
        log.debug(text)

    def info(self, text: str) -> None:
        log.info(text)

    warning = error = info
