"""The sample world as test clips with true poses and disparity, for ``sample-v1`` and ``sample-v2``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float16, UInt8

from flythrough.errors import InputError
from flythrough.media.image_files import write_image
from flythrough.media.video_reader import frames as decode
from flythrough.sample.film import film
from flythrough.sample.videos import make_sample
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.clips import CAMERA_FILE, DISPARITY, FRAMES, frame_name
from flythrough.workspace import progress
from flythrough.workspace.catalog import Row, Workspace, to_json
from flythrough.workspace.files import read_json, sha256_of_folder

from .protocol import load_protocol
from .recipe import Recipe

FILMED = ("sample-v1", "sample-v2")
# Not the islands of `flythrough sample` at its defaults, which models may have been trained on.
VIDEOS, SECONDS, WIDTH, HEIGHT, SEED, FPS = 3, 8, 320, 200, 1000, 8


def film_protocol(workspace: Workspace, name: str) -> list[Row]:
    """Film the clips of the sample protocol ``name``; replaces the ``clips`` table.

    Raises:
        InputError: it is of recorded clips.
    """
    recipe = load_protocol(name).header.recipe
    if recipe is not None:
        return film_recipe(workspace, recipe)
    if name not in FILMED:
        raise InputError(f"{name} is not filmed", remedy=f"Use {' or '.join(FILMED)}")
    return film_sample_clips(workspace)


def film_sample_clips(workspace: Workspace) -> list[Row]:
    """Film the videos of ``sample-v1`` and write their usable shots as test clips; replaces the ``clips`` table."""
    folder = workspace / "sample"
    videos = make_sample(folder, VIDEOS, SECONDS, WIDTH, HEIGHT, SEED, FPS)
    rows = [row for video in videos for row in _clips_of(video, workspace)]
    if not rows:
        raise InputError(f"{folder} has no usable shot", remedy="Report it: the sample world has changed")
    workspace.write("clips", rows)
    return rows


def film_recipe(workspace: Workspace, recipe: Recipe) -> list[Row]:
    """Film the takes of a recipe as test clips; replaces the ``clips`` table. Takes some seconds per island."""
    rows = []
    with progress.bar("Filming", recipe.islands, "islands") as advance:
        for id, island, kind in recipe.takes():
            take = film(
                island, kind, recipe.frames / recipe.fps, width=recipe.width, height=recipe.height, fps=recipe.fps
            )
            rows.append(_write_clip(id, id, list(take.images), take.disparity, take.cameras(id), workspace, island))
            advance(1, note=id)
    workspace.write("clips", rows)
    return rows


def _clips_of(video: Path, workspace: Workspace) -> list[Row]:
    truth = read_json(video.with_suffix(".json"))
    images = [frame.image for frame in decode(video)]
    with np.load(video.with_suffix(".npz")) as archive:
        rows = []
        for shot in truth["shots"]:
            if not shot["usable"] or shot["box"] != [0, 0, truth["width"], truth["height"]]:
                continue
            chosen = list(range(shot["start_frame"], shot["end_frame"]))
            times_us = np.round(np.arange(len(chosen)) * 1e6 / FPS).astype(np.int64)
            cameras = Cameras(video.name, times_us, archive["intrinsics"][chosen], archive["poses"][chosen])
            disparity = [archive[f"{frame:06d}"] for frame in chosen]
            id, shown = f"{video.stem}_{shot['index']:02d}", [images[frame] for frame in chosen]
            rows.append(_write_clip(id, video.stem, shown, disparity, cameras, workspace, truth["world_seed"]))
    return rows


def _write_clip(
    id: str,
    video_id: str,
    images: list[UInt8[np.ndarray, "h w 3"]],
    disparities: Iterable[Float16[np.ndarray, "_h _w"]],
    cameras: Cameras,
    workspace: Workspace,
    island: int,
) -> Row:
    import cv2

    folder = workspace / "sfm" / id
    (folder / FRAMES).mkdir(parents=True, exist_ok=True)
    height, width = images[0].shape[:2]
    disparity = {}
    for index, (image, found) in enumerate(zip(images, disparities, strict=True)):
        write_image(folder / FRAMES / frame_name(index), image)
        large = cv2.resize(found.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
        disparity[f"{index:06d}"] = large.astype(np.float16)
    np.savez(folder / DISPARITY, **disparity)
    write_cameras(folder / CAMERA_FILE, cameras)
    relative = folder.relative_to(workspace.root).as_posix()
    return {
        "id": id, "shot_id": id, "video_id": video_id, "split": "test", "frame_count": len(images),
        "camera_file": f"{relative}/{CAMERA_FILE}", "folder": relative, "width": width, "height": height, "steps": 1,
        "scale": 1.0, "disparity": "truth", "sha256": sha256_of_folder(folder),
        "measures": to_json({"island": island}),
    }  # fmt: skip
