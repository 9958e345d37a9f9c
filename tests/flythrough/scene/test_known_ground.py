"""Ground that the start picture shows: the autopilot stays above it, whatever it is shown later."""

from __future__ import annotations

import numpy as np
import pytest

from flythrough.scene.autopilot import Autopilot
from flythrough.scene.geometry import Intrinsics, camera_center, default_intrinsics, pixel_centers, transform
from flythrough.scene.known_ground import KnownGround, start_surface

HEIGHT, WIDTH = 64, 96
LENS = default_intrinsics(HEIGHT, WIDTH)
STEPS, SPEED = 60, 0.2


def hill(lens: Intrinsics, at: float = 6.0, top: float = 1.0, below: float = 1.0) -> np.ndarray:
    """Disparity of a plain ``below`` the camera, with a wall across it that is ``top`` higher than the camera."""
    rays = (pixel_centers(HEIGHT, WIDTH)[..., 1] - lens[3]) / lens[1]
    plain = np.maximum(rays / below, 0)
    return np.where((rays > -top / at) & (rays < below / at), 1 / at, plain)


def centers(pilot: Autopilot, steps: int = STEPS) -> np.ndarray:
    """Where a pilot goes that always sees a plain far below."""
    seen = np.where(pixel_centers(HEIGHT, WIDTH)[..., 1] > 0.5, 0.2, 0.0)
    return np.stack([camera_center(pilot.pose), *(camera_center(pilot.next_pose(seen)) for _ in range(steps))])


def test_it_climbs_over_a_hill_that_is_no_longer_seen() -> None:
    disparity = hill(LENS)
    past = int(6 / SPEED) + 1
    unaware, aware = centers(Autopilot(LENS)), centers(Autopilot.from_start(disparity, LENS, speed=SPEED))
    assert unaware[past, 1] > -0.5  # through it
    assert aware[past, 1] < -1.0  # y is down: above its top
    assert aware[:, 1].min() > -1.8  # and no higher than it must


def test_it_flies_so_wherever_the_start_stands() -> None:
    turn, tilt = 0.7, 0.2
    yaw = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    roll = np.array([[np.cos(tilt), -np.sin(tilt), 0], [np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    pose = np.concatenate([roll @ yaw, [[3.0], [-2.0], [5.0]]], 1)
    home = centers(Autopilot.from_start(hill(LENS), LENS))
    there = centers(Autopilot.from_start(hill(LENS), LENS, pose))
    np.testing.assert_allclose(transform(pose, there), home, atol=1e-9)


@pytest.mark.parametrize("speed", [0.2, -0.2])
def test_a_raised_heading_keeps_its_length_and_its_bearing(speed: float) -> None:
    ground = KnownGround(hill(LENS, at=3), LENS, np.eye(3, 4))
    move = np.array([0.1, 0.05, 0.9]) * np.sign(speed)  # backwards: towards the hill, by heading away from it
    raised = ground.clear(np.zeros(3), move, speed)
    assert np.linalg.norm(raised) == pytest.approx(np.linalg.norm(move))
    assert raised[0] / raised[2] == pytest.approx(move[0] / move[2])
    assert raised[1] * np.sign(speed) < -0.02


def test_what_stands_behind_beside_or_below_changes_nothing() -> None:
    move = np.array([0.0, 0.0, 1.0])
    for position in ([0, 0, 7], [0, -2, 0], [40, 0, 0]):
        ground = KnownGround(hill(LENS), LENS, np.eye(3, 4))
        np.testing.assert_array_equal(ground.clear(np.array(position, float), move, SPEED), move)
    sky = KnownGround(np.zeros((HEIGHT, WIDTH)), LENS, np.eye(3, 4))
    np.testing.assert_array_equal(sky.clear(np.zeros(3), move, SPEED), move)


def test_the_surface_has_few_rows_and_no_sky() -> None:
    surface = start_surface(np.full((160, 256), 0.5), LENS)
    assert surface.shape == (54, 86, 3)
    np.testing.assert_allclose(surface[..., 2], 2.0)
    assert np.isnan(start_surface(np.full((8, 8), 0.01), LENS)).all()
