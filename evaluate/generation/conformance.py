"""A small conformance test for a method: two short flights over a synthetic coast."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from flythrough.media.image_files import write_image
from flythrough.results.methods import Setting
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.clips import CAMERA_FILE, DISPARITY, FRAMES, frame_name
from flythrough.scene.geometry import default_intrinsics
from flythrough.workspace.catalog import Workspace, to_json
from flythrough.workspace.files import sha256_of_folder

from ..methods.registry import MethodFailure, Spec
from ..protocols.build import Choices, build_from_workspace
from ..protocols.source import Source
from .frames import check_flights, expected_flights
from .generate import generate
from .refused import with_picture

STEPS = 4


def check_method(
    spec: Spec, *, height: int, width: int, checkpoint: Path | None, time_limit_s: float, picture: Path
) -> Iterator[str]:
    """Run the test; yields one line for each check that passes. A frame that fails is written to ``picture``.

    Raises:
        MethodFailure: a check fails; says which.
    """
    with tempfile.TemporaryDirectory() as folder:
        workspace = coast_workspace(Path(folder) / "workspace", height, width)
        protocol = build_from_workspace(workspace, Choices(steps=STEPS, view_steps=(2,), starts_per_clip=2), "check-v1")
        source = Source(protocol, workspace)
        setting = Setting(protocol.name, height, width, STEPS, "cpu", checkpoint)
        hashes = []
        for attempt in ("first", "second"):
            began = time.monotonic()
            try:
                frames = generate(spec, source, Path(folder) / attempt, setting, time_limit_s)
                found = check_flights(frames, expected_flights(source), height, width)
            except MethodFailure as failure:
                raise with_picture(failure, Path(folder) / attempt / "frames", picture) from failure
            hashes.append({id: flight.sha256() for id, flight in found.items()})
            if attempt == "first":
                count = sum(map(len, found.values()))
                yield f"{len(found)} flights, {count} frames, in {time.monotonic() - began:.1f} s with start-up"
                yield f"every frame is 8-bit RGB, {width} x {height}"
        same = hashes[0] == hashes[1]
        yield "the same seed gives the same frames" if same else "NOTE: the same seed gave other frames the second time"


def coast_workspace(root: Path, height: int, width: int, frames: int = 4) -> Workspace:
    """A workspace with one clip: bands of sea under a sky, the camera moving ahead."""
    folder = root / "sfm" / "coast"
    (folder / FRAMES).mkdir(parents=True)
    intrinsics = default_intrinsics(height, width)
    rows = (np.arange(height) + 0.5) / height
    disparity = np.repeat(np.clip((rows - 0.35) / 0.65, 0, 1)[:, None], width, 1)
    poses = np.stack([np.concatenate([np.eye(3), [[0.0], [0.0], [-0.2 * index]]], 1) for index in range(frames)])
    for index in range(frames):
        write_image(folder / FRAMES / frame_name(index), _coast(disparity, index))
    np.savez(folder / DISPARITY, **{f"{i:06d}": disparity.astype(np.float16) for i in range(frames)})  # type: ignore[arg-type]
    times_us = np.arange(frames, dtype=np.int64) * 100_000
    write_cameras(folder / CAMERA_FILE, Cameras("coast", times_us, np.tile(intrinsics, (frames, 1)), poses))
    workspace = Workspace(root)
    row = {
        "id": "coast", "shot_id": "coast", "video_id": "coast", "split": "test", "frame_count": frames,
        "camera_file": f"sfm/coast/{CAMERA_FILE}", "folder": "sfm/coast", "width": width, "height": height, "steps": 1,
        "scale": 1.0, "disparity": "made up", "sha256": sha256_of_folder(folder), "measures": to_json({}),
    }  # fmt: skip
    workspace.write("clips", [row])
    return workspace


def _coast(disparity: np.ndarray, index: int) -> np.ndarray:
    width = disparity.shape[1]
    x = (np.arange(width) + 0.5) / width - 0.5
    depth = 1 / np.maximum(disparity, 0.02)
    waves = np.sin(6 * (depth + 0.2 * index)) * np.sin(9 * x[None] * depth)
    ground = np.stack([0.2 + 0.1 * waves, 0.4 + 0.15 * waves, 0.5 + 0.1 * waves], -1)
    sky = np.broadcast_to([0.6, 0.75, 0.95], ground.shape)
    return np.round(np.where(disparity[..., None] > 0, ground, sky) * 255).astype(np.uint8)
