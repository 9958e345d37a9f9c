"""Poses of real photos against a laser scanner's: the sets of Strecha et al. (CVPR 2008).

    python -m benchmarks.sfm_strecha FOLDER [--fetch] [--scenes fountain-P11 Herz-Jesus-P8] [--out FILE.json]

Runs ``flythrough sfm --images`` on every scene in FOLDER (a folder ``images`` of photos, and beside it
``gt_dense_cameras`` with NAME.camera for each) and prints, after the similarity that aligns the camera centres: photos
posed, RMS distance in millimetres (the sets are in metres) and in percent of the path, median rotation, focal length.
``--fetch`` first downloads the archive in which the openMVG project keeps the sets (0.3 GB); an interrupted download
goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.sfm_tables import align, rotation_error_deg
from flythrough.networks.weights_download import download
from flythrough.scene.cameras import Cameras
from flythrough.scene.clips import load_clips
from flythrough.scene.geometry import camera_center, make_pose
from flythrough.sfm.photos import photo_files
from flythrough.workspace.catalog import Workspace

ARCHIVE = "https://github.com/openMVG/SfM_quality_evaluation/archive/refs/heads/master.zip"
TRUTH, PHOTOS = "gt_dense_cameras", "images"


class Truth(NamedTuple):
    """A camera of a set: cam_from_world ``[3, 4]`` in metres, and its focal length in picture widths."""

    pose: np.ndarray
    focal: float


def read_camera(file: Path) -> Truth:
    """Read NAME.camera: calibration, three zeros, axes of the camera in the world, its centre, width and height.

    The projection is K [R^T | -R^T C], with R and C as in the file.
    """
    values = np.array(file.read_text(encoding="utf-8").split(), dtype=float)
    if len(values) != 26:
        raise SystemExit(f"{file} has {len(values)} numbers; a camera file of these sets has 26. Fetch it again")
    calibration, axes, centre = values[:9].reshape(3, 3), values[12:21].reshape(3, 3), values[21:24]
    return Truth(make_pose(axes.T, -axes.T @ centre), float(calibration[0, 0] / values[24]))


def pose(photos: Path) -> list[Cameras]:
    """The cameras of each clip that the stage makes of a folder of photos."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "flythrough", "sfm", "--images", str(photos), "--workspace", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return [clip.cameras for clip in load_clips(Workspace(Path(folder)))]


def measure(scene: Path) -> dict[str, float]:
    """Errors of the longest clip of a scene."""
    photos = photo_files(scene / PHOTOS)
    truth = [read_camera(scene / TRUTH / f"{photo.name}.camera") for photo in photos]
    found = max(pose(scene / PHOTOS), key=lambda cameras: len(cameras.poses), default=None)
    if found is None:
        return {"photos": len(photos), "posed": 0}
    places = found.timestamps_us // 1_000_000  # the stage gives each photo of a folder a second
    true, poses = np.stack([truth[place].pose for place in places]), found.poses
    centers = camera_center(true)
    _, rotation, percent = align(camera_center(poses), centers)
    return {
        "photos": len(photos),
        "posed": len(poses),
        "ate_mm": float(10 * percent * np.linalg.norm(np.diff(centers, axis=0), axis=-1).sum()),
        "ate_percent": percent,
        "rotation_deg": rotation_error_deg(poses, true, rotation),
        "focal_percent": float(100 * (found.intrinsics[0, 0] / np.mean([one.focal for one in truth]) - 1)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fetch", nargs="?", const=ARCHIVE, metavar="URL", help="download the sets into FOLDER first")
    parser.add_argument("--scenes", nargs="+", help="names of the folders to take; all by default")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.fetch:
        archive = options.folder / "strecha.zip"
        download(options.fetch, archive)
        with zipfile.ZipFile(archive) as opened:
            opened.extractall(options.folder)
    scenes = sorted(truth.parent for truth in options.folder.rglob(TRUTH) if (truth.parent / PHOTOS).is_dir())
    scenes = [scene for scene in scenes if not options.scenes or scene.name in options.scenes]
    if not scenes:
        raise SystemExit(f"{options.folder} has no folder with {PHOTOS} and {TRUTH} in it. Give --fetch")
    found = {}
    for scene in scenes:
        found[scene.name] = measure(scene)
        print(scene.name, *(f"{name} {value:.4g}" for name, value in found[scene.name].items()), flush=True)
    if options.out:
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
