"""Flights: the autopilot against the release's, and fixed plans by known answers."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

import tests.golden.recipe as recipe
from flythrough.errors import InputError
from flythrough.scene.autopilot import LAND, Autopilot, look_along
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.geometry import camera_center, compose, invert
from flythrough.scene.plans import FixedFlight, at_speed, from_file, orbit, straight

LENS = recipe.INTRINSICS
FLAT = np.full((20, 30), 0.3)


def test_the_autopilot_flies_as_the_release() -> None:
    golden = recipe.golden("fly")
    pilot = Autopilot(LENS)
    for seed, pose in zip(golden["seeds"], golden["poses"], strict=True):
        np.testing.assert_allclose(pilot.next_pose(recipe.rgbd(seed)[..., 3]), pose, atol=1e-5)
    assert pilot.pose.dtype == np.float64


def test_torch_and_numpy_disparity_steer_alike() -> None:
    disparity = recipe.rgbd(1)[..., 3]
    expected = Autopilot(LENS).next_pose(disparity)
    np.testing.assert_array_equal(Autopilot(LENS).next_pose(torch.from_numpy(disparity).requires_grad_()), expected)


def test_it_turns_towards_the_open_sky_and_climbs_over_near_ground() -> None:
    right_open = FLAT.copy()
    right_open[:10, 15:] = 0.0
    assert Autopilot(LENS).next_pose(right_open)[2, 0] > 0.01  # looks right: +x of the world
    assert Autopilot(LENS).next_pose(right_open[:, ::-1])[2, 0] < -0.01
    near = Autopilot(LENS).next_pose(np.full((20, 30), 0.9))
    assert camera_center(near)[1] < -1e-3 < camera_center(Autopilot(LENS).next_pose(FLAT))[1]  # up is -y


def test_it_turns_back_to_land_if_it_is_told_to() -> None:
    sea = np.linspace(0.0, 0.5, 20)[:, None] * np.ones(30)  # level water: equally far all along a row
    cape = sea.copy()
    cape[8:12, 24:] += 0.15

    def turned(disparity: np.ndarray, land: float) -> float:
        return float(Autopilot(LENS, land=land).next_pose(disparity)[2, 0])  # +x is to the right

    assert turned(cape, LAND) > turned(cape, 0.0) + 0.01
    assert turned(cape[:, ::-1], LAND) < turned(cape[:, ::-1], 0.0) - 0.01
    assert turned(sea, LAND) == turned(sea, 0.0)  # nowhere to turn to
    steered = [Autopilot(LENS, land=land).next_pose(cape, steer=(-0.1, 0)) for land in (0.0, LAND)]
    np.testing.assert_array_equal(*steered)  # who steers may leave the land
    coast = sea.copy()
    coast[6:, 15:] += 0.3
    assert turned(coast, LAND) == turned(coast, 0.0)  # land enough


def test_steering_and_backwards() -> None:
    plain = Autopilot(LENS).next_pose(FLAT)
    assert Autopilot(LENS).next_pose(FLAT, steer=(0.3, 0))[2, 0] > plain[2, 0] + 0.01
    assert Autopilot(LENS).next_pose(FLAT, steer=(0, 0.3))[2, 1] > plain[2, 1] + 0.01  # +y is down
    back = Autopilot(LENS, speed=-0.2)
    assert camera_center(back.next_pose(FLAT))[2] < -0.19
    near = np.full((20, 30), 0.9)
    forward, backward = Autopilot(LENS), Autopilot(LENS, speed=-0.2)
    assert backward.balance(near)[2] == pytest.approx(1 - forward.balance(near)[2])


def test_a_start_pose_only_moves_the_flight() -> None:
    start = look_along(np.array([3.0, -1, 7]), np.array([1.0, 0.2, 0.5]), np.array([0.1, 1, 0]))
    here, there = Autopilot(LENS), Autopilot(LENS, start)
    for seed in range(3):
        disparity = recipe.rgbd(seed)[..., 3]
        np.testing.assert_allclose(there.next_pose(disparity), compose(here.next_pose(disparity), start), atol=1e-12)


def test_all_sky_and_all_rock_stay_finite_for_long() -> None:
    for value in (0.0, 1.0):
        pilot = Autopilot(LENS)
        for _ in range(2000):
            pose = pilot.next_pose(np.full((4, 6), value))
        assert np.isfinite(pose).all()
        np.testing.assert_allclose(pose[:, :3] @ pose[:, :3].T, np.eye(3), atol=1e-9)


def test_steering_straight_down_stays_finite() -> None:
    pilot = Autopilot(LENS)
    for _ in range(500):
        assert np.isfinite(pilot.next_pose(FLAT, steer=(0, 5))).all()


def test_straight_and_orbit() -> None:
    flight = straight(speed=0.5)
    centers = [camera_center(flight.pose), *(camera_center(flight.next_pose(FLAT)) for _ in range(3))]
    np.testing.assert_allclose(centers, [[0, 0, 0], [0, 0, 0.5], [0, 0, 1], [0, 0, 1.5]])

    flight = orbit(radius=2, degrees_per_step=90)
    quarter = flight.next_pose()
    np.testing.assert_allclose(camera_center(quarter), [2, 0, 2], atol=1e-12)  # to the right of the centre
    np.testing.assert_allclose(quarter[2, :3], [-1, 0, 0], atol=1e-12)  # and looking back at it
    for _ in range(3):
        pose = flight.next_pose()
    np.testing.assert_allclose(pose, np.eye(3, 4), atol=1e-12)


def test_a_swaying_orbit_keeps_within_its_angle() -> None:
    flight = orbit(radius=1, degrees_per_step=10, sway=15)
    turns = [np.degrees(np.arctan2(flight.next_pose()[2, 0], flight.pose[2, 2])) for _ in range(36)]
    assert max(turns) == pytest.approx(15, abs=0.3)
    assert min(turns) == pytest.approx(-15, abs=0.3)


def test_a_pose_file_is_flown_as_it_is_or_from_a_given_pose(tmp_path: Path) -> None:
    plan = orbit(radius=3)
    poses = np.array([plan.pose, *(plan.next_pose() for _ in range(4))])[2:]
    write_cameras(tmp_path / "a.txt", Cameras("x", np.arange(3) * 1000, np.tile(LENS, (3, 1)), poses))
    flight = from_file(tmp_path / "a.txt")
    np.testing.assert_allclose([flight.pose, flight.next_pose(), flight.next_pose()], poses)
    with pytest.raises(InputError, match="3 poses"):
        flight.next_pose()

    start = look_along(np.array([5.0, 0, 1]), np.array([0, 0.3, 1.0]), np.array([0, 1.0, 0]))
    flight = from_file(tmp_path / "a.txt", start)
    flown = [flight.pose, flight.next_pose(), flight.next_pose()]
    np.testing.assert_allclose(flown[0], start, atol=1e-12)
    for (a, b), (c, d) in zip(pairwise(flown), pairwise(poses), strict=True):
        np.testing.assert_allclose(compose(b, invert(a)), compose(d, invert(c)), atol=1e-9)


def test_a_pose_file_is_flown_at_another_speed_and_backwards(tmp_path: Path) -> None:
    plan = orbit(radius=10, degrees_per_step=2)  # steps of 0.35
    poses = np.array([plan.pose, *(plan.next_pose() for _ in range(8))])
    write_cameras(tmp_path / "a.txt", Cameras("x", np.arange(9) * 1000, np.tile(LENS, (9, 1)), poses))
    for speed in (0.1, 1.0):
        centers = camera_center(at_speed(poses, speed))
        steps = np.linalg.norm(np.diff(centers, axis=0), axis=1)
        np.testing.assert_allclose(steps, speed, rtol=0.01)
        assert len(steps) == int(8 * 20 * np.sin(np.radians(1)) / speed)
        np.testing.assert_allclose(np.linalg.norm(centers - [0, 0, 10], axis=1), 10, atol=0.01)
    half = at_speed(poses, 10 * np.sin(np.radians(1)))[1]
    turned = orbit(radius=10, degrees_per_step=1).next_pose()
    np.testing.assert_allclose(half[:, :3], turned[:, :3], atol=1e-9)  # half the distance, half the turn
    flight = from_file(tmp_path / "a.txt", np.eye(3, 4), speed=-0.5)
    np.testing.assert_allclose(flight.pose, np.eye(3, 4), atol=1e-12)
    assert camera_center(flight.next_pose())[0] == pytest.approx(-0.5, abs=0.01)  # to the left: it came from there
    for speed in (0, 3, float("nan")):
        with pytest.raises(InputError, match="cannot be flown"):
            from_file(tmp_path / "a.txt", speed=speed)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Autopilot(LENS, np.full((3, 4), np.nan)),
        lambda: Autopilot(LENS[:3]),
        lambda: Autopilot(LENS, speed=float("inf")),
        lambda: Autopilot(LENS, smoothing=0.0),
        lambda: Autopilot(LENS, land=float("nan")),
        lambda: Autopilot(LENS, land=-0.1),
        lambda: Autopilot(LENS).next_pose(np.full((4, 6), np.nan)),
        lambda: Autopilot(LENS).next_pose(np.zeros((1, 4, 6))),
        lambda: Autopilot(LENS).next_pose(FLAT, steer=(float("nan"), 0)),
        lambda: FixedFlight([np.eye(4)]),
        lambda: FixedFlight([]),
    ],
)
@pytest.mark.usefixtures("unchecked")
def test_bad_input_is_refused_at_the_door(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError):
        make()
