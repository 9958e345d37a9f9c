"""Rules: each a pure function that gives the reason to drop a video, or None."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

from .config import Rules


@dataclass(frozen=True)
class Candidate:
    """What is known of a video before or after it is fetched; None where it is not known (yet)."""

    title: str | None = None
    description: str | None = None
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    license: str | None = None
    uploaded: str | None = None  # YYYY-MM-DD


class Rejected(Exception):
    """A rule drops a video.

    Args:
        reason: the rule's.
        values: the figures it saw.
    """

    def __init__(self, reason: str, values: dict[str, Any]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.values = values


def check(candidate: Candidate, rules: Rules, *, final: bool) -> None:
    """Apply the rules.

    Raises:
        Rejected: one of them drops the video.
    """
    if (reason := reject(candidate, rules, final=final)) is not None:
        values = {k: v for k, v in vars(candidate).items() if v is not None and k != "description"}
        raise Rejected(reason, values)


def for_listed(rules: Rules) -> Rules:
    """The rules for what was asked for by name: only licence and upload day, if they are set."""
    return Rules(
        must_words=(), skip_words=(), min_duration_s=0, max_duration_s=1e9, min_width_px=0, min_height_px=0,
        landscape=False, license=rules.license, uploaded_from=rules.uploaded_from, uploaded_to=rules.uploaded_to,
    )  # fmt: skip


def reject(candidate: Candidate, rules: Rules, *, final: bool) -> str | None:
    """The first rule's reason to drop a video, or None to keep it.

    Args:
        candidate: what is known of it.
        rules: the settings.
        final: nothing more will be known: a rule that needs what is not there now drops it.
    """
    for rule in (reject_title, reject_duration, reject_size, reject_license, reject_date):
        if (reason := rule(candidate, rules, final)) is not None:
            return reason
    return None


def reject_title(video: Candidate, rules: Rules, final: bool = True) -> str | None:
    if video.title is None:
        return None  # a direct file or a local one has none
    if any(has_word(video.title, word) for word in rules.skip_words):
        return "title has a skip-word"
    text = f"{video.title}\n{video.description or ''}"
    known = final or video.description is not None
    if known and rules.must_words and not any(has_word(text, word) for word in rules.must_words):
        return "no must-word in title or description"
    return None


def reject_duration(video: Candidate, rules: Rules, final: bool = True) -> str | None:
    if video.duration_s is None:
        return None
    if video.duration_s < rules.min_duration_s:
        return "too short"
    return "too long" if video.duration_s > rules.max_duration_s else None


def reject_size(video: Candidate, rules: Rules, final: bool = True) -> str | None:
    if video.width is None or video.height is None:
        return None
    if video.width < rules.min_width_px or video.height < rules.min_height_px:
        return "too small"
    return "not landscape" if rules.landscape and video.height > video.width else None


def reject_license(video: Candidate, rules: Rules, final: bool = True) -> str | None:
    if rules.license == "any" or (video.license is None and not final):
        return None
    return None if "creative commons" in (video.license or "").lower() else "licence is not Creative Commons"


def reject_date(video: Candidate, rules: Rules, final: bool = True) -> str | None:
    if rules.uploaded_from is None and rules.uploaded_to is None:
        return None
    if video.uploaded is None:
        return "upload date not known" if final else None
    day = date.fromisoformat(video.uploaded)
    if rules.uploaded_from is not None and day < rules.uploaded_from:
        return "uploaded too early"
    return "uploaded too late" if rules.uploaded_to is not None and day > rules.uploaded_to else None


def has_word(text: str, word: str) -> bool:
    """Whether ``text`` has ``word`` as a whole word (or words), in any case."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None
