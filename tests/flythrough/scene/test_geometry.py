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


def tilted() -> np.ndarray:
    """A camera that has turned about all three axes, at (1, 2, -3)."""
    roll = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    rotation = roll @ pose(0.3, 0, 0, 0)[:, :3] @ roll[::-1, ::-1]
    return geometry.make_pose(rotation, -rotation @ np.array([1, 2, -3]))


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


def test_the_identity_camera_sees_the_world_as_it_is() -> None:
    np.testing.assert_array_equal(geometry.identity_pose(), [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]])


def test_compose_applies_the_right_hand_map_first() -> None:
    turn, move = pose(np.pi / 2, 0, 0, 0), pose(0, 0, 0, 1)
    point = np.array([[0.0, 0.0, 3.0]])
    both = geometry.transform(geometry.compose(turn, move), point)
    np.testing.assert_allclose(both, geometry.transform(turn, geometry.transform(move, point)))
    np.testing.assert_allclose(both, [[-2, 0, 0]], atol=1e-12)


def test_pixel_centres_are_half_a_pixel_from_the_edges() -> None:
    centres = geometry.pixel_centers(2, 5)
    assert centres.shape == (2, 5, 2)
    np.testing.assert_allclose(centres[0, 0], [0.1, 0.25])
    np.testing.assert_allclose(centres[1, 4], [0.9, 0.75])


def test_without_camera_data_a_photo_has_square_pixels_and_64_degrees_across() -> None:
    fx, fy, cx, cy = geometry.default_intrinsics(90, 160)
    assert np.degrees(2 * np.arctan(0.5 / fx)) == pytest.approx(64, abs=0.1)
    assert fy * 90 == pytest.approx(fx * 160)
    assert (cx, cy) == (0.5, 0.5)


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
    intrinsics, camera, point = np.array([0.8, 1.2, 0.4, 0.5]), tilted(), np.array([[0.7, 0.4, 4.0]])
    if library == "torch":
        intrinsics, camera, point = torch.tensor(intrinsics), torch.tensor(camera), torch.tensor(point)  # type: ignore[assignment]
    seen, _ = geometry.project(intrinsics, geometry.transform(camera, point))
    mirrored_point = point * (np.array([-1, 1, 1]) if library == "numpy" else torch.tensor([-1, 1, 1]))
    flipped = geometry.flip_pose(camera)
    mirrored, _ = geometry.project(geometry.flip_intrinsics(intrinsics), geometry.transform(flipped, mirrored_point))
    np.testing.assert_allclose(mirrored[0, 0], 1 - seen[0, 0])
    np.testing.assert_allclose(mirrored[0, 1], seen[0, 1])
    assert np.linalg.det(np.asarray(flipped[..., :3])) == pytest.approx(1)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_many_cameras_at_once_are_each_as_alone(library: str) -> None:
    """Whatever the leading shape; also a camera at whole numbers, whose kind of number is kept."""
    kind = np.asarray if library == "numpy" else torch.tensor
    poses = np.stack([[pose(0.2, 1, 2, 3), pose(-1.0, -4, 0.5, 2)] for _ in range(4)])
    lenses = np.random.default_rng(0).uniform(0.3, 0.9, (4, 2, 4))
    flipped, back = geometry.flip_pose(kind(poses)), geometry.flip_intrinsics(kind(lenses))
    box = {"left": 0.1, "top": 0.2, "width": 0.5, "height": 0.4}
    cropped = geometry.crop_intrinsics(kind(lenses), **box)
    for at in np.ndindex(4, 2):
        np.testing.assert_allclose(flipped[at], geometry.flip_pose(poses[at]))
        np.testing.assert_allclose(back[at], geometry.flip_intrinsics(lenses[at]))
        np.testing.assert_allclose(cropped[at], geometry.crop_intrinsics(lenses[at], **box))
        np.testing.assert_allclose(geometry.invert(kind(poses))[at], geometry.invert(poses[at]))
        np.testing.assert_allclose(geometry.camera_center(kind(poses))[at], geometry.camera_center(poses[at]))
    assert flipped.dtype == kind(poses).dtype
    still = geometry.flip_pose(kind(np.eye(3, 4)))  # zeros stay zeros
    np.testing.assert_array_equal(still, np.eye(3, 4))


def test_rotation_angle_is_exact_for_tiny_and_large_turns() -> None:
    for angle in (1e-7, 0.5, 3.0):
        found = geometry.rotation_angle_deg(pose(angle, 1, 1, 1), pose(0, 5, 0, 0))
        assert found == pytest.approx(np.degrees(angle), rel=1e-6)


@pytest.mark.parametrize("axis", [(1, 0, 0), (0, -1, 0), (0, 0, 1), (2, -1, 3)])
def test_rotation_angle_is_the_same_about_every_axis(axis: tuple[int, int, int]) -> None:
    direction = np.array(axis) / np.linalg.norm(axis)
    angles = np.array([[0.4, 2.9, 1e-6], [1.0, 0.0, 2.0]])
    cross = np.cross(np.eye(3), direction)
    turns = np.array([[np.eye(3) + np.sin(a) * cross + (1 - np.cos(a)) * cross @ cross for a in row] for row in angles])
    both = pose(0.7, 1, 2, 3)
    turned = geometry.make_pose(turns @ both[:, :3], np.zeros((2, 3, 3)))
    found = geometry.rotation_angle_deg(turned, np.broadcast_to(both, (2, 3, 3, 4)))
    np.testing.assert_allclose(found, np.degrees(angles), atol=1e-10)
