"""Video platforms, through yt-dlp: what a URL is, the best picture stream of it, what a search or channel lists."""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flythrough.errors import FlythroughError

from .config import AcquireConfig, Download
from .entries import youtube_key
from .failures import FetchError, of_status
from .store import Provenance, tools

NO_FFMPEG = os.devnull + "/no-ffmpeg"
log = logging.getLogger("flythrough.acquire")
Info = dict[str, Any]

# First match wins: a message often holds words of several kinds ("Private video. Sign in if ...").
_MESSAGES: tuple[tuple[str, str], ...] = (
    (
        r"no space left|quota exceeded|read-only file system|unable to (open for writing|write)|permission denied",
        "disk",
    ),
    (r"private video|video is private|this video is unlisted and|has been made private", "private"),
    (r"(in|from|blocked it in) your (country|location|region)|geo.?restrict|geo.?block|HTTP Error 451", "geo-blocked"),
    (r"rate.?limit|too many requests|HTTP Error 429|try again later", "rate-limited"),
    (r"not a (ro)?bot|sign in|log ?in|logged|age.?restrict|confirm your age|members.?only|join this channel", "login"),
    (r"registered users|cookies|requires? (payment|purchase|authentication|subscri)|premium|captcha", "login"),
    (r"HTTP Error 40[123]|forbidden|password", "login"),
    (r"removed|terminated|deleted|no longer (available|exists)|does(n't| not) exist|HTTP Error 4(04|10)", "removed"),
    (r"copyright|closed|account .*suspended|not found", "removed"),
    (r"DRM|requested format|no video formats|unsupported url|not a valid url|only images", "format"),
    (r"ffmpeg|challenge solving|nsig|signature extraction", "format"),
    (r"will begin|premieres|upcoming|not yet", "private"),
    (r"time?d? ?out|refused|reset|resol(ve|ution)|unreachable|SSL|certificate|HTTP Error 5\d\d", "network"),
    (r"connection|incomplete|did not get any data|bytes read|transport|network|getaddrinfo|remote end", "network"),
    (r"unavailable|not available|isn't available", "removed"),
)
_UPDATE = "Update yt-dlp (pip install -U 'yt-dlp[default]'); if it still fails, remove the entry from the input"


def is_platform(url: str) -> bool:
    """Whether yt-dlp has an extractor for just this kind of URL."""
    if youtube_key(url):
        return True
    from yt_dlp.extractor import gen_extractor_classes

    return any(each.suitable(url) for each in gen_extractor_classes() if each.IE_NAME != "generic")


def look(url: str, config: AcquireConfig) -> Info:
    """What the platform says of a video; nothing is downloaded.

    Raises:
        FetchError: it cannot be had, or the URL is no single video.
    """
    info = _extract(url, config.download, _options(config.download))
    if info.get("_type", "video") != "video":
        raise FetchError(
            f"{url} is no single video but a {info.get('_type')}",
            kind="format",
            remedy='List it under [[acquire.sources]] with kind = "playlist" or "channel"',
        )
    return info


def download(info: Info, folder: Path, config: AcquireConfig) -> Path:
    """Fetch the picture stream chosen in ``info`` into ``folder``; a partial file there is gone on with.

    Returns:
        The file.

    Raises:
        FetchError: it could not be had.
    """
    options = _options(config.download) | {
        "paths": {"home": str(folder)},
        "outtmpl": {"default": "platform.%(format_id)s.%(ext)s"},  # never the title: it may be anything
        "trim_file_name": 100,
    }
    with _session(options, info.get("webpage_url") or "") as session:
        done = session.process_ie_result(info, download=True)
    files = [Path(each["filepath"]) for each in done.get("requested_downloads", [])]
    if len(files) != 1 or not files[0].is_file():
        raise FetchError(f"{info.get('webpage_url')} gave no file", kind="format", remedy=_UPDATE)
    return files[0]


def listing(query: str, count: int | None, settings: Download) -> list[Info]:
    """The videos that a search (``ytsearchN:WORDS``), channel or playlist lists, as far as a list says of them.

    A channel's tabs are opened. Each has ``url`` and may have ``title``, ``duration``, ``channel``.

    Raises:
        FetchError: it cannot be listed.
    """
    options = _options(settings) | {"extract_flat": "in_playlist", "noplaylist": False, "playlistend": count}
    found: list[Info] = []
    queue = [query]
    opened: set[str] = set()
    while queue and (count is None or len(found) < count):
        here = queue.pop(0)
        opened.add(here)
        for entry in _extract(here, settings, options).get("entries") or []:
            url = entry.get("url") or entry.get("webpage_url") or ""
            if entry.get("_type") == "url" and _lists(entry, url) and len(opened) + len(queue) < 20:
                queue += [url] if url not in opened else []
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


def failure_of(error: BaseException, url: str) -> FlythroughError:
    """yt-dlp's exception as one of ours, of the kind that its message tells."""
    text = _message(error)
    response = next((r for e in _chain(error) if (r := getattr(e, "response", None)) is not None), None)
    kind = next((kind for pattern, kind in _MESSAGES if re.search(pattern, text, re.IGNORECASE)), None)
    if kind is None and any(type(e).__module__.startswith(("yt_dlp.networking", "urllib")) for e in _chain(error)):
        kind = "network"
    short = f"{url}: {text[:300]}"
    if kind is None:
        return FetchError(short, kind="format", remedy=_UPDATE)
    if response is not None and getattr(response, "status", None) in (429, 503):
        from .download import retry_after_s

        asked = of_status(response.status, url, retry_after_s(response.headers))
        return FetchError(short, kind=asked.kind, retry_after_s=asked.retry_after_s)
    return FetchError(short, kind=kind)


def _lists(entry: Info, url: str) -> bool:
    key = str(entry.get("ie_key") or "")
    return key in ("YoutubeTab", "YoutubePlaylist") or (not key and "/playlist" in urlsplit(url).path)


def _extract(url: str, settings: Download, options: Info) -> Info:
    with _session(options, url) as session:
        info = session.extract_info(url, download=False)
    if not info:
        raise FetchError(f"{url} holds nothing", kind="removed")
    return dict(info)


@contextmanager
def _session(options: Info, url: str) -> Iterator[Any]:
    import yt_dlp
    from yt_dlp.postprocessor.ffmpeg import FFmpegPostProcessor

    # The parts of yt-dlp that ask for ffmpeg without looking at the options are told the same.
    FFmpegPostProcessor._ffmpeg_location.set(NO_FFMPEG)
    try:
        with yt_dlp.YoutubeDL(options) as session:
            yield session
    except FlythroughError:
        raise
    except (yt_dlp.utils.YoutubeDLError, OSError, yt_dlp.networking.exceptions.RequestError) as error:
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
        "ratelimit": settings.bytes_per_s or None,
        "continuedl": True,
        "updatetime": False,
        "cachedir": False,
        "fixup": "never",
        "enable_file_urls": False,
        # ffmpeg must never see a URL: yt-dlp reads all streams itself, and is told of no ffmpeg.
        "ffmpeg_location": NO_FFMPEG,
        "external_downloader": {"default": "native"},
        "hls_prefer_native": True,
        "cookiefile": str(settings.cookies) if settings.cookies else None,
        "cookiesfrombrowser": (settings.cookies_from_browser,) if settings.cookies_from_browser else None,
        "proxy": settings.proxy,
    }
    if (deno := deno_path()) is not None:
        options["js_runtimes"] = {"deno": {"path": deno}}
    return options


def deno_path() -> str | None:
    """The JavaScript runtime that YouTube needs: on the PATH, else the one that pip put beside Python."""
    beside = Path(sys.executable).parent / "deno"
    return shutil.which("deno") or (str(beside) if beside.exists() else None)


def _message(error: BaseException) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.sub(r"^(ERROR: )?(\[[\w:.+-]+\] )?([\w-]+: )?", "", " ".join(text.split()))
    return re.split(r"; please report this issue on|\s*\(caused by", text)[0].strip() or type(error).__name__


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    queue: list[BaseException | None] = [error]
    while queue:
        here = queue.pop(0)
        if here is None or id(here) in seen:
            continue
        seen.add(id(here))
        yield here
        info = getattr(here, "exc_info", None)
        queue += [info[1] if info else None, getattr(here, "cause", None), here.__cause__, here.__context__]


class _Logger:
    """yt-dlp's words into the task's log; what matters of them comes back as an exception."""

    def debug(self, text: str) -> None:
        log.debug(text)

    def info(self, text: str) -> None:
        log.info(text)

    warning = error = info
