"""Folders of photos as users have them: rotated, broken, of several sizes, or without photos."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flythrough.errors import InputError
from flythrough.media.exif import focal_in_longer_sides
from flythrough.sfm.config import FramesConfig
from flythrough.sfm.photos import read_photos
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stage
from flythrough.workspace.stage import load_stage


def write_photo(file: Path, width: int, height: int, *, orientation: int = 1, focal_35mm: int | None = None) -> None:
    """A photo whose stored left half is red; the rest is noise, so that it compresses badly."""
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    pixels[:, : width // 2] = (250, 10, 10)
    exif = Image.Exif()
    exif[0x0112] = orientation
    if focal_35mm:
        exif.get_ifd(0x8769)[0xA405] = focal_35mm
    Image.fromarray(pixels).save(file, exif=exif)


def stage(folder: Path, workspace: Workspace) -> None:
    config = load_config(settings=[f"sfm.images={folder}"])["sfm"]
    run_stage(load_stage("sfm"), workspace, config, InlineExecutor())


def test_what_cannot_be_used_is_named_and_the_rest_goes_on(tmp_path: Path):
    for name in ("b.jpg", "a.JPG", "d.png"):
        write_photo(tmp_path / name, 400, 300)
    write_photo(tmp_path / "c.jpg", 320, 240)
    whole = (tmp_path / "a.JPG").read_bytes()
    (tmp_path / "e.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "f.jpg").write_bytes(b"no picture")
    (tmp_path / "g.jpg").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not a photo")
    (tmp_path / "._a.JPG").write_bytes(b"what a Mac leaves behind")
    (tmp_path / "album.jpg").mkdir()
    photos = read_photos(tmp_path, FramesConfig())
    assert photos.footage.times_us.tolist() == [0, 1_000_000, 3_000_000]  # by name, one second apart
    assert [(row["id"], row["reason"]) for row in photos.drops] == [("c.jpg", "other_size")]
    assert sorted(row["id"] for row in photos.errors) == ["e.jpg", "f.jpg", "g.jpg"]
    assert all(row["remedy"] for row in photos.errors)


def test_photos_are_turned_upright_and_their_focal_length_with_them(tmp_path: Path):
    write_photo(tmp_path / "a.jpg", 900, 600, orientation=6, focal_35mm=28)  # turn right for display: red is on top
    photos = read_photos(tmp_path, FramesConfig())
    _, height, width, _ = photos.footage.color.shape
    assert (width, height) == (256, 384)
    assert photos.footage.color[0, 20, 128, 0] > 200 > photos.footage.color[0, -20:, :, 0].mean()
    assert photos.footage.focal == pytest.approx(28 / 35 * 900 / 600)


def test_tall_pictures_are_stored_wide_enough_for_training(tmp_path: Path):
    write_photo(tmp_path / "a.jpg", 540, 960)
    assert read_photos(tmp_path, FramesConfig()).footage.color.shape[2] == 256


@pytest.mark.parametrize("names", [("a.jpg", "b.png"), ("a.png", "b.jpg")])
def test_photos_of_several_formats_are_used_together(names: tuple[str, str], tmp_path: Path):
    """Half of 333 x 320 is not whole: a JPEG that is decoded at half its size has other proportions."""
    for name in names:
        write_photo(tmp_path / name, 333, 320)
    footage = read_photos(tmp_path, FramesConfig(work_px=160)).footage
    first, second = footage.gray.astype(float)
    assert footage.gray.shape[2] == 160
    assert np.abs(first - second)[:, :70].mean() < 5


@pytest.mark.parametrize(
    ("exif", "focal"),
    [
        ({0x920A: 8.8, 0xA20E: 4561.0, 0xA210: 3, 0xA002: 5472, 0xA405: 24}, 8.8 * 456.1 / 5472),
        ({0x920A: 3.6, 0xA405: 20}, 20 / 35),
        ({0x920A: 3.6, 0xA405: 0}, None),
        ({0xA405: (1, 2)}, None),
        ({}, None),
    ],
)
def test_focal_length_is_read_from_metadata(exif: dict[int, float], focal: float | None):
    found = focal_in_longer_sides(exif)
    assert found is None if focal is None else found == pytest.approx(focal)


@pytest.mark.parametrize("count", [1, 2])
def test_too_few_photos_are_dropped_with_the_reason(count: int, tmp_path: Path):
    (tmp_path / "photos").mkdir()
    for number in range(count):
        write_photo(tmp_path / "photos" / f"{number}.jpg", 400, 300)
    workspace = Workspace(tmp_path / "workspace")
    stage(tmp_path / "photos", workspace)
    (drop,) = workspace.rows("drops")
    assert drop["reason"] == "too_few_frames"
    assert not workspace.rows("errors")
    assert not workspace.rows("clips")


def test_folders_without_photos_are_refused(tmp_path: Path):
    (tmp_path / "notes.txt").write_text("not a photo")
    for folder, text in [(tmp_path, "has no photos"), (tmp_path / "nowhere", "is not a folder")]:
        with pytest.raises(InputError, match=text):
            stage(folder, Workspace(tmp_path / "workspace"))


def test_photos_that_are_all_broken_are_an_error_of_the_folder(tmp_path: Path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.jpg").write_bytes(b"no picture")
    workspace = Workspace(tmp_path / "workspace")
    stage(tmp_path / "photos", workspace)
    (error,) = workspace.rows("errors")
    assert error["kind"] == "input"
    assert "a.jpg" in error["message"]
