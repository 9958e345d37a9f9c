"""Conventions, by asymmetric known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from flythrough.scene import geometry


def pose(yaw: float, x: float, y: float, z: float) -> np.ndarray:
    """A camera at (x, y, z) that has turned right by ``yaw``."""
    c, s = np.cos(yaw), np.sin(yaw)
    rotation = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]).T
    return geometry.make_pose(rotation, -rotation @ np.array([x, y, z]))


def test_a_point_right_of_and_below_the_axis_lands_right_of_and_below_the_centre() -> None:
    points = np.array([[0.5, 0.25, 2.0]])
    image, depth = geometry.project(np.array([0.8, 1.6, 0.5, 0.4]), points)
    np.testing.assert_allclose(image, [[0.5 + 0.8 * 0.25, 0.4 + 1.6 * 0.125]])
    np.testing.assert_allclose(depth, [2.0])


def test_turning_right_moves_what_is_ahead_to_the_left() -> None:
    ahead = np.array([[0.0, 0.0, 5.0]])
    seen = geometry.transform(pose(0.3, 0, 0, 0), ahead)
    assert seen[0, 0] < 0


def test_the_camera_stands_where_it_was_put() -> None:
    np.testing.assert_allclose(geometry.camera_center(pose(0.4, 1, -2, 3)), [1, -2, 3], atol=1e-12)


def test_compose_and_invert_undo_each_other_in_either_library() -> None:
    poses = np.stack([pose(0.2, 1, 2, 3), pose(-1.0, -4, 0.5, 2)])
    same = geometry.compose(poses, geometry.invert(poses))
    np.testing.assert_allclose(same, np.broadcast_to(np.eye(3, 4), (2, 3, 4)), atol=1e-12)
    tensors = torch.tensor(poses)
    np.testing.assert_allclose(geometry.compose(tensors, tensors).numpy(), geometry.compose(poses, poses))


def test_compose_applies_the_right_hand_map_first() -> None:
    turn, move = pose(np.pi / 2, 0, 0, 0), pose(0, 0, 0, 1)
    point = np.array([[0.0, 0.0, 3.0]])
    both = geometry.transform(geometry.compose(turn, move), point)
    np.testing.assert_allclose(both, geometry.transform(turn, geometry.transform(move, point)))
    np.testing.assert_allclose(both, [[-2, 0, 0]], atol=1e-12)


def test_unproject_undoes_project() -> None:
    intrinsics = np.array([0.7, 1.1, 0.45, 0.55])
    depth = np.random.default_rng(0).uniform(1, 9, (4, 6))
    points = geometry.unproject(intrinsics, depth)
    image, again = geometry.project(intrinsics, points.reshape(-1, 3))
    np.testing.assert_allclose(image.reshape(4, 6, 2), geometry.pixel_centers(4, 6))
    np.testing.assert_allclose(again.reshape(4, 6), depth)


def test_cropping_moves_a_point_as_the_pixels_move() -> None:
    intrinsics, point = np.array([0.7, 1.1, 0.45, 0.55]), np.array([[0.3, 0.2, 2.0]])
    before, _ = geometry.project(intrinsics, point)
    cropped = geometry.crop_intrinsics(intrinsics, left=0.25, top=0.1, width=0.5, height=0.8)
    after, _ = geometry.project(cropped, point)
    np.testing.assert_allclose(after, (before - [0.25, 0.1]) / [0.5, 0.8])


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_a_flipped_camera_sees_the_mirrored_point_in_the_mirrored_place(library: str) -> None:
    intrinsics, camera, point = np.array([0.8, 1.2, 0.4, 0.5]), pose(0.3, 1, 2, -3), np.array([[0.7, 0.4, 4.0]])
    if library == "torch":
        intrinsics, camera, point = torch.tensor(intrinsics), torch.tensor(camera), torch.tensor(point)  # type: ignore[assignment]
    seen, _ = geometry.project(intrinsics, geometry.transform(camera, point))
    mirrored_point = point * (np.array([-1, 1, 1]) if library == "numpy" else torch.tensor([-1, 1, 1]))
    flipped = geometry.flip_pose(camera)
    mirrored, _ = geometry.project(geometry.flip_intrinsics(intrinsics), geometry.transform(flipped, mirrored_point))
    np.testing.assert_allclose(mirrored[0, 0], 1 - seen[0, 0])
    np.testing.assert_allclose(mirrored[0, 1], seen[0, 1])
    assert np.linalg.det(np.asarray(flipped[..., :3])) == pytest.approx(1)


def test_rotation_angle_is_exact_for_tiny_and_large_turns() -> None:
    for angle in (1e-7, 0.5, 3.0):
        found = geometry.rotation_angle_deg(pose(angle, 1, 1, 1), pose(0, 5, 0, 0))
        assert found == pytest.approx(np.degrees(angle), rel=1e-6)
