"""Curate: cut videos into shots, measure them, and keep those worth training on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace, to_json
from flythrough.workspace.files import sha256_of_folder, unchanged
from flythrough.workspace.stage import Job, Outcome, Resources, Stage, Task

from .config import CurateConfig

VERSION = 13


def tasks(workspace: Workspace, config: CurateConfig) -> Iterator[Task]:
    """One task per video."""
    workspace.require("videos")
    for video in workspace.rows("videos"):
        yield Task(
            id=video["id"],
            inputs={
                "sha256": video["sha256"],
                "path": video["path"],
                "camera_folder": video["camera_folder"],
                "cameras": sha256_of_folder(workspace / folder) if (folder := video["camera_folder"]) else None,
            },
        )


def run(job: Job, config: CurateConfig) -> Outcome:
    """Scan one video; every shot found becomes a row, and ``finish`` decides which are kept."""
    from .scan import scan
    from .shots import Shot
    from .thumbnails import write_pictures

    inputs = job.task.inputs
    video = unchanged(job.workspace / inputs["path"], inputs["sha256"])
    given = _given_clips(job.workspace, inputs["camera_folder"])
    spans = None if given is None else [span for _, span in given]

    def id_of(shot: Shot) -> str:
        return f"{job.task.id}-{shot.start_us}-{shot.end_us}"

    found = scan(
        video, config, given_us=spans, hand_over=lambda shot: write_pictures(job.folder, id_of(shot), shot.pictures)
    )
    outcome = Outcome()
    if not found.shots:  # for example, black from end to end
        outcome.drops.append({"id": job.task.id, "reason": "no_shot", "values": {}})
    for number, shot in enumerate(found.shots):
        id = id_of(shot)
        top, left, bottom, right = shot.box
        outcome.rows.append(
            {
                "id": id,
                "video_id": job.task.id,
                "start_frame": shot.start_frame,
                "end_frame": shot.end_frame,
                "start_us": shot.start_us,
                "end_us": shot.end_us,
                "crop_left": left,
                "crop_top": top,
                "crop_right": right,
                "crop_bottom": bottom,
                "overlay_file": _write_overlay(job, id, shot.overlay),
                "camera_file": None if given is None else given[number][0],
                "measures": to_json({**shot.measures, "pictures": f"{job.published}/{id}"}),
            }
        )
    if given is not None:
        outcome.rows = sorted(outcome.rows, key=lambda row: row["camera_file"])  # the table's order
    return outcome


def _write_overlay(job: Job, id: str, mask: np.ndarray | None) -> str | None:
    import cv2

    if mask is None:
        return None
    path = job.folder / f"{id}.overlay.png"
    written, data = cv2.imencode(".png", mask.astype("uint8") * 255)
    assert written
    path.write_bytes(data.tobytes())
    return job.path_of(path)


def _given_clips(workspace: Path, folder: str | None) -> list[tuple[str, tuple[int, int]]] | None:
    """Given camera files with their first and last times, or None if shots are to be found.

    They are in the order of their ends, whatever the files are called, so that each can be forgotten when it has ended.
    """
    from flythrough.scene.cameras import read_cameras

    if folder is None:
        return None
    found = []
    for file in sorted((workspace / folder).glob("*.txt")):
        times = read_cameras(file).timestamps_us
        if not len(times):
            raise InputError(f"{file} has no cameras", remedy="Remove it, then run flythrough acquire again")
        found.append((file.relative_to(workspace).as_posix(), (int(times[0]), int(times[-1]))))
    return sorted(found, key=lambda clip: clip[1][1])


def finish(outcome: Outcome, workspace: Workspace, config: CurateConfig) -> Outcome:
    """Rules, duplicates and verdicts over all shots; writes the report."""
    from .decide import decide
    from .report import write_report

    decided = decide(outcome, workspace, config)
    write_report(decided, workspace, config)
    return decided


def resources(config: CurateConfig) -> Resources:
    """A decoder and the measures keep a core and a half busy."""
    return Resources(cpus=1, memory_gb=1.2, time_limit_s=config.time_limit_s)


STAGE = Stage(
    name="curate",
    version=VERSION,
    table="shots",
    config=CurateConfig,
    tasks=tasks,
    run=run,
    finish=finish,
    resources=resources,
)
