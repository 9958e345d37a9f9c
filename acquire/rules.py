"""The rules on videos, in the order they apply: before a download to what the platform states, after it to the file."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Literal

from pydantic import Field, model_validator

from flythrough.rules import Measures, MissingMeasure, Rule, RuleSection, at_least, at_most, number
from flythrough.workspace.files import JsonObject

MUST_WORDS = ("drone", "aerial", "dji", "fpv", "uav", "mavic", "quadcopter", "from above", "bird's eye")
SKIP_WORDS = (
    "indoor", "review", "unboxing", "tutorial", "how to", "crash", "fail", "gameplay", "simulator", "animation",
    "cgi", "3d render", "ai generated", "time lapse", "timelapse", "hyperlapse", "slideshow", "wedding", "racing",
    "race", "real estate", "interview", "podcast", "news", "vlog", "live stream", "livestream", "compilation",
    "drone show", "light show", "fireworks", "war", "strike", "360", "vr", "vertical", "shorts", "reaction", "trailer",
)  # fmt: skip


@dataclass(frozen=True)
class Candidate:
    """What is known about a video before or after its download; None where unknown (so far)."""

    title: str | None = None
    description: str | None = None
    duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    license: str | None = None
    uploaded: str | None = None  # YYYY-MM-DD

    def final(self) -> Candidate:
        """The same, with what the platform did not state as empty."""
        return replace(
            self, description=self.description or "", license=self.license or "", uploaded=self.uploaded or ""
        )


class VideoRule(Rule):
    """A rule on a video. To add one, write a subclass here, at its place in the order."""


class Words(VideoRule):
    """What its title and description say. A direct file has no title."""

    must_words: tuple[str, ...] = Field(default=MUST_WORDS, description="title or description has one of these words")
    skip_words: tuple[str, ...] = Field(default=SKIP_WORDS, description="title has none of these words")

    def reject(self, measures: Measures) -> str | None:
        """Skip-words count in the title alone, must-words also in the description, once that is known."""
        title = text(measures, "title")
        if any(has_word(title, word) for word in self.skip_words):
            return "title has a skip-word"
        said = f"{title}\n{text(measures, 'description')}"
        if self.must_words and not any(has_word(said, word) for word in self.must_words):
            return "no must-word in title or description"
        return None


class Duration(VideoRule):
    """Too short or too long."""

    min_duration_s: float = at_least(
        8, "duration_s", "s", "length of the video", why="a choice: room for a few shots", reason="too short", ge=0
    )
    max_duration_s: float = at_most(
        7200, "duration_s", "s", "length of the video", why="a choice: bounds a download", reason="too long", gt=0
    )

    @model_validator(mode="after")
    def _possible(self) -> Duration:
        if self.min_duration_s > self.max_duration_s:
            raise ValueError("min_duration_s is above max_duration_s")
        return self


class PictureSize(VideoRule):
    """Too few pixels, as displayed, or taller than wide."""

    min_width_px: int = at_least(
        640, "width", "px", "width as displayed", why="a choice: 360p, wide", reason="too small", ge=0
    )
    min_height_px: int = at_least(
        360, "height", "px", "height as displayed", why="a choice: 360p", reason="too small", ge=0
    )
    landscape: bool = Field(default=True, description="refuse pictures taller than wide")

    def reject(self, measures: Measures) -> str | None:
        """The limits, then the shape."""
        if reason := super().reject(measures):
            return reason
        return "not landscape" if self.landscape and number(measures, "height") > number(measures, "width") else None


class OpenLicense(VideoRule):
    """Not under the required licence; applies to every URL."""

    license: Literal["any", "creative-commons"] = Field(default="any", description="licence that the platform states")

    def reject(self, measures: Measures) -> str | None:
        """A video without a stated licence is dropped."""
        if self.license == "any" or "creative commons" in text(measures, "license").lower():
            return None
        return "licence is not Creative Commons"


class UploadDay(VideoRule):
    """Uploaded outside the required days; applies to every URL."""

    uploaded_from: date | None = Field(default=None, description="first day, YYYY-MM-DD")
    uploaded_to: date | None = Field(default=None, description="last day, YYYY-MM-DD")

    @model_validator(mode="after")
    def _possible(self) -> UploadDay:
        if self.uploaded_from and self.uploaded_to and self.uploaded_from > self.uploaded_to:
            raise ValueError("uploaded_from is after uploaded_to")
        return self

    def reject(self, measures: Measures) -> str | None:
        """If days are required, a video without one is dropped."""
        if self.uploaded_from is None and self.uploaded_to is None:
            return None
        if not (uploaded := text(measures, "uploaded")):
            return "upload date not known"
        day = date.fromisoformat(uploaded)
        if self.uploaded_from is not None and day < self.uploaded_from:
            return "uploaded too early"
        return "uploaded too late" if self.uploaded_to is not None and day > self.uploaded_to else None


class Rules(RuleSection, family=VideoRule):
    """Which videos to keep. Those of camera files are always kept."""

    apply_to: Literal["found", "all"] = Field(
        default="found", description="to what searches and channels found, or to all; licence and days always"
    )


class Rejected(Exception):
    """A rule drops a video.

    Args:
        reason: the rule's.
        values: the figures it saw.
    """

    def __init__(self, reason: str, values: JsonObject) -> None:
        super().__init__(reason)
        self.reason = reason
        self.values = values


def check(candidate: Candidate, rules: Rules, *, final: bool) -> list[str]:
    """Apply the rules.

    Args:
        candidate: what is known of the video.
        rules: the settings.
        final: nothing more will be known: a rule that needs what the platform did not state drops the video.

    Returns:
        Why rules that only score would drop it.

    Raises:
        Rejected: one of them drops the video.
    """
    known = candidate.final() if final else candidate
    reason, scored = rules.judge(asdict(known), partial=True)
    if reason is not None:
        values = {k: v for k, v in asdict(candidate).items() if v is not None and k != "description"}
        raise Rejected(reason, values)
    return scored


def for_listed(rules: Rules) -> Rules:
    """The rules for videos requested by name: only licence and upload day, if set."""
    return rules.only(OpenLicense, UploadDay)


def text(measures: Measures, name: str) -> str:
    """What is stated about a video, possibly nothing.

    Raises:
        MissingMeasure: it is not known yet.
    """
    value = measures.get(name)
    if not isinstance(value, str):
        raise MissingMeasure(f"{name} is not known", remedy="Set the rule that needs it to off")
    return value


def has_word(text: str, word: str) -> bool:
    """Whether ``text`` has ``word`` as a whole word (or words), in any case."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text, re.IGNORECASE) is not None
