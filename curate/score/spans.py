"""The shots of a workspace that were kept or dropped, as spans of time."""

from __future__ import annotations

import json
import re
from pathlib import Path

from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import JsonObject

from .labels import Span


def names_of(video_id: str) -> tuple[str, str]:
    """What a label may call a video: its id, or that without the hash at its end, as file names are in ids."""
    return video_id, re.sub(r"-[0-9a-f]{12}$", "", video_id)


def spans_of(root: Path) -> list[Span]:
    """Every shot that curation decided on; what is no shot (a video without any) is passed over."""
    workspace = Workspace(root)
    workspace.require("videos", "shots")
    videos = {video["id"] for video in workspace.rows("videos")}
    decided = [(row["id"], None, row["measures"]) for row in workspace.rows("shots")]
    decided += [
        (row["id"], row["reason"], row["values"]) for row in workspace.rows("drops") if row["stage"] == "curate"
    ]
    found = (as_span(id, id.rsplit("-", 2)[0], reason, json.loads(measures)) for id, reason, measures in decided)
    return [span for span in found if span is not None and span.names[0] in videos]


def as_span(id: str, video_id: str, reason: str | None, measures: JsonObject | None = None) -> Span | None:
    """A shot as a span, from its id: video, start and end in microseconds; None where the id is no shot's."""
    found = re.fullmatch(r"(\d+)-(\d+)", id.removeprefix(f"{video_id}-"))
    if found is None:
        return None
    start, end = (int(part) / 1e6 for part in found.groups())
    return Span(id, names_of(video_id), start, end, reason, measures or {})
