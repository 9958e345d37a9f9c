"""Where did the camera of a flight go? Structure from motion on its frames, compared with the commanded path.

COLMAP runs in a process of its own, because generated frames can make it crash, or never end. The path is then not
known, which is not the same as that there is none.
"""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Int, UInt8

from flythrough.media.image_files import write_image
from flythrough.scene.geometry import Intrinsics
from flythrough.workspace.worker import WALL_CLOCK_FACTOR, end_with

from .figures import figures
from .path import Path as CameraPath

if TYPE_CHECKING:
    import pycolmap

HEIGHT = 240  # smaller frames are enlarged to this height: SIFT finds little in them
OVERLAP = 5  # frames that each frame is matched to
FEATURES = 2048  # most per frame
ERROR_PX = 1.5  # of a match, in enlarged pixels; at COLMAP's 4 the path of recorded frames bends by a tenth
SEED, THREADS = 0, 1  # flights are reconstructed in parallel
IMAGES, POSES = "images", "poses.npz"

Frame = UInt8[np.ndarray, "h w 3"]
Poses = Float[np.ndarray, "n 3 4"]


@dataclass(frozen=True)
class Recovered:
    """A camera path that structure from motion found in a flight.

    Attributes:
        registered: share of the flight's frames that have a pose; None if that was not measured.
        figures: how far it is from the commanded one (:func:`.figures.figures`); None if fewer than three frames have a
            pose, or nothing was measured.
        why_not: why nothing was measured.
    """

    registered: float | None
    figures: dict[str, float | None] | None
    why_not: str | None = None


def recover(frames: list[Frame], poses: Poses, intrinsics: Intrinsics, time_limit_s: int = 120) -> Recovered:
    """Reconstruct a flight and compare its camera with the commanded one.

    Args:
        frames: the start frame, then one per step.
        poses: commanded cam_from_world of each.
        intrinsics: fx fy cx cy, normalised; taken as known.
        time_limit_s: seconds of processor time after which the path counts as not measured, as if COLMAP crashes.

    Raises:
        OSError: the disk of temporary files is full.
    """
    if _still(frames):
        return Recovered(0.0, None)
    with tempfile.TemporaryDirectory(prefix="flythrough-recover-") as scratch:
        folder = Path(scratch)
        _write_frames(folder / IMAGES, frames)
        if why_not := _run(folder, intrinsics, time_limit_s):
            return Recovered(None, None, why_not)
        with np.load(folder / POSES) as found:
            placed, recovered = found["placed"], found["poses"]
    path = CameraPath.of(recovered, placed, poses)
    return Recovered(len(placed) / len(frames), None if path is None else figures(path))


def _still(frames: list[Frame]) -> bool:
    """Whether all frames are one picture. COLMAP finds no path in such a flight either, and takes 20 s for it."""
    return all(np.array_equal(frame, frames[0]) for frame in frames[1:])


def _run(folder: Path, intrinsics: Intrinsics, time_limit_s: int) -> str | None:
    """Reconstruct in a process of its own; returns why it failed, or None if it did not."""
    arguments = [str(folder), str(os.getpid()), str(time_limit_s), *map(str, intrinsics)]
    command = [sys.executable, "-m", "flythrough.evaluate.following.reconstruct", *arguments]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=WALL_CLOCK_FACTOR * time_limit_s)
    except subprocess.TimeoutExpired:
        return f"structure from motion took over {WALL_CLOCK_FACTOR * time_limit_s} s"
    if ended.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        return f"structure from motion took over {time_limit_s} s of processor time, or too much memory"
    if "No space left" in ended.stderr or "disk is full" in ended.stderr:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(folder.parent))
    if ended.returncode != 0:
        lines = ended.stderr.strip().splitlines() or [f"exit code {ended.returncode}"]
        return f"structure from motion crashed: {lines[-1][:200]}"
    return None


def _write_frames(folder: Path, frames: list[Frame]) -> None:
    import cv2

    folder.mkdir()
    height, width = frames[0].shape[:2]
    size = (round(width * HEIGHT / height), HEIGHT)
    for index, frame in enumerate(frames):
        large = frame if height >= HEIGHT else cv2.resize(frame, size, interpolation=cv2.INTER_CUBIC)
        write_image(folder / f"{index:06d}.png", large)


def reconstruct(folder: Path, intrinsics: list[float]) -> tuple[Int[np.ndarray, "k"], Poses]:
    """Run COLMAP on a folder's images; (numbers of the frames in the largest model, their cam_from_world)."""
    import pycolmap

    pycolmap.set_random_seed(SEED)
    database = folder / "database.db"
    names = sorted(path.name for path in (folder / IMAGES).iterdir())
    height, width = _size(folder / IMAGES / names[0])
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = "PINHOLE"
    reader.camera_params = ",".join(map(str, np.array(intrinsics) * [width, height, width, height]))
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.num_threads, extraction.use_gpu, extraction.sift.max_num_features = THREADS, False, FEATURES
    pycolmap.extract_features(
        database, folder / IMAGES, camera_mode=pycolmap.CameraMode.SINGLE, reader_options=reader,
        extraction_options=extraction, device=pycolmap.Device.cpu,
    )  # fmt: skip
    pairing, matching = pycolmap.SequentialPairingOptions(), pycolmap.FeatureMatchingOptions()
    pairing.overlap, pairing.quadratic_overlap = OVERLAP, False
    matching.use_gpu, matching.num_threads = False, THREADS
    verification = pycolmap.TwoViewGeometryOptions()
    verification.ransac.random_seed = SEED
    verification.ransac.max_error = ERROR_PX
    pycolmap.match_sequential(database, matching, pairing, verification, device=pycolmap.Device.cpu)
    models = pycolmap.global_mapping(database, folder / IMAGES, folder, _mapping())
    if not models:
        return np.empty(0, np.int64), np.empty((0, 3, 4))
    model = max(models.values(), key=lambda each: each.num_reg_images())
    placed = {image.name: image.cam_from_world().matrix() for image in model.images.values() if image.has_pose}
    numbers = [number for number, name in enumerate(names) if name in placed]
    return np.array(numbers), np.stack([placed[names[number]] for number in numbers])


def _mapping() -> pycolmap.GlobalPipelineOptions:
    """COLMAP's global mapper: the incremental one bends the path of a camera that flies ahead and turns."""
    import pycolmap

    options = pycolmap.GlobalPipelineOptions()
    options.num_threads, options.random_seed = THREADS, SEED
    mapper = options.mapper
    mapper.num_threads, mapper.random_seed = THREADS, SEED
    for part in (mapper.global_positioning, mapper.rotation_averaging, mapper.retriangulation):
        part.random_seed = SEED
    mapper.min_tri_angle_deg = 0.5
    mapper.bundle_adjustment.refine_focal_length = mapper.bundle_adjustment.refine_extra_params = False
    mapper.bundle_adjustment.ceres.solver_options.num_threads = THREADS
    return options


def _size(image: Path) -> tuple[int, int]:
    import cv2

    picture = cv2.imread(str(image))
    assert picture is not None, "written a moment ago"
    height, width = picture.shape[:2]
    return int(height), int(width)


def main(folder: Path, parent: int, limit_s: int, intrinsics: list[float]) -> None:
    """Entry point of the process that :func:`recover` starts; it ends with its parent."""
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (limit_s, limit_s + 5))
    placed, poses = reconstruct(folder, intrinsics)
    np.savez(folder / POSES, placed=placed, poses=poses)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), [float(value) for value in sys.argv[4:]])
