"""The shots of a workspace that were kept or dropped, as spans of time."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from flythrough.errors import InputError
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import JsonObject, read_json

from .labels import Span

PLACE = ("video_id", "start_frame", "end_frame", "start_us", "end_us")  # of a shot: its row's, or its drop's values


@dataclass(frozen=True)
class Decided:
    """What curate decided on: a shot, or a video without any (``start_us`` and ``end_us`` are then None)."""

    id: str
    video_id: str
    start_us: int | None
    end_us: int | None
    reason: str | None  # None: kept
    measures: JsonObject

    def span(self) -> Span | None:
        """The shot in seconds; None if it is not a shot."""
        if self.start_us is None or self.end_us is None:
            return None
        return Span(self.id, self.video_id, self.start_us / 1e6, self.end_us / 1e6, self.reason, self.measures)


def decided_in(workspace: Workspace) -> list[Decided]:
    """All that the last run of curate decided on, the kept shots first.

    Raises:
        InputError: an older version wrote the drops, without saying where their shots lie.
    """
    kept = [(row, None, json.loads(row["measures"])) for row in workspace.rows("shots")]
    drops = [row for row in workspace.rows("drops") if row["stage"] == "curate"]
    dropped = [(row, row["reason"], json.loads(row["values"])) for row in drops]
    return [
        *(_decided(row["id"], row, reason, measures) for row, reason, measures in kept),
        *(_decided(row["id"], values, reason, values) for row, reason, values in dropped),
    ]


def _decided(id: str, place: Row, reason: str | None, measures: JsonObject) -> Decided:
    if "start_frame" in place and not set(PLACE) <= set(place):
        raise InputError(f"{id} was dropped by an older version", remedy="Run: flythrough curate (it decodes nothing)")
    shown = {name: value for name, value in measures.items() if name not in PLACE}
    return Decided(id, place.get("video_id", id), place.get("start_us"), place.get("end_us"), reason, shown)


def file_names(workspace: Workspace) -> dict[str, str]:
    """Each video's file name, by id: the last part of its URL, or what acquire noted of a local file."""
    found = {}
    for row in workspace.scan("videos", ("id", "path", "url")):
        name: str | None = None
        note = (workspace / row["path"]).with_name("provenance.json")
        if row["url"]:
            name = PurePosixPath(unquote(urlsplit(row["url"]).path)).name
        elif note.is_file():
            name = read_json(note).get("file_name")
        if name:
            found[row["id"]] = name
    return found


def spans_of(root: Path) -> list[Span]:
    """Every shot that curation decided on; a video without any shot is left out."""
    workspace = Workspace(root)
    workspace.require("videos", "shots")
    return [span for each in decided_in(workspace) if (span := each.span()) is not None]
