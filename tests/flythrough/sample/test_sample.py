"""The sample world: its ground truth is right, its videos match their descriptions, and it looks like a coast."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from flythrough.errors import DiskError, InputError
from flythrough.media import video_reader as video
from flythrough.networks.lite0_onnx import SIZE as SIZE_LITE0
from flythrough.networks.lite0_onnx import probabilities
from flythrough.sample import script as sample_script
from flythrough.sample.biome import BIOMES
from flythrough.sample.film import Film, film
from flythrough.sample.raycast import LAND, SKY, WATER
from flythrough.sample.videos import make_sample
from flythrough.sample.world import make_world
from flythrough.scene.cameras import read_cameras
from flythrough.scene.geometry import camera_center, compose, invert, project, rotation_angle_deg, transform, unproject
from flythrough.workspace.files import sha256_of_folder

SIZE = {"width": 240, "height": 136}


@pytest.fixture(scope="module")
def forward() -> Film:
    return film(0, "forward", 3, fps=4, width=480, height=270)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return make_sample(tmp_path_factory.mktemp("sample"), videos=2, seconds=8, width=96, height=64, seed=0, fps=6)


def points_of(film: Film, frame: int) -> np.ndarray:
    """World points that the land pixels of a frame show, ``[n, 3]``."""
    depth = 1 / np.maximum(film.disparity[frame].astype(np.float64), 1e-6)
    points = unproject(film.intrinsics[frame], depth)[film.surface[frame] == LAND]
    return transform(invert(film.poses[frame]), points)


def test_disparity_lies_on_the_island(forward: Film) -> None:
    world = make_world(0)
    points = points_of(forward, 0)
    near = points[np.linalg.norm(points - camera_center(forward.poses[0]), axis=1) < 6]
    miss = [abs(world.ground(x, z) + y) for x, y, z in near[::97]]
    assert len(miss) > 100
    assert np.median(miss) < 0.02  # units; a cell of the map


def test_nothing_stands_before_what_is_seen(forward: Film) -> None:
    """The fast ray walk against small steps along the same rays."""
    world, rng = make_world(0), np.random.default_rng(0)
    eye = camera_center(forward.poses[0])
    points = points_of(forward, 0)
    for point in points[rng.choice(len(points), 60, replace=False)]:
        shares = np.arange(0.02, 0.98, 0.01 / np.linalg.norm(point - eye))
        along = eye + shares[:, None] * (point - eye)
        above = [-y - world.ground(x, z) for x, y, z in along]
        assert min(above) > -0.06


def test_two_frames_agree(forward: Film) -> None:
    """Points of one frame, carried to the next by the poses, lie at the depth the next frame has there."""
    height, width = forward.images.shape[1:3]
    inside, depth = project(forward.intrinsics[1], transform(forward.poses[1], points_of(forward, 0)))
    pixel = np.floor(inside * [width, height]).astype(int)
    seen = (depth > 0.1) & (pixel >= 0).all(1) & (pixel < [width, height]).all(1)
    there = forward.disparity[1][pixel[seen, 1], pixel[seen, 0]].astype(np.float64)
    assert seen.mean() > 0.5
    assert np.median(abs(there * depth[seen] - 1)) < 0.01


def test_flies_ahead_and_looks_down_a_little(forward: Film) -> None:
    path = camera_center(forward.poses)
    moved = transform(forward.poses[0], path[-1:])[0]
    assert moved[2] > 1.5  # units ahead: +z
    assert np.all(path[:, 1] < -0.3)  # above the sea: -y is up
    assert 0.1 < (forward.surface == SKY).mean() < 0.4
    top, bottom = forward.surface[:, :20], forward.surface[:, -20:]
    assert (top == SKY).mean() > 0.5
    assert (bottom == SKY).mean() == 0.0


def test_near_ground_is_about_one_unit_away(forward: Film) -> None:
    near = [np.percentile(d.astype(np.float32), 98) for d in forward.disparity]
    assert 0.5 < np.median(near) < 1.4
    assert forward.disparity.max() < 3


def test_a_feature_tracker_recovers_the_motion(forward: Film) -> None:
    height, width = forward.images.shape[1:3]
    sift, gray = cv2.SIFT_create(), [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in forward.images[:2]]
    (ka, da), (kb, db) = (sift.detectAndCompute(image, None) for image in gray)
    pairs = [m for m, n in cv2.BFMatcher().knnMatch(da, db, k=2) if m.distance < 0.75 * n.distance]
    a, b = np.float64([ka[m.queryIdx].pt for m in pairs]), np.float64([kb[m.trainIdx].pt for m in pairs])
    fx, fy, cx, cy = forward.intrinsics[0] * [width, height, width, height]
    matrix = np.array([[fx, 0, cx - 0.5], [0, fy, cy - 0.5], [0, 0, 1]])
    essential, inliers = cv2.findEssentialMat(a, b, matrix, cv2.RANSAC, 0.999, 0.5)
    _, rotation, translation, _ = cv2.recoverPose(essential, a, b, matrix, mask=inliers)
    true = compose(forward.poses[1], invert(forward.poses[0]))
    assert len(pairs) > 150
    assert rotation_angle_deg(np.c_[rotation, translation], true) < 0.5
    direction = true[:, 3] / np.linalg.norm(true[:, 3])
    assert translation[:, 0] @ direction > 0.99


def test_still_cameras_are_still() -> None:
    static = film(1, "static", 1, fps=3, **SIZE)
    assert np.ptp(static.poses, axis=0).max() == 0
    same = static.surface[0] == LAND
    assert np.array_equal(static.images[0][same], static.images[2][same])
    water = static.surface[0] == WATER
    change = abs(static.images[0][water].astype(int) - static.images[2][water])
    assert change.mean() > 1  # grey levels: the water moves


def test_pan_zoom_and_sea() -> None:
    pan = film(1, "rotation", 2, fps=2, **SIZE)
    assert np.ptp(camera_center(pan.poses), axis=0).max() < 1e-9
    assert rotation_angle_deg(pan.poses[0], pan.poses[-1]) > 10
    zoom = film(1, "zoom", 2, fps=2, **SIZE)
    assert np.ptp(zoom.poses, axis=0).max() == 0
    assert np.all(np.diff(zoom.intrinsics[:, 0]) > 0)
    sea = film(1, "sea", 2, fps=2, **SIZE)
    assert not (sea.surface == LAND).any()
    with pytest.raises(InputError, match="forward, orbit"):
        film(1, "barrel-roll", 1, fps=2, **SIZE)


def test_water_over_half_the_picture() -> None:
    wet = film(1, "forward", 4, fps=2, water=True, **SIZE)
    assert (wet.surface == WATER).mean() > 0.5
    assert (wet.surface == LAND).mean() > 0.1


def test_orbit_looks_inward_and_sideways_moves_aside() -> None:
    orbit = film(0, "orbit", 3, fps=4, **SIZE)
    centers, ahead = camera_center(orbit.poses), orbit.poses[:, 2, :3]
    # The lines of sight meet: nearer together some way ahead than at the cameras.
    spread = [np.ptp(centers + reach * ahead, axis=0)[[0, 2]].max() for reach in (0.0, 2.0)]
    assert spread[1] < 0.6 * spread[0]
    sideways = film(0, "sideways", 3, fps=4, **SIZE)
    moved = transform(sideways.poses[0], camera_center(sideways.poses)[-1:])[0]
    assert abs(moved[0]) > abs(moved[2])


def test_climb_dive_bank_and_out() -> None:
    heights = {kind: -camera_center(film(8, kind, 4, fps=2, **SIZE).poses)[:, 1] for kind in ("climb", "dive")}
    assert heights["climb"][-1] > heights["climb"][0] + 1
    assert heights["dive"][-1] < heights["dive"][0] - 1
    bank = film(8, "bank", 4, fps=2, **SIZE)
    rolls = np.degrees(np.arcsin(bank.poses[:, 0, 1]))  # how far the camera's x axis points down
    turns = np.arctan2(bank.poses[:, 2, 0], bank.poses[:, 2, 2])
    assert 3 < abs(rolls).max() < 45
    assert np.corrcoef(rolls, np.gradient(np.unwrap(turns)))[0, 1] > 0.9  # right wing down in a right turn
    out = film(8, "out", 4, fps=2, **SIZE)
    assert (out.surface[-1] == WATER).mean() > (out.surface[0] == WATER).mean()


@pytest.mark.parametrize("biome", sorted(BIOMES))
def test_every_biome_has_true_geometry_and_looks_of_its_own(biome: str) -> None:
    shot = film(5, "forward", 1, fps=2, biome=biome, **SIZE)
    world = make_world(5, biome)
    points = points_of(shot, 0)
    near = points[np.linalg.norm(points - camera_center(shot.poses[0]), axis=1) < 6]
    assert np.median([abs(world.ground(x, z) + y) for x, y, z in near[::97]]) < 0.02
    assert 0.02 < (shot.surface == SKY).mean() < 0.6
    assert (shot.surface == LAND).mean() > 0.2
    if biome != "coast":
        coast = film(5, "forward", 1, fps=2, **SIZE)
        assert abs(coast.images.astype(int) - shot.images).mean() > 10  # grey levels


def test_biomes_hold_what_they_are_named_for() -> None:
    mean = {b: film(5, "orbit", 1, fps=1, biome=b, **SIZE) for b in ("snow", "canyon", "hills", "desert", "fjord")}
    land = {b: shot.images[shot.surface == LAND].mean(0) for b, shot in mean.items()}
    assert land["canyon"][0] > 1.4 * land["canyon"][2]  # red rock
    assert land["hills"][1] > 1.2 * land["hills"][2]  # green
    assert np.ptp(land["snow"]) < 30  # grey and white
    for dry in ("canyon", "desert", "hills"):
        assert make_world(5, dry).ground(0.0, 0.0) > 0
    fjord = make_world(5, "fjord")
    assert (fjord.height[(fjord.guide > -0.5) & (fjord.guide < 0.5)] < 0).mean() > 0.8  # water in the middle
    assert (fjord.height[(fjord.guide < -3) & (fjord.shore > 0.5)] > 0).all()  # and land on the other side
    with pytest.raises(InputError, match="swamp"):
        make_world(5, "swamp")


def test_looks_like_a_coast(forward: Film) -> None:
    coasts = [*range(970, 981), 460]
    squeezed = [cv2.resize(image, (SIZE_LITE0, SIZE_LITE0), interpolation=cv2.INTER_AREA) for image in forward.images]
    share = [
        probabilities(np.stack(pair))[:, coasts].sum(1) for pair in zip(squeezed[::4], squeezed[1::4], strict=True)
    ]
    assert np.median(share) > 0.5


def test_every_frame_of_a_video_is_accounted_for(sample: list[Path]) -> None:
    for path in sample:
        truth = json.loads(path.with_suffix(".json").read_text())
        spans = [(s["start_frame"], s["end_frame"]) for s in truth["shots"] + truth["transitions"]]
        spans.sort()
        assert spans[0][0] == 0
        assert all(a[1] == b[0] for a, b in pairwise(spans))
        frames = list(video.frames(path))
        assert spans[-1][1] == truth["frame_count"] == len(frames) == 48
        assert frames[0].time_us == 0
        assert video.probe(path).codec == "h264"
        longest = max(s["end_us"] - s["start_us"] for s in truth["shots"] if not s["problems"])
        assert longest >= 4_000_000
        assert any(s["problems"] for s in truth["shots"])


def test_truth_beside_a_video(sample: list[Path]) -> None:
    path = sample[1]
    truth = json.loads(path.with_suffix(".json").read_text())
    shot = next(s for s in truth["shots"] if s["problems"] == ["letterbox"])
    left, top, right, bottom = shot["box"]
    assert (left, right) == (0, 96)
    assert 0 < top < bottom < 64
    frame = list(video.frames(path))[shot["start_frame"] + 1].image
    assert frame[: top - 1].max() < 24
    assert frame[top + 1 : bottom - 1].mean() > 60
    cameras = read_cameras(path.parent / shot["camera_file"])
    with np.load(path.with_suffix(".npz")) as archive:
        assert np.array_equal(archive["poses"][shot["start_frame"] : shot["end_frame"]], cameras.poses)
        assert archive[f"{shot['start_frame']:06d}"].shape == (32, 48)
    assert cameras.timestamps_us[0] == shot["start_us"]


def test_frames_lie_where_the_truth_says(sample: list[Path]) -> None:
    """A cut's first frame differs from the one before far more than that one from its predecessor."""
    path = sample[1]
    truth = json.loads(path.with_suffix(".json").read_text())
    images = [f.image.astype(int) for f in video.frames(path)]
    for cut in truth["transitions"]:
        at = cut["start_frame"]
        assert abs(images[at] - images[at - 1]).mean() > 2 * abs(images[at - 1] - images[at - 2]).mean()


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    small = {"videos": 1, "seconds": 3, "width": 64, "height": 48, "fps": 3}
    make_sample(tmp_path / "a", **small, seed=0)
    make_world.cache_clear()
    make_sample(tmp_path / "b", **small, seed=0)
    make_sample(tmp_path / "c", **small, seed=1)
    assert sha256_of_folder(tmp_path / "a") == sha256_of_folder(tmp_path / "b")
    assert sha256_of_folder(tmp_path / "a") != sha256_of_folder(tmp_path / "c")


@pytest.mark.parametrize("fps", [12, 30, 60000 / 1001])
@pytest.mark.parametrize("seconds", [1, 5, 8, 21, 60])
@pytest.mark.parametrize("index", range(5))
def test_scripts_fill_the_video(index: int, seconds: float, fps: float) -> None:
    count = round(seconds * fps)
    pieces = sample_script.script(index, count, fps)
    assert sum(p.frames + p.mix for p in pieces) == count
    assert all(p.frames > 0 for p in pieces)
    good = max(p.frames for p in pieces if not p.problems) / fps
    assert good >= min(4.0, seconds - 0.1)
    if seconds >= 8:
        assert any(not p.usable for p in pieces) or any(p.problems for p in pieces)


def test_sizes_that_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="641x360"):
        make_sample(tmp_path, width=641, height=360)
    with pytest.raises(InputError, match="at least one video"):
        make_sample(tmp_path, videos=0)
    (tmp_path / "file").write_text("")
    with pytest.raises((DiskError, FileExistsError)):
        make_sample(tmp_path / "file", seconds=1, width=64, height=48)
