"""Strecha's sets: their camera files, and the way from an archive on a server to a table."""

from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks import sfm_strecha
from flythrough.scene.cameras import Cameras
from flythrough.scene.geometry import camera_center, make_pose
from tests.acquire.http_server import Page, serve


def camera_text(pose: np.ndarray, focal_px: float, width: int, height: int) -> str:
    """A camera file as the sets have it: calibration, zeros, the camera's axes as columns, centre, size."""
    calibration = [[focal_px, 0, width / 2], [0, focal_px, height / 2], [0, 0, 1]]
    lines = [*calibration, [0, 0, 0], *pose[:, :3].T, camera_center(pose), [width, height]]
    return "\n".join(" ".join(f"{value:.9g}" for value in line) for line in lines) + "\n"


def test_a_camera_file_gives_the_camera(tmp_path: Path) -> None:
    turn = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]], dtype=float)
    pose = make_pose(turn, np.array([0.3, -0.2, 5.0]))
    file = tmp_path / "0000.jpg.camera"
    file.write_text(camera_text(pose, 2000, 3000, 2000))
    truth = sfm_strecha.read_camera(file)
    np.testing.assert_allclose(truth.pose, pose, atol=1e-8)
    assert truth.focal == pytest.approx(2 / 3)
    file.write_text("1 2 3")
    with pytest.raises(SystemExit, match="3 numbers"):
        sfm_strecha.read_camera(file)


def test_the_sets_are_fetched_and_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    poses = np.stack([make_pose(np.eye(3), -np.array([i, i * i, 0.5 * i])) for i in range(6)])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as made:
        for i, one in enumerate(poses):
            made.writestr(f"sets/fountain/images/{i:04}.jpg", b"")
            made.writestr(f"sets/fountain/gt_dense_cameras/{i:04}.jpg.camera", camera_text(one, 2000, 3000, 2000))
        made.writestr("sets/empty/images/0000.jpg", b"")
    kept = np.array([0, 1, 3, 5])  # two photos could not be posed
    found = poses[kept].copy()
    found[:, :, 3] *= 0.1  # in other units
    found[-1, 0, 3] += 0.01  # 100 mm off
    lens = np.tile([0.66, 1, 0.5, 0.5], (4, 1))
    monkeypatch.setattr(sfm_strecha, "pose", lambda photos: [Cameras("", kept * 1_000_000, lens, found)])
    table = tmp_path / "table.json"
    with serve() as server:
        server.pages["/sets.zip"] = Page(archive.getvalue())
        command = ["sfm_strecha", str(tmp_path / "sets"), "--fetch", server.url("/sets.zip"), "--out", str(table)]
        monkeypatch.setattr(sys, "argv", command)
        sfm_strecha.main()
    row = json.loads(table.read_text())["fountain"]
    assert (row["photos"], row["posed"]) == (6, 4)
    assert 10 < row["ate_mm"] < 50  # a quarter of the photos is 100 mm off, and the alignment takes up some of it
    assert row["rotation_deg"] < 1
    assert row["focal_percent"] == pytest.approx(-1)


def test_a_folder_without_sets_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["sfm_strecha", str(tmp_path)])
    with pytest.raises(SystemExit, match="Give --fetch"):
        sfm_strecha.main()
