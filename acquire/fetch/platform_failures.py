"""Classify yt-dlp's exceptions by their messages, which are all it gives."""

from __future__ import annotations

import re

from ..failures import FetchError, of_status, private_host
from .guard import causes, refused_address
from .web import retry_after_s

_UPCOMING = re.compile(r"will begin|premieres|upcoming|not yet", re.IGNORECASE)
UPDATE = "Update yt-dlp (pip install -U 'yt-dlp[default]'); if it still fails, remove the entry from the input"
# First match wins: a message often holds words of several kinds ("Private video. Sign in if ...").
_MESSAGES = (
    (r"no space left|quota exceeded|read-only file system|unable to (open for writing|write|rename)", "disk"),
    (r"permission denied", "disk"),
    (r"fragment \d+ not found|bytes, expected", "network"),
    (r"private video|video is private|this video is unlisted and|has been made private", "private"),
    (r"(in|from|blocked it in) your (country|location|region)|geo.?restrict|geo.?block|HTTP Error 451", "geo-blocked"),
    (r"rate.?limit|too many requests|HTTP Error 429|try again later", "rate-limited"),
    (r"not a (ro)?bot|sign in|log ?in|logged|age.?restrict|confirm your age|members.?only|join this channel", "login"),
    (r"registered users|cookies|requires? (payment|purchase|authentication|subscri)|premium|captcha", "login"),
    (r"your IP is|unsupported browser", "login"),
    (r"HTTP Error 40[123]|forbidden|password", "login"),
    (r"removed|terminated|deleted|no longer (available|exists)|does(n't| not) exist|HTTP Error 4(04|10)", "removed"),
    (r"copyright|account .*(suspended|closed)|not found", "removed"),
    (r"DRM|requested format|no video formats|unsupported url|not a valid url|only images", "format"),
    (r"ffmpeg|challenge solving|nsig|signature extraction", "format"),
    (r"time?d? ?out|refused|reset|resol(ve|ution)|unreachable|SSL|certificate|HTTP Error 5\d\d", "network"),
    (r"connection|incomplete|did not get any data|bytes read|transport|network|getaddrinfo|remote end", "network"),
    (r"unavailable|not available|isn't available", "removed"),
)


def failure_of(error: BaseException, url: str) -> FetchError:
    """Convert yt-dlp's exception, by its message."""
    if (address := refused_address(error)) is not None:
        return private_host(url, address)
    text = _message(error)
    response = next((r for e in causes(error) if (r := getattr(e, "response", None)) is not None), None)
    kind = next((kind for pattern, kind in _MESSAGES if re.search(pattern, text, re.IGNORECASE)), None)
    if kind is None and any(type(e).__module__.startswith(("yt_dlp.networking", "urllib")) for e in causes(error)):
        kind = "network"
    short = f"{url}: {text[:300]}"
    if _UPCOMING.search(text):
        return FetchError(short, kind="private", remedy="Not published yet: run with --retry-errors afterwards")
    if kind is None:
        return FetchError(short, kind="format", remedy=UPDATE)
    if response is not None and getattr(response, "status", None) in (429, 503):
        asked = of_status(response.status, url, retry_after_s(response.headers))
        return FetchError(short, kind=asked.kind, retry_after_s=asked.retry_after_s)
    return FetchError(short, kind=kind)


def _message(error: BaseException) -> str:
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    text = re.sub(r"^(ERROR: )?(\[[\w:.+-]+\] )?([\w-]+: )?", "", " ".join(text.split()))
    return re.split(r"; please report this issue on|\s*\(caused by", text)[0].strip() or type(error).__name__
