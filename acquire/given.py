"""Clips whose poses are given: their frames are found by time and extracted in one decoding pass."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64

from flythrough.errors import InputError
from flythrough.media.frame_hashes import hashes_file, read_frame_hashes
from flythrough.media.image_files import write_image
from flythrough.media.video_reader import decode_times, frame_times
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.workspace.addresses import public_url
from flythrough.workspace.catalog import Row, to_json
from flythrough.workspace.files import JsonObject, sha256_of
from flythrough.workspace.stage import Job, Outcome

from .alignment import Alignment, Copy, align
from .config import Frames
from .failures import FetchError
from .sources.camera_text import read_camera_text

MIN_FRAMES = 2  # fewer are not a clip


@dataclass(frozen=True)
class Found:
    """A clip's cameras, and which frame of the video each belongs to.

    Attributes:
        key: the clip's.
        split: train, validation or test.
        cameras: as given, lines without a frame included, at the times of the video that is here.
        given_us: the times as they are given.
        alignment: how the clip lies in the video that is here; None if no hashes of its frames were given.
        ticks: presentation timestamp of each line's frame, in the stream's time base.
        here: whether there is such a frame.
        span_us: from the first frame's start to the last frame's end, presentation time.
        faults: malformed lines of the file.
    """

    key: str
    split: str
    cameras: Cameras
    given_us: Int64[np.ndarray, "n"]
    alignment: Alignment | None
    ticks: Int64[np.ndarray, "n"]
    here: Bool[np.ndarray, "n"]
    span_us: tuple[int, int]
    faults: int


def nearest_frames(
    wanted_us: Int64[np.ndarray, "n"], frames_us: Int64[np.ndarray, "m"]
) -> tuple[Int64[np.ndarray, "n"], Bool[np.ndarray, "n"]]:
    """For each requested time, the index of the nearest frame and whether it is within half a frame.

    Half a frame is half the median distance of frames. Of two times that meet in one frame the nearer has it.
    """
    after = np.clip(np.searchsorted(frames_us, wanted_us), 1, max(1, len(frames_us) - 1))
    before = after - 1
    after = np.minimum(after, len(frames_us) - 1)
    closer = frames_us[after] - wanted_us < wanted_us - frames_us[before]
    place = np.where(closer, after, before)
    distance = np.abs(frames_us[place] - wanted_us)
    spacing = float(np.median(np.diff(frames_us))) if len(frames_us) > 1 else 0.0
    here = distance <= spacing / 2 + 1  # the times are rounded to microseconds
    for twice in [p for p, n in Counter(place[here].tolist()).items() if n > 1]:
        rivals = np.flatnonzero(here & (place == twice))
        here[np.delete(rivals, distance[rivals].argmin())] = False
    return place, here


def given_clips(job: Job, video: Path, outcome: Outcome, config: Frames) -> None:
    """Find and extract the clips of a task's video.

    Args:
        job: the task, with its camera files.
        video: the verified file.
        outcome: has the video's row, which gets its ``camera_folder``; rows of ``clips``, and errors of
            clips without frames, are added.
        config: how to extract frames.

    Raises:
        FetchError: the video has no frame of any clip.
    """
    (row,) = outcome.rows
    folder, files = Path(job.task.hints["folder"]), job.task.hints["files"]
    film = _Film(*frame_times(video), row["duration_us"], Copy(video))
    clips: list[Found] = []
    for key, split, *known in job.task.inputs["clips"]:
        try:
            clips.append(_find(key, split, folder / files[key], known, film))
        except InputError as error:
            message = f"{key}: {error.message}"
            outcome.errors.append({"id": key, "kind": error.kind, "message": message, "remedy": error.remedy})
    whole = [clip for clip in clips if clip.here.sum() >= MIN_FRAMES]
    if not whole:
        raise FetchError(
            f"No clip's frames are in the video, which is {row['duration_us'] / 1e6:.3f} s long",
            kind="format",
            remedy="It may be another edit than the camera files were made from",
        )
    width, height = _extract(job, video, whole, row, config)
    for clip in whole:
        write_cameras(_camera_file(job, clip), _kept(clip))
    row["camera_folder"] = job.path_of(job.folder / "cameras")
    outcome.others["clips"] = [_clip_row(job, clip, width, height) for clip in whole]
    outcome.errors += [_too_few(clip) for clip in clips if clip.here.sum() < MIN_FRAMES]


@dataclass(frozen=True)
class _Film:
    """The video that is here: its frames' times, in its time base and in microseconds, its length, and its looks."""

    ticks: Int64[np.ndarray, "m"]
    times_us: Int64[np.ndarray, "m"]
    duration_us: int
    copy: Copy


def _find(key: str, split: str, file: Path, known: list[str], film: _Film) -> Found:
    """Find the frames of a camera file: by its hashes, if there are any, and then by its times.

    Raises:
        FetchError: it is not the file that was listed, whose hashes are ``known``.
        InputError: its frames are not in the video, or its hashes are broken.
    """
    text, hashes = read_camera_text(file), hashes_file(file)
    if [text.sha256, *([sha256_of(hashes)] if hashes.is_file() else [])] != known:
        raise FetchError(f"{file} changed during the run", kind="format", remedy="Run the same command again")
    cameras, alignment = text.cameras, None
    if hashes.is_file():
        alignment = align(read_frame_hashes(hashes), film.copy)
        cameras = replace(cameras, timestamps_us=alignment.times_us(cameras.timestamps_us))
    times_us = film.times_us
    place, here = nearest_frames(cameras.timestamps_us, times_us)
    ends = np.append(times_us[1:], times_us[0] + film.duration_us)
    span = (int(times_us[place[here]][0]), int(ends[place[here]][-1])) if here.any() else (0, 0)
    given_us, faults = text.cameras.timestamps_us, len(text.faults)
    return Found(key, split, cameras, given_us, alignment, film.ticks[place], here, span, faults)


def _extract(job: Job, video: Path, clips: list[Found], row: Row, config: Frames) -> tuple[int, int]:
    """Write every clip's frames; returns their size."""
    import cv2

    scale = min(1.0, config.height_px / row["height"])
    width, height = round(row["width"] * scale), round(row["height"] * scale)
    if not config.extract:
        return width, height
    folder = job.folder / "frames"
    places: dict[int, list[Path]] = {}
    for clip in clips:
        (folder / clip.key).mkdir(parents=True)
        for tick, time_us in zip(clip.ticks[clip.here], clip.cameras.timestamps_us[clip.here], strict=True):
            places.setdefault(int(tick), []).append(folder / clip.key / f"{int(time_us)}.{config.format}")
    options = [cv2.IMWRITE_JPEG_QUALITY, 95] if config.format == "jpg" else [cv2.IMWRITE_PNG_COMPRESSION, 3]
    for frame in decode_times(video, frozenset(places), width=width, height=height):
        for path in places.pop(frame.pts):
            write_image(path, frame.image, options)
    if places:
        raise FetchError(
            f"{len(places)} frames of the video do not decode",
            kind="format",
            remedy=f"Delete acquire/.downloads/{job.task.id} in the workspace, then run with --retry-errors",
        )
    return width, height


def _kept(clip: Found) -> Cameras:
    cameras = clip.cameras
    return Cameras(
        public_url(cameras.url),
        cameras.timestamps_us[clip.here],
        cameras.intrinsics[clip.here],
        cameras.poses[clip.here],
    )


def _camera_file(job: Job, clip: Found) -> Path:
    return job.folder / "cameras" / f"{clip.key}.txt"


def _clip_row(job: Job, clip: Found, width: int, height: int) -> Row:
    file = _camera_file(job, clip)
    measures: JsonObject = {
        "listed": len(clip.given_us) + clip.faults,
        "malformed_lines": clip.faults,
        "missing_us": clip.given_us[~clip.here].tolist(),
    }
    if clip.alignment is not None:
        measures["alignment"] = clip.alignment.figures
    return {
        "id": clip.key,
        "shot_id": f"{job.task.id}-{clip.span_us[0]}-{clip.span_us[1]}",  # as curate names it
        "video_id": job.task.id,
        "split": clip.split,
        "frame_count": int(clip.here.sum()),
        "camera_file": job.path_of(file),
        "folder": None,
        "width": width,
        "height": height,
        "steps": 1,
        "scale": 1.0,
        "disparity": None,
        "sha256": sha256_of(file),
        "measures": to_json(measures),
    }


def _too_few(clip: Found) -> Row:
    return {
        "id": clip.key,
        "kind": "format",
        "message": f"{clip.key}: {int(clip.here.sum())} of its {len(clip.here)} times are in the video",
        "remedy": "The video is shorter than, or another edit of, the one that the camera file was made from",
    }
