"""The shots of a workspace that were kept or dropped, as spans of time."""

from __future__ import annotations

import re
from pathlib import Path

from flythrough.workspace.catalog import Workspace

from .labels import Span


def names_of(video_id: str) -> tuple[str, str]:
    """What a label may call a video: its id, or that without the hash at its end, as file names are in ids."""
    return video_id, re.sub(r"-[0-9a-f]{12}$", "", video_id)


def spans_of(root: Path) -> list[Span]:
    """Every shot that curation decided on; what is no shot (a video without any) is passed over."""
    workspace = Workspace(root)
    workspace.require("videos", "shots")
    names = {v["id"]: names_of(v["id"]) for v in workspace.rows("videos")}
    decided = [(row["id"], None) for row in workspace.rows("shots")]
    decided += [(row["id"], row["reason"]) for row in workspace.rows("drops") if row["stage"] == "curate"]
    spans = []
    for id, reason in decided:
        found = re.fullmatch(r"(.+)-(\d+)-(\d+)", id)  # how curate names a shot: video, start, end in microseconds
        if found is not None and found[1] in names:
            spans.append(Span(id, names[found[1]], int(found[2]) / 1e6, int(found[3]) / 1e6, reason))
    return spans
