"""The outcome of given clips: those without a video are accounted for, and coverage is counted by split."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from pathlib import Path

from flythrough.workspace.catalog import Row
from flythrough.workspace.files import JsonObject, write_json, write_text
from flythrough.workspace.printing import csv_cell
from flythrough.workspace.stage import Outcome

from .sources.camera_files import GivenClip, Index

ALIGNED = {"offset_s": "offset_s", "rate": "rate", "certainty": "matched"}  # columns, by figures of an alignment


def account_for_clips(outcome: Outcome, index: Index) -> None:
    """Add an error, or a drop, for every clip whose video is not there; and an error for every malformed line."""
    failed = {row["id"]: row for row in outcome.errors}
    dropped = {row["id"]: row for row in outcome.drops}
    for clip in index.clips.values():
        if (error := failed.get(clip.video_id)) is not None:
            message = f"{clip.file}: its video {clip.address.public} failed: {error['message']}"
            outcome.errors.append({**error, "id": clip.key, "message": message})
        elif (drop := dropped.get(clip.video_id)) is not None:
            values = {**(drop.get("values") or {}), "video": clip.video_id}
            outcome.drops.append({"id": clip.key, "reason": drop["reason"], "values": values})
        for fault in clip.faults:
            place = fault.split(": ", 1)[0].rpartition(":")[2]
            remedy = "The other lines are used; fix or remove this one"
            outcome.errors.append(
                {"id": f"{clip.key}:{place}", "kind": "malformed", "message": fault, "remedy": remedy}
            )


def write_coverage(outcome: Outcome, index: Index, folder: Path) -> None:
    """Write ``coverage.csv`` (one line per clip) and ``coverage.json`` (counts by split, odd files)."""
    there = {row["id"]: row for row in outcome.others.get("clips", [])}
    lost = {row["id"]: f"{row['kind']}: {row['message']}" for row in outcome.errors}
    lost |= {row["id"]: f"dropped: {row['reason']}" for row in outcome.drops}
    counts: dict[str, Counter[str]] = {}
    lines = []
    for clip in index.clips.values():
        line = _coverage(clip, there.get(clip.key), lost.get(clip.key, ""))
        lines.append(line)
        counts.setdefault(clip.split, Counter())[line["state"]] += 1
    for key, file, error in index.refused:
        lines.append({"clip": key, "file": file, "state": "missing", "why": f"{error.kind}: {error.message}"})
        counts.setdefault("unknown", Counter())["missing"] += 1
    text = io.StringIO()
    names = ("clip", "file", "split", "video", "url", "state", "listed", "frames", "missing_us", *ALIGNED, "why")
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: csv_cell(v) if isinstance(v, str) else v for k, v in line.items()} for line in lines)
    write_text(folder / "coverage.csv", text.getvalue())
    states = ("whole", "partial", "missing")
    splits = {split: {state: found[state] for state in states} for split, found in sorted(counts.items())}
    clips = list(index.clips.values())
    faults = [fault for clip in clips for fault in clip.faults]
    faults += [error.message for _, _, error in index.refused]
    notes = [note for clip in clips for note in clip.notes]
    write_json(folder / "coverage.json", {"splits": splits, "malformed": faults, "notes": notes})


def _coverage(clip: GivenClip, row: Row | None, why: str) -> JsonObject:
    line: JsonObject = {
        "clip": clip.key, "file": clip.file, "split": clip.split, "video": clip.video_id, "url": clip.address.public,
        "listed": clip.lines + len(clip.faults), "frames": 0, "state": "missing", "why": why,
    }  # fmt: skip
    if row is not None:
        measures = json.loads(row["measures"])
        missing = measures["missing_us"]
        if (found := measures.get("alignment")) is not None:
            line |= {column: found[figure] for column, figure in ALIGNED.items()}
        reasons = [f"{len(missing)} times not in the video"] if missing else []
        reasons += [f"{len(clip.faults)} malformed lines"] if clip.faults else []
        line |= {
            "state": "partial" if reasons else "whole",
            "frames": row["frame_count"],
            "missing_us": " ".join(map(str, missing)),
            "why": "; ".join(reasons),
        }
    return line
