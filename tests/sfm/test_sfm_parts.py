"""The parts of sfm/ against known answers that need no pictures of a world."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from flythrough.errors import FlythroughError, InputError
from flythrough.scene.cameras import Cameras
from flythrough.scene.geometry import camera_center, make_pose, project, transform
from flythrough.sfm.config import DisparityConfig, FramesConfig, KeyframesConfig, ScaleConfig, SfmConfig, SplitsConfig
from flythrough.sfm.disparity.densify import densify
from flythrough.sfm.disparity.fit import MIN_POINTS, Fit, fit_scale_and_shift, reject_fit
from flythrough.sfm.disparity.posed import PosedClip, training_steps, undistort
from flythrough.sfm.disparity.provider import disparities, plane_disparity
from flythrough.sfm.given import other_lens, triangulate
from flythrough.sfm.poses.footage import Footage
from flythrough.sfm.poses.keyframes import choose_keyframes, picture_motion
from flythrough.sfm.poses.parallax import measure_motion
from flythrough.sfm.poses.scene import Lens, Scene, adjust, refine
from flythrough.sfm.poses.trajectory import Quality, gravity, level, measure_quality, runs, smooth
from flythrough.sfm.poses.verify import Verdict, cut, epipolar_px
from flythrough.sfm.reconstruct import pose_all
from flythrough.sfm.rules import Rules
from flythrough.sfm.splits import assign_splits, near_duplicates
from flythrough.sfm.stage import STAGE
from flythrough.workspace.catalog import TABLES, Row, Workspace
from flythrough.workspace.files import key_text, sha256_of
from flythrough.workspace.inspection import plan

SECOND = 1_000_000


def yaw(degrees: float) -> np.ndarray:
    """A turn of the camera to the right."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]])


def flight(count: int, step: float = 0.1, turn: float = 0.5) -> np.ndarray:
    """Forward and slightly to the right, turning; poses ``[count, 3, 4]``."""
    poses = []
    for i in range(count):
        rotation = yaw(turn * i)
        center = np.array([0.03 * i, -0.01 * i, step * i])
        poses.append(make_pose(rotation, -rotation @ center))
    return np.stack(poses)


def made_scene(count: int = 8, noise_px: float = 0.0, k: float = -0.02) -> Scene:
    """A scene whose points and observations are exact up to noise."""
    random = np.random.default_rng(3)
    poses, lens = flight(count, 0.3), Lens(640, 360, 500.0, k)
    points = random.uniform([-4, -1.5, 4], [5, 2, 12], (300, 3))
    frame, point, xy = [], [], []
    for i, pose in enumerate(poses):
        local = transform(pose, points)
        pixels = lens.pixels(local)
        seen = (local[:, 2] > 0) & ((pixels > 0) & (pixels < [640, 360])).all(-1)
        frame += [i] * seen.sum()
        point += list(np.flatnonzero(seen))
        xy.append(pixels[seen] + noise_px * random.standard_normal((seen.sum(), 2)))
    scene = Scene(
        np.arange(count), poses, np.ones(count, bool), lens, points, np.array(frame), np.array(point),
        np.concatenate(xy),
    )  # fmt: skip
    return scene.keep_observations(np.ones(len(scene.seen_xy), bool))


def test_bundle_adjustment_finds_the_lens_and_the_path_again():
    true = made_scene(noise_px=0.02)
    random = np.random.default_rng(0)
    points = true.points + 0.05 * random.standard_normal(true.points.shape)
    wrong = replace(true, lens=Lens(640, 360, 480.0, 0.0), points=points)
    found = adjust(wrong)
    assert found.lens.focal == pytest.approx(500, rel=0.01)
    ray = np.array([0.5, 0.3, 1.0])  # towards a corner
    np.testing.assert_allclose(found.lens.pixels(ray), true.lens.pixels(ray), atol=1.0)
    assert np.median(found.errors_px()) < 0.2
    again = adjust(wrong)
    assert np.array_equal(found.poses, again.poses)
    assert np.array_equal(found.points, again.points)


def test_what_drifts_slowly_hardly_bends_the_lens():
    """A fifth of the points are waves: some pixels off, each its own way, by the last frame."""
    true = made_scene(noise_px=0.1)
    off_once = off_strictly = 0.0
    for seed in range(3):
        moves = np.random.default_rng(seed).normal(0, 5, (len(true.points), 2)) * (true.points[:, 1:2] > 1.0)
        drift = moves[true.seen_point] * (true.seen_frame / len(true.frames))[:, None]
        watery = replace(true, seen_xy=true.seen_xy + drift, lens=Lens(640, 360, 490.0, 0.0))
        off_once += abs(adjust(watery).lens.focal - 500)
        off_strictly += abs(refine(watery).lens.focal - 500)
    assert off_strictly < 0.5 * off_once


def with_spots(scene: Scene, seed: int, size_px: float = 0.7) -> Scene:
    """Every point is seen a little beside its spot, on the same side all along its track."""
    beside = np.random.default_rng(seed).normal(0, size_px, (len(scene.points), 2))
    growing = (scene.seen_frame / (len(scene.frames) - 1))[:, None]
    return replace(scene, seen_xy=scene.seen_xy + beside[scene.seen_point] * growing)


def test_a_lens_without_distortion_is_hardly_bent_by_noise():
    true = made_scene(noise_px=0.05, k=0.0)
    focal_off, k_off = np.zeros(2), np.zeros(2)
    for seed in range(6):
        noisy = with_spots(true, seed)
        for i, found in enumerate((adjust(noisy), refine(noisy))):
            focal_off[i] += abs(found.lens.focal - 500)
            k_off[i] += abs(found.lens.k)
    assert k_off[1] < 0.5 * k_off[0]
    assert focal_off[1] < 0.9 * focal_off[0]


@pytest.mark.parametrize("k", [-0.3, -0.1, 0.1])
@pytest.mark.parametrize("noise_px", [0.0, 0.05])
def test_distortion_that_is_there_is_found(k, noise_px):
    found = refine(with_spots(made_scene(noise_px=noise_px, k=k), 0, size_px=2 * noise_px))
    assert found.lens.k == pytest.approx(k, rel=0.1)
    assert found.lens.focal == pytest.approx(500, rel=0.02)


def test_given_poses_stay_when_points_are_refined():
    true = made_scene()
    moved = replace(true, points=true.points * 1.01)
    found = adjust(moved, refine_lens=False, fixed_poses=True)
    assert found.lens == true.lens
    np.testing.assert_allclose(found.poses, true.poses, atol=1e-9)
    assert np.median(found.errors_px()) < 0.1


def reason_of(quality: Quality, **settings: float) -> str | None:
    return Rules.model_validate(settings).judge(quality.figures(), partial=True).reason


def test_rules_give_a_reason_or_none():
    scene = made_scene(noise_px=0.3)
    times = np.arange(len(scene.frames)) * SECOND // 10
    smoothed = smooth(scene.poses, times)
    quality = measure_quality(scene, smoothed)
    assert reason_of(quality) is None
    assert quality.fov_deg == pytest.approx(np.degrees(2 * np.arctan(0.64)), abs=0.1)
    assert quality.tilt_deg < 1
    assert reason_of(quality, min_fov_deg=80) == "field_of_view"
    assert reason_of(quality, max_error_px=0.01) == "reprojection_error"
    assert reason_of(quality, min_angle_deg=60) == "no_parallax"
    leaping = scene.poses.copy()
    leaping[4, :, 3] += [3.0, 0, 0]
    jumped = replace(scene, poses=leaping)
    measured = measure_quality(jumped, smooth(leaping, times))
    assert reason_of(measured, max_error_px=1e9, min_angle_deg=0) == "jump"
    flipped = scene.poses.copy()
    flipped[4, :2] *= -1  # half a turn about the line of sight
    measured = measure_quality(replace(scene, poses=flipped), smooth(flipped, times))
    assert reason_of(measured, max_error_px=1e9, min_angle_deg=0, max_jump=1e9) == "jump"


def test_smoothing_quiets_noise_and_keeps_rotations_rigid():
    poses = flight(60)
    random = np.random.default_rng(1)
    noisy = poses.copy()
    noisy[:, :, 3] += 0.02 * random.standard_normal((60, 3))
    smoothed = smooth(noisy, np.arange(60) * 33_333)
    wobble = [np.linalg.norm(np.diff(camera_center(p), n=2, axis=0), axis=-1).mean() for p in (noisy, smoothed)]
    assert wobble[1] < 0.5 * wobble[0]
    assert np.abs(camera_center(smoothed) - camera_center(poses)).max() < 0.08
    turned = smoothed[:, :, :3]
    np.testing.assert_allclose(turned @ turned.transpose(0, 2, 1), np.tile(np.eye(3), (60, 1, 1)), atol=1e-12)
    assert (np.linalg.det(turned) > 0).all()


def test_gravity_is_told_from_turning_level_cameras_that_look_down():
    tilt = np.radians(20)
    look_down = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]]).T
    poses = np.stack([make_pose(look_down @ yaw(a), np.zeros(3)) for a in range(0, 60, 5)])
    np.testing.assert_allclose(gravity(poses), [0, 1, 0], atol=1e-3)
    assert level(poses) is not None
    assert level(poses[:2]) is None


def test_a_missing_frame_makes_two_pieces():
    scene = made_scene(9).keep_frames(np.arange(9) != 5)
    pieces = runs(scene, 3)
    assert [piece.frames.tolist() for piece in pieces] == [[0, 1, 2, 3, 4], [6, 7, 8]]
    assert all(piece.errors_px().max() < 1e-6 for piece in pieces)
    assert [len(piece.frames) for piece in runs(scene, 4)] == [5]


def test_a_piece_of_photos_with_few_frames_left_is_no_clip(monkeypatch: pytest.MonkeyPatch):
    """Frames of a model may lose their points when it is refined."""
    scene = made_scene(9)
    config = SfmConfig(frames=FramesConfig(min_frames=5))
    blank = np.zeros((9, 9, 16), np.uint8)
    footage = Footage(np.arange(9) * SECOND, blank, blank[..., None].repeat(3, -1), film=False)
    monkeypatch.setattr("flythrough.sfm.poses.scene.scene_of", lambda model, keyframes: scene)
    monkeypatch.setattr("flythrough.sfm.poses.register.register_frames", lambda footage, scene, points, seed: scene)
    for left, lengths in ((9, [9]), (6, [6]), (4, []), (0, [])):
        refined = scene.keep_observations(scene.seen_frame < left)
        monkeypatch.setattr("flythrough.sfm.poses.scene.refine", lambda scene, refined=refined: refined)
        assert [len(piece.frames) for piece in pose_all(footage, [None], np.arange(9), config)] == lengths


def test_where_nothing_is_seen_there_is_no_motion_and_given_cameras_have_no_points():
    blank = np.full((4, 160, 256), 90, np.uint8)
    footage = Footage(np.arange(4) * SECOND, blank, blank[..., None].repeat(3, -1))
    assert np.isnan(picture_motion(footage)).all()
    poses = np.stack([make_pose(np.eye(3), np.array([0.1 * i, 0, 0])) for i in range(4)])
    cameras = Cameras("u", footage.times_us, np.tile([0.8, 1.28, 0.5, 0.5], (4, 1)), poses)
    assert triangulate(footage, cameras, np.arange(4), SfmConfig()) is None


def test_only_a_lens_that_a_clip_can_hold_is_taken():
    one = np.array([0.8, 1.28, 0.5, 0.5])
    assert other_lens(np.tile(one, (5, 1)), 256, 160) is None
    found = other_lens(one * np.linspace(1, 1.3, 5)[:, None] ** [1, 1, 0, 0], 256, 160)
    assert found is not None
    assert found["zoom"] == pytest.approx(1.3, abs=1e-3)
    assert other_lens(np.tile([0.8, 1.28, 0.6, 0.5], (5, 1)), 256, 160) is not None


def test_keyframes_follow_motion_and_not_time():
    motion = np.concatenate([np.full(60, 0.002), np.full(60, 0.02)])
    chosen = choose_keyframes(motion, np.arange(121) * 33_333, KeyframesConfig())
    assert chosen[0] == 0
    assert chosen[-1] == 120
    assert (chosen > 60).sum() > 4 * (chosen < 60).sum()
    fast = choose_keyframes(np.full(599, 0.09), np.arange(600) * 100_000, KeyframesConfig())
    assert np.diff(fast).max() * 0.09 < 0.3  # neighbours overlap
    few = choose_keyframes(np.full(9, 0.3), np.arange(10) * SECOND, KeyframesConfig())
    assert few.tolist() == list(range(10))


def matched(move, focal: float = 0.9, pairs: int = 6):
    """Matches of points before a camera that moves by ``move(k) -> (rotation, translation, zoom)``."""
    points = np.random.default_rng(5).uniform([-3, -2, 3], [3, 2, 9], (300, 3))
    first = points[:, :2] / points[:, 2:] * focal
    found = []
    for k in range(1, pairs + 1):
        rotation, translation, zoom = move(k)
        local = points @ rotation.T + translation
        found.append((first, local[:, :2] / local[:, 2:] * focal * zoom))
    return found


@pytest.mark.parametrize(
    ("move", "reason"),
    [
        (lambda k: (yaw(2.0 * k), np.zeros(3), 1.0), "rotation"),
        (lambda k: (np.eye(3), np.zeros(3), 1 + 0.05 * k), "zoom"),
        (lambda k: (yaw(0.01 * k), np.zeros(3), 1.0), "static"),
        (lambda k: (yaw(1.0 * k), np.array([0.0, 0.0, -0.3 * k]), 1.0), None),
        (lambda k: (np.eye(3), np.array([0.15 * k, 0, 0]), 1.0), None),
    ],
)
def test_motion_without_parallax_is_named(move, reason):
    assert Rules().judge(vars(measure_motion(matched(move))), partial=True).reason == reason


def test_steps_reach_the_training_speed_but_leave_positions():
    slow = flight(101, 0.05, 0)
    speed = np.linalg.norm([0.03, 0.01, 0.05])
    assert training_steps(slow, ScaleConfig(training_speed=0.2)) == round(0.2 / speed)
    assert training_steps(slow[:31], ScaleConfig(training_speed=2.0)) == 3
    assert training_steps(flight(11, 0.5), ScaleConfig()) == 1


def test_undistorted_pictures_obey_the_pinhole():
    lens = Lens(320, 180, 250.0, -0.1)
    point = np.array([[1.1, -0.5, 3.0]])
    x, y = lens.pixels(point)[0]
    image = np.zeros((180, 320, 3), np.uint8)
    image[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = 255
    straight, intrinsics = undistort(image[None], lens)
    at, _ = project(intrinsics, point)
    rows, columns = np.nonzero(straight[0, ..., 0] > 100)
    assert columns.mean() + 0.5 == pytest.approx(at[0, 0] * 320, abs=1.0)
    assert rows.mean() + 0.5 == pytest.approx(at[0, 1] * 180, abs=1.0)
    pincushion, zoomed = undistort(np.full((1, 180, 320, 3), 255, np.uint8), Lens(320, 180, 250.0, 0.1))
    assert pincushion.min() == 255
    assert zoomed[0] > 250 / 320


def test_points_become_a_plane_and_a_step_stays_at_the_colour_edge():
    random = np.random.default_rng(2)
    image = np.full((192, 320, 3), (40, 90, 40), np.uint8)
    image[:, 200:] = (200, 180, 160)
    x, y = np.meshgrid((np.arange(320) + 0.5) / 320, (np.arange(192) + 0.5) / 192)
    true = np.where(x > 200 / 320, 0.9, 0.3 + 0.2 * y)
    xy = random.uniform(0.01, 0.99, (500, 2))
    at = (xy * [320, 192]).astype(int)
    found = densify(image, xy, true[at[:, 1], at[:, 0]], DisparityConfig())
    error = np.abs(found - true) / true
    assert np.median(error) < 0.02
    assert np.median(error[:, 195:205]) < 0.1


def test_open_water_may_be_nearer_than_any_point():
    image = np.full((96, 160, 3), (30, 60, 90), np.uint8)
    xy = np.random.default_rng(2).uniform([0.01, 0.3], [0.99, 0.5], (200, 2))  # the shore, far away
    found = densify(image, xy, 2 * xy[:, 1] - 0.5, DisparityConfig(), ground=np.array([-0.5, 0.0, 2.0]))
    assert found[-1].mean() == pytest.approx(1.5, rel=0.03)


def test_a_point_alone_in_the_sky_does_not_make_it_solid():
    random = np.random.default_rng(2)
    image = np.full((180, 320, 3), (150, 190, 235), np.uint8)
    image[90:] = random.integers(20, 90, (90, 320, 3))
    land = random.uniform([0.01, 0.55], [0.99, 0.99], (300, 2))
    xy = np.concatenate([land, [[0.5, 0.1]]])
    found = densify(image, xy, np.append(2 * land[:, 1] - 1, 0.2), DisparityConfig())
    assert not found[:80].any()
    tower = np.concatenate([land, [[0.5, 0.30], [0.505, 0.31], [0.5, 0.32], [0.495, 0.33]]])
    found = densify(image, tower, np.append(2 * land[:, 1] - 1, [0.5] * 4), DisparityConfig())
    assert (found[60:80, 160] > 0).all()


def test_disparity_of_a_plane_is_affine_over_the_picture():
    pose = make_pose(yaw(10), np.array([0.1, 0.2, -0.3]))
    intrinsics = np.array([0.8, 1.4, 0.5, 0.45])
    normal, offset = np.array([0.0, 1.0, 0.0]), 2.0
    point = np.array([[0.7, 2.0, 6.0]])
    xy, depth = project(intrinsics, transform(pose, point))
    constant, along_x, along_y = plane_disparity(intrinsics, pose, normal, offset)
    assert constant + along_x * xy[0, 0] + along_y * xy[0, 1] == pytest.approx(1 / depth[0])


def test_a_frame_without_points_is_an_error_with_a_remedy():
    """With given cameras, a clip's last frames may show nothing but sky."""
    count = 2 * MIN_POINTS
    points = np.random.default_rng(1).uniform([-1, -1, 4], [1, 1, 6], (count, 3))
    first, last = np.zeros(count, np.int64), np.full(count, 1)
    images, intrinsics = np.full((3, 96, 160, 3), 90, np.uint8), np.array([0.8, 1.3, 0.5, 0.5])
    clip = PosedClip(np.arange(3) * SECOND, images, intrinsics, flight(3), points, count, first, last, 1.0)
    found = disparities(clip, DisparityConfig())
    assert [next(found).shape for _ in range(2)] == [(96, 160)] * 2
    with pytest.raises(FlythroughError, match=r"frame at 2\.000 s.*provider=") as error:
        next(found)
    assert error.value.kind == "disparity_fit"


def test_fits_are_robust_and_refuse_what_makes_no_sense():
    random = np.random.default_rng(4)
    predicted = random.uniform(1, 9, 400)
    disparity = 0.1 * predicted + 0.05
    disparity[:120] = random.uniform(0, 1, 120)
    fit = fit_scale_and_shift(predicted, disparity)
    assert fit.scale == pytest.approx(0.1, rel=0.02)
    assert fit.shift == pytest.approx(0.05, abs=0.01)
    config = DisparityConfig()
    assert reject_fit(fit, config) is None
    assert reject_fit(fit_scale_and_shift(predicted, 1.2 - 0.1 * predicted), config) == "non-positive scale"
    assert reject_fit(fit_scale_and_shift(predicted, random.uniform(0.01, 1, 400)), config) is not None
    assert reject_fit(Fit(0.1, 0, 0.5), config) == "poor fit"
    assert reject_fit(fit_scale_and_shift(predicted[:3], disparity[:3]), config) == "too few points"


def test_splits_stay_when_videos_are_added():
    config = SplitsConfig()
    videos = [f"video{i}" for i in range(400)]
    splits = assign_splits(videos, [], {}, config)
    shares = {name: sum(s == name for s in splits.values()) / 400 for name in ("train", "validation", "test")}
    assert shares["test"] == pytest.approx(0.2, abs=0.06)
    assert shares["validation"] == pytest.approx(0.1, abs=0.05)
    more = assign_splits([*videos, "another"], [], {}, config)
    assert all(more[video] == splits[video] for video in videos)


def test_small_sets_have_training_and_test():
    config = SplitsConfig()
    for name in "abcdefgh":
        assert assign_splits([name], [], {}, config) == {name: "train"}
        two = assign_splits([name, name * 2], [], {}, config)
        assert sorted(two.values()) == ["test", "train"]


def test_near_duplicates_and_given_splits_hold_together():
    videos = [f"video{i}" for i in range(60)]
    splits = assign_splits(
        videos, [["video3", "video40"], ["video5", "gone"]], {"video7": "validation"}, SplitsConfig()
    )
    assert splits["video3"] == splits["video40"]
    assert splits["video7"] == "validation"
    rows = [
        {"id": "a", "perceptual_hash": "00000000000000ff"},
        {"id": "b", "perceptual_hash": "00000000000000f0"},
        {"id": "c", "perceptual_hash": "ffffffffffffffff"},
        {"id": "d", "perceptual_hash": None},
    ]
    assert near_duplicates(rows, 6) == [["a", "b"]]


@pytest.mark.parametrize("seed", range(4))
def test_near_duplicates_are_linked_through_others(seed: int) -> None:
    """As by joining every pair that is near, one after the other."""
    rng = np.random.default_rng(seed)
    bits = rng.random((120, 8 * 64)) < 0.5
    for place in range(40, 120):  # each a little off an earlier one, so that chains form
        bits[place] = bits[rng.integers(0, place)] ^ (rng.random(8 * 64) < 0.08)
    order = rng.permutation(120)
    hashes = [np.packbits(row).tobytes().hex() for row in bits[order]]
    group = list(range(120))
    for a, b in combinations(range(120), 2):
        if (bits[order[a]] != bits[order[b]]).sum() <= 6 * 8:
            group = [group[a] if each == group[b] else each for each in group]
    names = [f"v{place:03}" for place in range(120)]
    expected = [[names[place] for place in range(120) if group[place] == each] for each in set(group)]
    rows = [{"id": name, "perceptual_hash": text} for name, text in zip(names, hashes, strict=True)]
    rows += [{"id": "short", "perceptual_hash": hashes[0][:16]}, {"id": "none", "perceptual_hash": None}]
    found = near_duplicates(rows[::-1], 6)
    assert found == sorted(each for each in expected if len(each) > 1)
    assert max(map(len, found)) > 4


def test_matches_lie_on_the_epipolar_lines_of_true_poses_and_of_no_others():
    scene = made_scene(k=-0.1)
    a, b = (scene.seen_xy[scene.seen_frame == place] for place in (0, 5))
    both, first, second = np.intersect1d(
        *(scene.seen_point[scene.seen_frame == place] for place in (0, 5)), return_indices=True
    )
    assert len(both) > 50
    a, b = ((xy - [320, 180]) / 640 for xy in (a[first], b[second]))
    assert epipolar_px(scene.poses[0], scene.poses[5], a, b, scene.lens).max() < 1e-3
    assert np.median(epipolar_px(scene.poses[0], scene.poses[3], a, b, scene.lens)) > 2
    straight = replace(scene.lens, k=0.0)
    assert np.median(epipolar_px(scene.poses[0], scene.poses[5], a, b, straight)) > 0.02


def test_a_scene_is_cut_where_neighbours_contradict_each_other():
    scene = made_scene(12)
    broken = np.array([False, True, False, True])
    verdict = Verdict(np.array([1, 3, 6, 8, 10]), 9, 0.5, 100.0, 1.0, 4.0, broken)
    assert [piece.frames.tolist() for piece in cut(scene, verdict)] == [[0, 1, 2, 3], [6, 7, 8], [10, 11]]


def videos_and_shot(workspace: Workspace, **columns: str) -> Row:
    """Write a video, and a shot with these columns; returns the shot."""
    known = {name: "1" if each.type == "string" else 1 for name, each in TABLES["videos"].items() if not each.nullable}
    workspace.write("videos", [{**known, "id": "v", "variable_frame_rate": False}])
    shot = {name: 1 for name, each in TABLES["shots"].items() if each.type == "int64"}
    shot |= {"id": "v_0_1", "video_id": "v", "overlay_file": None, "camera_file": None, **columns}
    workspace.write("shots", [{**shot, "measures": "{}"}])
    return shot


@pytest.mark.parametrize("columns", [{}, {"overlay_file": "é.png"}, {"overlay_file": "é.png", "camera_file": "c.txt"}])
def test_a_shots_inputs_are_written_as_those_of_any_task(tmp_path: Path, columns: dict[str, str]) -> None:
    workspace = Workspace(tmp_path)
    shot = videos_and_shot(workspace, **columns)
    for name in columns.values():
        (tmp_path / name).write_text(name)
    video = {"id": "v", "path": "1", "sha256": "1", "url": None, "width": 1, "height": 1}
    inputs = {f"{column}_sha256": sha256_of(tmp_path / name) for column, name in columns.items()}
    inputs |= {"shot": shot, "video": video} | ({"clip": "v_0_1"} if "camera_file" in columns else {})
    (task,) = STAGE.tasks(workspace, STAGE.config())
    assert (task.text, task.inputs) == (key_text(inputs), inputs)


@pytest.mark.parametrize("column", ["overlay_file", "camera_file"])
def test_a_shot_whose_file_is_gone_is_named_with_a_remedy_and_waited_for(tmp_path: Path, column: str) -> None:
    workspace = Workspace(tmp_path)
    videos_and_shot(workspace, **{column: "curate/v.00000000/a"})
    with pytest.raises(InputError, match=r"curate/v\.00000000/a, which a shot needs.*verify --repair"):
        list(STAGE.tasks(workspace, STAGE.config()))
    (found,) = plan(workspace, {"sfm": STAGE.config()}, only=("sfm",))
    assert "which a shot needs" in found["waits_for"]
