"""From shots to posed clips with disparity: the front door."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

from flythrough.errors import InputError
from flythrough.workspace.catalog import TABLES, Workspace
from flythrough.workspace.files import JsonObject, content_key, key_text, sha256_of
from flythrough.workspace.records.packed import PackedRows
from flythrough.workspace.records.row_texts import row_texts
from flythrough.workspace.stage import Job, Outcome, Resources, Stage, Task

from .config import SfmConfig

# By glog's InstallFailureSignalHandler, which pycolmap calls when it is imported.
_HANDLED_BY_COLMAP = (
    signal.SIGTERM, signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGFPE, signal.SIGILL,
)  # fmt: skip


def tasks(workspace: Workspace, config: SfmConfig) -> Iterator[Task]:
    """One task per shot, and one for the folder of photos if there is one."""
    if config.images is None or workspace.has("shots"):
        workspace.require("videos", "shots")
    of_video = ("id", "path", "sha256", "url", "width", "height")
    videos = {id: text for text, id in row_texts(workspace, "videos", of_video, ("id",))}
    clips = {row["id"] for row in workspace.scan("clips", ("id",))}
    of_shot, apart = TABLES["shots"].keys() - {"measures"}, ("id", "video_id", "overlay_file", "camera_file")
    for shot, id, video, overlay, cameras in row_texts(workspace, "shots", of_shot, apart):
        files = _files(workspace, id, overlay, cameras, clips) if overlay or cameras else ""
        yield Task(id, f'{{{files}"shot":{shot},"video":{videos[video]}}}')  # names in order, as in any key
    if config.images is not None:
        yield photo_task(config.images)


def _files(workspace: Workspace, shot: str, overlay: str, cameras: str, clips: set[str]) -> str:
    """The inputs of a shot that has files of its own, as the start of a JSON object's text."""
    inputs: JsonObject = {}
    if cameras:
        name = Path(cameras).stem
        inputs |= {"camera_file_sha256": _hash(workspace / cameras), "clip": name if name in clips else shot}
    if overlay:
        inputs["overlay_file_sha256"] = _hash(workspace / overlay)
    return key_text(inputs)[1:-1] + ","


def _hash(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        remedy = "Run: flythrough verify --repair, then flythrough curate"
        raise InputError(f"{path}, which a shot needs, cannot be read: {error.strerror}", remedy=remedy) from error


def photo_task(folder: Path) -> Task:
    """The task for a folder of photos; its id is a hash of the photos' names and contents."""
    from .photos import photo_files

    files = photo_files(folder)
    video = "photos-" + content_key([(file.name, sha256_of(file)) for file in files])[:16]
    return Task(f"{video}_0_{len(files) * 1_000_000}", {"video_id": video}, {"folder": str(folder.absolute())})


def run(job: Job, config: SfmConfig) -> Outcome:
    """Reconstruct one shot."""
    load_colmap()
    from .reconstruct import process

    return process(job, config)


def load_colmap() -> None:
    """Import pycolmap with its log silenced.

    A model that cannot be built is not an error: the shot is dropped with the reason. pycolmap's signal handlers are
    removed: they would report a crash when a worker is told to stop, and while they report a true one they can wait
    for a lock that the crash holds, so that the worker never dies.
    """
    before = {number: signal.getsignal(number) for number in _HANDLED_BY_COLMAP}
    import pycolmap

    pycolmap.logging.minloglevel = 3
    if threading.current_thread() is threading.main_thread():
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


def finish(outcome: Outcome, workspace: Workspace, config: SfmConfig) -> Outcome:
    """Apply the rules, and give each kept clip its video's split."""
    from .decide import decide
    from .splits import assign_splits, near_duplicates

    outcome = decide(outcome, config.quality)
    twins = near_duplicates(
        list(workspace.scan("videos", ("id", "perceptual_hash"))), config.splits.near_duplicate_bits
    )
    given = {row["video_id"]: row["split"] for row in Workspace(workspace / "acquire").rows("clips")}
    splits = assign_splits(sorted({row["video_id"] for row in outcome.rows}), twins, given, config.splits)
    rows = PackedRows({**row, "split": splits[row["video_id"]]} for row in outcome.rows)
    return Outcome(rows, outcome.drops, outcome.errors, outcome.others)


def again(folder: Path, outcome: Outcome, config: SfmConfig) -> bool:
    """Whether the rules now accept something that they dropped before."""
    from .decide import relents

    return relents(outcome, config.quality)


STAGE = Stage(
    name="sfm",
    version=6,
    table="clips",
    config=SfmConfig,
    tasks=tasks,
    run=run,
    finish=finish,
    again=again,
    resources=lambda config: Resources(
        gpus=float(config.disparity.device == "cuda"), memory_gb=1.5, time_limit_s=config.time_limit_s
    ),
)
