"""Does a flight follow its camera: known motions, real recordings, and pictures that do not move as told."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flythrough.evaluate.following.follow import Follow, compare_motion, expected_flow, follow, optical_flow, warp_error
from flythrough.evaluate.following.reconstruct import Recovered, recover
from flythrough.results.metrics import CAMERA_FIGURES
from flythrough.scene.geometry import default_intrinsics, identity_pose
from tests.clip_factory import SPEED, camera_path, make_world, view

HEIGHT, WIDTH = 64, 96
INTRINSICS = default_intrinsics(HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def flight() -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """(frames, poses, disparity of the first) of a recorded flight."""
    poses = camera_path(9, 1, seed=4)
    shots = [view(make_world(4), pose, INTRINSICS, HEIGHT, WIDTH) for pose in poses]
    return [image for image, _ in shots], poses, shots[0][1]


def test_expected_flow_of_a_camera_that_steps_right_goes_left_by_disparity() -> None:
    there = identity_pose()
    there[0, 3] = -0.1  # the camera moves to +x
    disparity = np.full((HEIGHT, WIDTH), 0.5)
    disparity[:, 48:] = 1.0
    flow, inside = expected_flow(identity_pose(), there, INTRINSICS, disparity)
    np.testing.assert_allclose(flow[:, :48, 0], -0.1 * 0.5 * 0.8)
    np.testing.assert_allclose(flow[:, 48:, 0], -0.1 * 1.0 * 0.8)
    np.testing.assert_allclose(flow[..., 1], 0, atol=1e-12)
    assert not inside[:, 0].any()
    assert inside[:, -1].all()


def test_optical_flow_sees_a_known_shift() -> None:
    random = np.random.default_rng(0)
    import cv2

    texture = cv2.GaussianBlur(random.uniform(0, 255, (HEIGHT, WIDTH + 8, 3)).astype(np.float32), (0, 0), 2)
    texture = ((texture - texture.min()) / np.ptp(texture) * 255).astype(np.uint8)
    flow = optical_flow(texture[:, 4:-4], texture[:, 1:-7])  # the content moves 3 pixels right
    assert np.median(flow[8:-8, 8:-8, 0]) * WIDTH == pytest.approx(3, abs=0.3)
    assert np.median(flow[8:-8, 8:-8, 1]) * HEIGHT == pytest.approx(0, abs=0.3)


def test_motion_as_commanded_has_correlation_and_gain_one_and_outliers_are_cut() -> None:
    image = np.random.default_rng(1).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    expected = np.random.default_rng(2).normal(0.02, 0.01, (HEIGHT, WIDTH, 2))
    inside = np.ones((HEIGHT, WIDTH), bool)
    assert compare_motion(expected, expected, inside, image) == pytest.approx((1, 1))
    assert compare_motion(expected / 2, expected, inside, image) == pytest.approx((1, 0.5))
    assert compare_motion(-expected, expected, inside, image) == pytest.approx((-1, -1))
    wild = expected.copy()
    wild[:4] *= 1000
    correlation, gain = compare_motion(wild, expected, inside, image) or (0, 0)
    assert correlation > 0.9
    assert gain < 1.3
    assert compare_motion(expected, expected, inside, np.full_like(image, 7)) is None


def test_a_recorded_flight_follows_its_camera(flight: tuple[list[np.ndarray], np.ndarray, np.ndarray]) -> None:
    frames, poses, disparity = flight
    found = follow(frames, poses, INTRINSICS, disparity)
    assert found.reason is None
    assert found.correlation > 0.65
    assert 0.5 < found.gain < 1.6
    assert found.pairs == found.commanded == len(frames) - 1


@pytest.mark.parametrize("wrong", ["static", "backwards", "faded", "other-way"])
def test_what_does_not_move_as_told_does_not_follow(
    flight: tuple[list[np.ndarray], np.ndarray, np.ndarray], wrong: str
) -> None:
    frames, poses, disparity = flight
    if wrong == "static":
        frames = [frames[0]] * len(frames)
    elif wrong == "backwards":
        frames = frames[::-1]
    elif wrong == "faded":  # a still picture whose light changes is still a still picture
        frames = [np.round(frames[0] * (1 - 0.05 * i)).astype(np.uint8) for i in range(len(frames))]
    else:  # turning left where a turn to the right is commanded
        poses = poses.copy()
        for index, pose in enumerate(poses):
            c, s = np.cos(0.12 * index), np.sin(0.12 * index)
            pose[:] = np.array([[c, 0, -s], [0, 1, 0], [s, 0, c]]) @ pose
    found = follow(frames, poses, INTRINSICS, disparity)
    assert found.reason is not None, found


def test_black_frames_show_nothing_to_judge_by(flight: tuple[list[np.ndarray], np.ndarray, np.ndarray]) -> None:
    frames, poses, disparity = flight
    black = [frames[0], *[np.zeros_like(frames[0])] * (len(frames) - 1)]
    reason = follow(black, poses, INTRINSICS, disparity).reason
    assert reason is not None
    assert "too few" in reason
    still = follow(frames, np.repeat(poses[:1], len(poses), 0), INTRINSICS, disparity)
    assert still.commanded == 0
    assert Follow(1.0, 1.0, 0, 0).reason == still.reason


def test_a_recorded_path_is_recovered_twice_alike_and_a_still_gives_none(
    flight: tuple[list[np.ndarray], np.ndarray, np.ndarray],
) -> None:
    frames, poses, _ = flight
    found = recover(frames, poses, INTRINSICS)
    assert found.registered == 1
    assert found.figures is not None
    assert found.figures["follow_sfm_deviation"] < 0.03
    assert recover(frames, poses, INTRINSICS) == found
    backwards = recover(frames[::-1], poses, INTRINSICS)
    assert backwards.figures is not None
    assert backwards.figures["follow_sfm_deviation"] > 0.2
    speck = frames[0].copy()
    speck[0, 0] ^= 1
    assert recover([*[frames[0]] * (len(frames) - 1), speck], poses, INTRINSICS) == Recovered(0.0, None)


def test_a_still_has_no_path_and_is_not_searched_for_one(
    monkeypatch: pytest.MonkeyPatch, flight: tuple[list[np.ndarray], np.ndarray, np.ndarray]
) -> None:
    def search(*_: object) -> str:
        raise AssertionError("COLMAP was started")

    monkeypatch.setattr("flythrough.evaluate.following.reconstruct._run", search)
    frames, poses, _ = flight
    assert recover([frames[0]] * len(frames), poses, INTRINSICS) == Recovered(0.0, None)


@pytest.mark.parametrize(
    ("trouble", "why"),
    [
        ("while True: pass", "processor time"),
        ("os.abort()", "crashed"),
        ("raise ValueError('no such camera')", "crashed: ValueError: no such camera"),
    ],
)
def test_a_reconstruction_that_does_not_end_measures_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str, why: str,
    flight: tuple[list[np.ndarray], np.ndarray, np.ndarray],
) -> None:  # fmt: skip
    (tmp_path / "pycolmap.py").write_text(f"import os\n{trouble}\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr("flythrough.evaluate.following.reconstruct.WALL_CLOCK_FACTOR", 100)  # the machine may be busy
    frames, poses, _ = flight
    found = recover(frames, poses, INTRINSICS, time_limit_s=3)
    assert (found.registered, found.figures) == (None, None)
    assert why in (found.why_not or "")


def test_a_full_disk_is_an_error_of_the_reconstruction_and_no_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flight: tuple[list[np.ndarray], np.ndarray, np.ndarray]
) -> None:
    (tmp_path / "pycolmap.py").write_text("raise RuntimeError('SQLite error: database or disk is full')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(OSError, match="No space left"):
        recover(*flight[:2], INTRINSICS)


def measured(monkeypatch: pytest.MonkeyPatch, *paths: Recovered) -> Any:
    """The tally of flights a, b, ... whose cameras were recovered so."""
    from types import SimpleNamespace

    from flythrough.evaluate.scoring import per_flight
    from flythrough.evaluate.scoring.tally import Settings, Tally

    found = dict(zip("abcdef", paths, strict=False))
    monkeypatch.setattr(per_flight, "recover", lambda frames, *_: found[frames[0]])
    header = SimpleNamespace(generation=SimpleNamespace(sfm_flights=len(paths)))
    source = SimpleNamespace(protocol=SimpleNamespace(header=header), intrinsics=lambda start: INTRINSICS)
    camera = SimpleNamespace(poses=np.zeros(3))
    flights = [
        lambda id=id: SimpleNamespace(start=SimpleNamespace(id=id), frames=[id] * 3, commanded=camera) for id in found
    ]
    tally = Tally(Settings())
    per_flight.recovered_paths(source, flights, tally)  # type: ignore[arg-type]
    return tally


@pytest.mark.usefixtures("unchecked")  # a stand-in for the source
def test_what_was_not_reconstructed_is_in_no_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two flights: one whose reconstruction crashed, one that was measured."""
    figures = dict.fromkeys(CAMERA_FIGURES, 0.01)
    tally = measured(monkeypatch, Recovered(1.0, figures), Recovered(None, None, "structure from motion crashed"))
    assert tally.values == []
    assert set(tally.not_measured) == {"follow_sfm_registered", *CAMERA_FIGURES}
    assert "1 of 2 flights" in tally.not_measured["follow_sfm_registered"]


@pytest.mark.usefixtures("unchecked")  # a stand-in for the source
def test_a_flight_without_a_path_counts_as_the_worst_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    good, bad = dict.fromkeys(CAMERA_FIGURES, 0.1), dict.fromkeys(CAMERA_FIGURES, 0.4)
    tally = measured(monkeypatch, Recovered(1.0, good), Recovered(0.1, None), Recovered(0.5, bad), Recovered(0.0, None))
    values = {value.metric: value for value in tally.values}
    assert values["follow_sfm_registered"].value == pytest.approx(1.6 / 4)
    for name in CAMERA_FIGURES:
        assert values[name].value == pytest.approx((0.1 + 3 * 0.4) / 4)
        assert values[name].note == "no path found, counted as the worst of the others: b, d"
    none = measured(monkeypatch, Recovered(0.0, None))
    assert {v.value for v in none.values if v.metric in CAMERA_FIGURES} == {None}
    assert "no path in 1 of 1 flights" in none.values[-1].note


def test_warp_error_forgives_motion_and_sees_flicker(flight: tuple[list[np.ndarray], np.ndarray, np.ndarray]) -> None:
    frames, _, _ = flight
    assert SPEED == 0.2
    moving = warp_error(frames[0], frames[1])
    assert moving is not None
    flicker = np.clip(frames[1].astype(int) + 40, 0, 255).astype(np.uint8)
    flickering = warp_error(frames[0], flicker)
    assert warp_error(frames[0], frames[0]) == pytest.approx(0, abs=1e-6)
    assert flickering is not None
    assert flickering > 2 * moving


def test_real_drone_frames_are_told_from_a_still(shared_data: Path) -> None:
    """The official model's video: its frames move, and warp onto each other."""
    from flythrough.media.video_reader import frames as decode

    shown = [f.image for f in decode(shared_data / "real/infinite_nature_generated.mp4", end_us=1_000_000)][::10]
    errors = [warp_error(a, b) for a, b in pairwise(shown)]
    assert all(error is not None and 0 < error < 0.1 for error in errors)
