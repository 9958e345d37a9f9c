"""The sample world's videos as posed clips, straight from the truth beside them: what ``sample-v1`` is flown on."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from flythrough.errors import InputError
from flythrough.media.image_files import write_image
from flythrough.media.video_reader import frames as decode
from flythrough.sample.videos import make_sample
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.clips import CAMERA_FILE, DISPARITY, FRAMES, frame_name
from flythrough.workspace.catalog import Row, Workspace, to_json
from flythrough.workspace.files import read_json, sha256_of_folder

# Other islands than those of `flythrough sample` at its defaults, which models may have been trained on.
VIDEOS, SECONDS, WIDTH, HEIGHT, SEED, FPS = 3, 8, 320, 200, 1000, 8


def film_sample_clips(workspace: Workspace) -> list[Row]:
    """Film the videos of ``sample-v1`` and write their usable shots as test clips; replaces the ``clips`` table."""
    folder = workspace / "sample"
    videos = make_sample(folder, VIDEOS, SECONDS, WIDTH, HEIGHT, SEED, FPS)
    rows = [row for video in videos for row in _clips_of(video, workspace)]
    if not rows:
        raise InputError(f"{folder} has no usable shot", remedy="Report it: the sample world has changed")
    workspace.write("clips", rows)
    return rows


def _clips_of(video: Path, workspace: Workspace) -> list[Row]:
    truth = read_json(video.with_suffix(".json"))
    images = [frame.image for frame in decode(video)]
    with np.load(video.with_suffix(".npz")) as archive:
        return [
            _write_clip(
                f"{video.stem}_{shot['index']:02d}", video, shot, images, archive, workspace, truth["world_seed"]
            )
            for shot in truth["shots"]
            if shot["usable"] and shot["box"] == [0, 0, truth["width"], truth["height"]]
        ]


def _write_clip(
    id: str,
    video: Path,
    shot: Row,
    images: list[UInt8[np.ndarray, "h w 3"]],
    archive: Mapping[str, np.ndarray],
    workspace: Workspace,
    island: int,
) -> Row:
    import cv2

    chosen = range(shot["start_frame"], shot["end_frame"])
    folder = workspace / "sfm" / id
    (folder / FRAMES).mkdir(parents=True, exist_ok=True)
    height, width = images[0].shape[:2]
    disparity = {}
    for index, frame in enumerate(chosen):
        write_image(folder / FRAMES / frame_name(index), images[frame])
        large = cv2.resize(archive[f"{frame:06d}"].astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        disparity[f"{index:06d}"] = large.astype(np.float16)
    np.savez(folder / DISPARITY, **disparity)
    times_us = np.round(np.arange(len(chosen)) * 1e6 / FPS).astype(np.int64)
    cameras = Cameras(video.name, times_us, archive["intrinsics"][list(chosen)], archive["poses"][list(chosen)])
    write_cameras(folder / CAMERA_FILE, cameras)
    relative = folder.relative_to(workspace.root).as_posix()
    return {
        "id": id, "shot_id": id, "video_id": video.stem, "split": "test", "frame_count": len(chosen),
        "camera_file": f"{relative}/{CAMERA_FILE}", "folder": relative, "width": width, "height": height, "steps": 1,
        "scale": 1.0, "disparity": "truth", "sha256": sha256_of_folder(folder),
        "measures": to_json({"island": island}),
    }  # fmt: skip
