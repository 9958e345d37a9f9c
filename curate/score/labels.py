"""Labels of spans of video: read from CSV, and laid over the shots that curation found."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from flythrough.errors import InputError

COLUMNS = ("video", "start", "end", "verdict")
VERDICTS = ("keep", "drop", "unsure")


@dataclass(frozen=True)
class Label:
    """A person's word on a span of a video, seconds; ``video`` is its id, or its file's name."""

    video: str
    start: float
    end: float
    verdict: str


@dataclass(frozen=True)
class Span:
    """A shot that curation found, seconds; ``reason`` is the rule that drops it, None if it is kept."""

    id: str
    names: tuple[str, ...]  # what a label may call the video
    start: float
    end: float
    reason: str | None


def read_labels(path: Path) -> list[Label]:
    """Labels of a CSV file; other columns are passed over, an empty start or end is the video's.

    Raises:
        InputError: the file cannot be read, lacks a column, or a line says no span or no known verdict.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if missing := [c for c in COLUMNS if c not in (rows.fieldnames or [])]:
                raise InputError(f"{path} has no column {missing[0]!r}", remedy=f"Name columns {', '.join(COLUMNS)}")
            return [_label(path, number, row) for number, row in enumerate(rows, start=2)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV file that can be read: {error}", remedy="Check --labels") from error


def _label(path: Path, number: int, row: dict[str, str]) -> Label:
    try:
        start, end = float(row["start"] or 0), float(row["end"] or math.inf)
    except (TypeError, ValueError):
        start = end = math.nan
    if not 0 <= start < end:
        raise InputError(f"{path}, line {number}: no span of seconds", remedy="Write start and end, start first")
    if row["verdict"] not in VERDICTS:
        raise InputError(f"{path}, line {number}: no verdict", remedy=f"Write one of {', '.join(VERDICTS)}")
    return Label(row["video"], start, end, row["verdict"])


def _names(label: Label) -> set[str]:
    stem = re.sub(r"\.[A-Za-z0-9]{2,4}$", "", label.video).lower()
    return {label.video, re.sub(r"[^a-z0-9]+", "-", stem).strip("-")}


def match(labels: Sequence[Label], spans: Iterable[Span]) -> list[tuple[Span, Label | None]]:
    """Each shot with the label that covers most of it; None where none covers half of it."""
    found: list[tuple[Span, Label | None]] = []
    for span in spans:
        covered = [(min(x.end, span.end) - max(x.start, span.start), x) for x in labels if _names(x) & set(span.names)]
        best = max(covered, key=lambda pair: pair[0], default=(0.0, None))
        found.append((span, best[1] if 2 * best[0] >= span.end - span.start > 0 else None))
    return found
