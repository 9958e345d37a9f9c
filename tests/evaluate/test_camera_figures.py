"""Camera figures against closed forms, and against evo on the same trajectories."""

from __future__ import annotations

import numpy as np
import pytest

from flythrough.evaluate.following import published
from flythrough.evaluate.following.figures import (
    deviation,
    figures,
    fill_failures,
    rotation_errors,
    share_posed,
    step_errors,
    translation_errors,
)
from flythrough.evaluate.following.path import Path
from flythrough.evaluate.following.similarity import Similarity, by_centres, by_orientations
from flythrough.results.metrics import CAMERA_FIGURES
from flythrough.scene.geometry import camera_center, invert, make_pose

N = 21
EXACT = {"abs": 1e-6, "rel": 0}


def turn(axis: str, degrees: np.ndarray | float) -> np.ndarray:
    """Rotations about one axis, ``[..., 3, 3]``."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    zero, one = np.zeros_like(c), np.ones_like(c)
    rows = {
        "x": [[one, zero, zero], [zero, c, -s], [zero, s, c]],
        "y": [[c, zero, s], [zero, one, zero], [-s, zero, c]],
        "z": [[c, -s, zero], [s, c, zero], [zero, zero, one]],
    }[axis]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def cameras(rotations: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """cam_from_world of cameras with these cam_from_world rotations that stand there."""
    return make_pose(rotations, -(rotations @ centers[:, :, None])[..., 0])


def ahead(n: int = N) -> np.ndarray:
    """Centres of a flight straight ahead, 1 a step."""
    return np.stack([np.zeros(n), np.zeros(n), np.arange(n, dtype=float)], 1)


def curved(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A winding flight, and the same with noise on centres and orientations."""
    random, t = np.random.default_rng(seed), np.linspace(0, 3, N)
    centers = np.stack([np.sin(t), 0.3 * np.cos(2 * t), 2 * t], 1)
    rotations = turn("y", 30 * np.sin(t)) @ turn("x", 8 * t)
    noise = turn("x", random.normal(0, 2, N)) @ turn("z", random.normal(0, 2, N))
    return cameras(rotations, centers), cameras(noise @ rotations, centers + random.normal(0, 0.05, (N, 3)))


ELSEWHERE = Similarity(turn("x", 40.0) @ turn("z", -70.0), 3.7, np.array([5.0, -2.0, 1.0]))
ALL = np.arange(N)


def path(recovered: np.ndarray, commanded: np.ndarray, placed: np.ndarray = ALL) -> Path:
    found = Path.of(recovered, placed, commanded)
    assert found is not None
    return found


def test_a_known_similarity_is_taken_out_of_every_figure() -> None:
    commanded, _ = curved()
    found = figures(path(ELSEWHERE.of(commanded), commanded))
    assert tuple(found) == CAMERA_FIGURES
    assert list(found.values()) == pytest.approx([0] * len(found), **EXACT)
    straight = cameras(turn("z", 4.0 * ALL), ahead())
    assert translation_errors(path(ELSEWHERE.of(straight), straight)) == pytest.approx(np.zeros(N), **EXACT)


def test_alignment_returns_the_similarity_that_was_put_in() -> None:
    commanded, _ = curved()
    for align in (by_orientations, by_centres):
        back = align(ELSEWHERE.of(commanded), commanded)
        assert back.scale == pytest.approx(1 / 3.7, **EXACT)
        assert back.rotation == pytest.approx(ELSEWHERE.rotation.T, **EXACT)
        assert back.of(ELSEWHERE.of(commanded)) == pytest.approx(commanded, **EXACT)


def test_known_noise_has_known_errors() -> None:
    """Cameras turn 6 degrees left and right in turn about their own axis, and stand 0.5 left and right of the path.

    The signs go + - - + ... so that the rotation takes nothing of it up; the best scale is a little below 1, because
    the found path is that much wider.
    """
    n = 24
    signs = np.resize([1.0, -1, -1, 1], n)
    centers = ahead(n)
    commanded = cameras(np.repeat(np.eye(3)[None], n, 0), centers)
    off = cameras(turn("y", 6 * signs), centers + 0.5 * signs[:, None] * np.array([1.0, 0, 0]))
    found = path(ELSEWHERE.of(off), commanded, np.arange(n))
    assert rotation_errors(found) == pytest.approx(np.full(n, 6), **EXACT)
    spread = (n**2 - 1) / 12  # variance of 0 .. n - 1
    scale = spread / (spread + 0.25)
    errors = np.hypot(0.5 * scale, (1 - scale) * (np.arange(n) - (n - 1) / 2)) / (n - 1)
    assert translation_errors(found) == pytest.approx(errors, **EXACT)
    assert deviation(found) == pytest.approx(np.sqrt((errors**2).mean()), **EXACT)
    steps = step_errors(found)
    assert steps is not None
    changes = np.abs(np.diff(signs)) / 2
    assert steps[0] == pytest.approx(12 * changes, **EXACT)
    # Seen from camera i, turned by a, the found step (dx, 0, 1) is short of or beside the commanded (0, 0, 1).
    turned = scale * np.einsum("nij,nj->ni", turn("y", 6 * signs[:-1]), np.diff(camera_center(off), axis=0))
    assert steps[1] == pytest.approx(np.linalg.norm(turned - [0, 0, 1], axis=1), **EXACT)


def test_published_sums_of_known_errors() -> None:
    """A camera that yaws 1 degree a step more than told, and goes straight ahead as told but at twice the speed."""
    commanded = cameras(np.repeat(np.eye(3)[None], N, 0), ahead())
    found = path(cameras(turn("y", 1.0 * ALL), 2 * ahead()), commanded)
    assert published.rot_err(found) == pytest.approx(np.radians(N * (N - 1) / 2), **EXACT)
    assert published.trans_err(found) == pytest.approx(0, **EXACT)
    # |R - 1| of a turn by a is 2 sqrt(2) sin(a / 2)
    expected = (2 * np.sqrt(2) * np.sin(np.radians(ALL) / 2)).sum()
    assert published.cam_mc(found) == pytest.approx(expected, **EXACT)
    assert published.nate(found) == pytest.approx(0, **EXACT)
    aside = path(cameras(np.repeat(np.eye(3)[None], N, 0), ahead()[:, [2, 1, 0]]), commanded)  # to the right instead
    assert published.trans_err(aside) == pytest.approx((np.sqrt(2) * ALL / (N - 1)).sum(), **EXACT)
    assert published.rot_err(aside) == pytest.approx(0, **EXACT)


def test_a_flipped_path_is_not_turned_into_a_good_one() -> None:
    """Backwards along the commanded line: the scale falls to zero, and the camera stands in the middle."""
    rotations = turn("z", 4.0 * ALL)
    commanded = cameras(rotations, ahead())
    found = path(cameras(rotations, -ahead()), commanded)
    middle = np.abs(ALL - (N - 1) / 2)
    assert translation_errors(found) == pytest.approx(middle / (N - 1), **EXACT)
    assert deviation(found) == pytest.approx(np.sqrt((middle**2).mean()) / (N - 1), **EXACT)
    assert rotation_errors(found) == pytest.approx(np.zeros(N), **EXACT)
    assert published.nate(found) == pytest.approx(0, **EXACT)  # which is why it does not judge here
    about_face = path(cameras(turn("y", np.where(ALL < 11, 0, 180.0)) @ rotations, ahead()), commanded)
    assert np.sort(rotation_errors(about_face)) == pytest.approx(np.repeat([0.0, 180.0], [11, 10]), **EXACT)


def test_frames_without_a_pose_count_as_the_worst_posed_one() -> None:
    """The second half is missing; of the first, every other camera is turned by 4 degrees."""
    n, k = 16, 8
    commanded = cameras(np.repeat(np.eye(3)[None], n, 0), ahead(n))
    angles = np.resize([4.0, -4, -4, 4], k)
    angles[:4] /= 4
    found = path(cameras(turn("y", angles), ahead(k)), commanded, np.arange(k))
    errors = np.concatenate([np.abs(angles), np.full(n - k, 4.0)])
    assert share_posed(found) == 0.5
    assert rotation_errors(found) == pytest.approx(errors, **EXACT)
    values = figures(found)
    assert values["follow_sfm_rotation"] == pytest.approx((4 * 1 + 12 * 4) / 16, **EXACT)
    assert values["follow_sfm_rotation_median"] == pytest.approx(4, **EXACT)
    steps = step_errors(found)
    assert steps is not None
    assert steps[0] == pytest.approx(np.concatenate([np.abs(np.diff(angles)), np.full(n - k, 8.0)]), **EXACT)
    apart = path(commanded[::2], commanded, np.arange(0, n, 2))  # no two neighbours
    assert step_errors(apart) is None
    assert figures(apart)["follow_sfm_step_rotation"] is None


def test_each_figure_is_of_its_own_errors() -> None:
    told, found = curved()
    rotation, translation = step_errors(path(found, told)) or (np.empty(0), np.empty(0))
    made = figures(path(found, told))
    assert made["follow_sfm_step_rotation"] == pytest.approx(rotation.mean())
    assert made["follow_sfm_step_translation"] == pytest.approx(translation.mean())
    assert abs(rotation.mean() - translation.mean()) > 1


def test_three_posed_frames_make_a_path_and_two_do_not() -> None:
    told, found = curved()
    assert figures(path(found[:3], told, np.arange(3)))["follow_sfm_deviation"] is not None
    assert Path.of(found[:2], np.arange(2), told) is None


def test_where_there_is_no_path_there_are_no_figures_and_the_worst_flight_counts() -> None:
    commanded, noisy = curved()
    assert Path.of(noisy[:2], np.arange(2), commanded) is None
    assert Path.of(noisy, ALL, np.repeat(commanded[:1], N, 0)) is None
    assert fill_failures([0.1, None, 0.3, None]) == [0.1, 0.3, 0.3, 0.3]
    assert fill_failures([None, None]) is None


@pytest.mark.parametrize("seed", range(3))
def test_evo_finds_the_same(seed: int) -> None:
    """The same trajectories in evo: its Umeyama alignment, its absolute and its relative pose errors."""
    metrics = pytest.importorskip("evo.core.metrics")
    from evo.core.trajectory import PosePath3D

    def trajectory(poses: np.ndarray) -> PosePath3D:
        last = np.broadcast_to([0.0, 0, 0, 1], (len(poses), 1, 4))
        return PosePath3D(poses_se3=list(np.concatenate([invert(poses), last], 1)))

    def errors(metric: object, truth: np.ndarray, found: PosePath3D) -> np.ndarray:
        metric.process_data((trajectory(truth), found))  # type: ignore[attr-defined]
        return np.array(metric.error)  # type: ignore[attr-defined]

    relation = metrics.PoseRelation
    commanded, noisy = curved(seed)
    noisy = ELSEWHERE.of(noisy)
    found = path(noisy, commanded)
    by_evo = trajectory(noisy)
    by_evo.align(trajectory(commanded), correct_scale=True)
    umeyama = by_centres(noisy, commanded).of(noisy)
    assert camera_center(umeyama) == pytest.approx(by_evo.positions_xyz, **EXACT)
    apart = errors(metrics.APE(relation.translation_part), commanded, by_evo)
    assert published.nate(found) * found.length == pytest.approx(np.sqrt((apart**2).mean()), **EXACT)
    assert found.length == pytest.approx(trajectory(commanded).path_length, **EXACT)

    aligned = trajectory(found.aligned)
    angle, distance = relation.rotation_angle_deg, relation.translation_part
    assert rotation_errors(found) == pytest.approx(errors(metrics.APE(angle), commanded, aligned), **EXACT)
    ape = errors(metrics.APE(distance), commanded, aligned)
    assert translation_errors(found) * found.length == pytest.approx(ape, **EXACT)
    steps = step_errors(found)
    assert steps is not None
    assert steps[0] == pytest.approx(errors(metrics.RPE(angle), commanded, aligned), **EXACT)
    step = found.length / (N - 1)
    assert steps[1] * step == pytest.approx(errors(metrics.RPE(distance), commanded, aligned), **EXACT)
