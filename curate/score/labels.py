"""Labels of spans of video: read from CSV, and matched with the shots that curation found."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flythrough.errors import InputError
from flythrough.workspace.files import JsonObject
from flythrough.workspace.printing import from_csv_cell

COLUMNS = ("video", "start", "end", "verdict")
VERDICTS = ("keep", "drop", "unsure")


@dataclass(frozen=True)
class Label:
    """A person's verdict on a span of a video, seconds; ``video`` is its id or its file name."""

    video: str
    start: float
    end: float
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Span:
    """A shot that curation found, seconds; ``reason`` is the rule that drops it, None if it is kept."""

    id: str
    video: str  # id
    start: float
    end: float
    reason: str | None
    measures: JsonObject = field(default_factory=dict)


def read_labels(path: Path) -> list[Label]:
    """Labels of a CSV file; other columns are ignored, an empty start or end is the video's.

    Raises:
        InputError: the file cannot be read or lacks a column, or a line has no span or no known verdict.
    """
    try:
        return parse_labels(Path(path).read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}", remedy="Check --labels") from error


def parse_labels(text: str, name: str) -> list[Label]:
    """Labels from the text of a CSV file; ``name`` is what an error calls it.

    Raises:
        InputError: a column is missing, or a line has no span or no known verdict.
    """
    rows = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""))
    if missing := [c for c in COLUMNS if c not in (rows.fieldnames or [])]:
        raise InputError(f"{name} has no column {missing[0]!r}", remedy=f"Name columns {', '.join(COLUMNS)}")
    return [_label(name, number, row) for number, row in enumerate(rows, start=2)]


def _label(name: str, number: int, row: dict[str, str]) -> Label:
    try:
        start, end = float(row["start"] or 0), float(row["end"] or math.inf)
    except (TypeError, ValueError):
        start = end = math.nan
    if not 0 <= start < end:
        raise InputError(f"{name}, line {number}: no span of seconds", remedy="Write start and end, start first")
    if row["verdict"] not in VERDICTS:
        raise InputError(f"{name}, line {number}: no verdict", remedy=f"Write one of {', '.join(VERDICTS)}")
    return Label(from_csv_cell(row["video"]), start, end, row["verdict"], from_csv_cell(row.get("reason") or ""))


def _plain(name: str) -> str:
    """A file name without its suffix, in lower case, all else than letters and digits a dash."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\.[A-Za-z0-9]{2,4}$", "", name).lower()).strip("-")


def match(labels: Sequence[Label], spans: Iterable[Span], files: Mapping[str, str]) -> list[tuple[Span, Label | None]]:
    """Each shot with the label that covers most of it; None if no label covers half of it.

    Args:
        labels: name videos by id, or by file name in any case and punctuation, with or without suffix.
        spans: the shots.
        files: file names of the videos, by id; a video that is missing can be named by its id only.
    """
    found: list[tuple[Span, Label | None]] = []
    plain = {id: _plain(name) for id, name in files.items()}
    named = [(label, _plain(label.video)) for label in labels]
    for span in spans:
        own = [label for label, name in named if label.video == span.video or name == plain.get(span.video)]
        covered = [(min(label.end, span.end) - max(label.start, span.start), label) for label in own]
        best = max(covered, key=lambda pair: pair[0], default=(0.0, None))
        found.append((span, best[1] if 2 * best[0] >= span.end - span.start > 0 else None))
    return found


def unmet(labels: Sequence[Label], matched: Iterable[tuple[Span, Label | None]]) -> list[Label]:
    """Labels that match no shot."""
    met = {label for _, label in matched}
    return [label for label in labels if label not in met]
