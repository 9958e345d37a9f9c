"""Labels of spans of video: read from CSV, and laid over the shots that curation found."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from flythrough.errors import InputError
from flythrough.workspace.files import JsonObject
from flythrough.workspace.printing import from_csv_cell

COLUMNS = ("video", "start", "end", "verdict")
ID_NAME = 40  # characters of a file's name that acquire takes into an id
VERDICTS = ("keep", "drop", "unsure")


@dataclass(frozen=True)
class Label:
    """A person's word on a span of a video, seconds; ``video`` is its id, or its file's name."""

    video: str
    start: float
    end: float
    verdict: str
    reason: str = ""


@dataclass(frozen=True)
class Span:
    """A shot that curation found, seconds; ``reason`` is the rule that drops it, None if it is kept."""

    id: str
    names: tuple[str, ...]  # what a label may call the video
    start: float
    end: float
    reason: str | None
    measures: JsonObject = field(default_factory=dict)


def read_labels(path: Path) -> list[Label]:
    """Labels of a CSV file; other columns are passed over, an empty start or end is the video's.

    Raises:
        InputError: the file cannot be read, lacks a column, or a line says no span or no known verdict.
    """
    try:
        return parse_labels(Path(path).read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} cannot be read as CSV: {error}", remedy="Check --labels") from error


def parse_labels(text: str, name: str) -> list[Label]:
    """Labels of a CSV file's text; ``name`` is what an error calls it.

    Raises:
        InputError: a column is missing, or a line says no span or no known verdict.
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


def _names(label: Label) -> set[str]:
    stem = re.sub(r"\.[A-Za-z0-9]{2,4}$", "", label.video).lower()
    slug = re.sub(r"[^a-z0-9]+", "-", stem).strip("-")
    return {label.video, slug, slug[:ID_NAME].strip("-")}


def match(labels: Sequence[Label], spans: Iterable[Span]) -> list[tuple[Span, Label | None]]:
    """Each shot with the label that covers most of it; None where none covers half of it."""
    found: list[tuple[Span, Label | None]] = []
    for span in spans:
        covered = [(min(x.end, span.end) - max(x.start, span.start), x) for x in labels if _names(x) & set(span.names)]
        best = max(covered, key=lambda pair: pair[0], default=(0.0, None))
        found.append((span, best[1] if 2 * best[0] >= span.end - span.start > 0 else None))
    return found


def unmet(labels: Sequence[Label], matched: Iterable[tuple[Span, Label | None]]) -> list[Label]:
    """Labels that speak for no shot."""
    met = {label for _, label in matched}
    return [label for label in labels if label not in met]
