"""Rolling shutter is found in flights that shake, and not claimed of steady ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from flythrough.scene.geometry import make_pose, transform
from flythrough.sfm.poses.rolling import Readout, readout
from flythrough.sfm.poses.scene import Lens, Scene, adjust

FPS, FRAMES = 25, 24


def filmed(ms: float, shake_deg: float) -> tuple[Scene, np.ndarray]:
    """A flight filmed with a readout of ``ms``, bundle-adjusted as if it had none; and its times, microseconds."""
    random = np.random.default_rng(0)
    lens, points = Lens(640, 360, 500.0, -0.01), random.uniform([-8, -2, 4], [10, 3, 20], (300, 3))
    phase, hertz = random.uniform(0, 2 * np.pi, (3, 3)), random.uniform(1, 4, (3, 3))

    def pose(t: float) -> np.ndarray:
        shake = np.radians(shake_deg) * np.sin(2 * np.pi * hertz * t + phase).sum(0)
        rotation = Rotation.from_rotvec(shake + np.array([0, 0.05 * t, 0])).as_matrix()
        return make_pose(rotation, -rotation @ [0.5 * t, -0.1 * t, 2 * t])

    frame, point, seen_xy = [], [], []
    for i in range(FRAMES):
        row = np.zeros(len(points))
        for _ in range(4):  # a point is seen when its own row is read
            late = [transform(pose(i / FPS + ms / 1000 * r), p[None])[0] for r, p in zip(row, points, strict=True)]
            xy = lens.pixels(np.stack(late))
            row = xy[:, 1] / lens.height - 0.5
        seen = np.flatnonzero((np.stack(late)[:, 2] > 0.5) & ((xy > 0) & (xy < [640, 360])).all(-1))
        frame += [i] * len(seen)
        point += [*seen]
        seen_xy.append(xy[seen] + random.normal(0, 0.15, (len(seen), 2)))
    poses = np.stack([pose(i / FPS) for i in range(FRAMES)])
    scene = Scene(
        np.arange(FRAMES), poses, np.ones(FRAMES, bool), lens, points, np.array(frame), np.array(point),
        np.concatenate(seen_xy),
    )  # fmt: skip
    scene = scene.keep_observations(np.ones(len(frame), bool))
    return adjust(scene), np.arange(FRAMES) * 1_000_000 // FPS


@pytest.mark.parametrize("ms", [0, 10, 25, -10])
def test_the_readout_of_a_shaken_flight_is_found(ms: float) -> None:
    found = readout(*filmed(ms, shake_deg=0.3))
    assert found is not None
    assert found.sd_ms < 2
    assert abs(found.ms - ms) < 3 * found.sd_ms + 0.2 * abs(ms)  # 0.2: see speeds, in readout


def test_a_steady_flight_says_little() -> None:
    found = readout(*filmed(0, shake_deg=0))
    assert found is not None
    assert found.sd_ms > 20
    assert abs(found.ms) < 3 * found.sd_ms


def test_nothing_is_said_without_frames_that_follow_each_other() -> None:
    scene, times = filmed(10, shake_deg=0.3)
    assert readout(replace(scene, frames=3 * scene.frames), 3 * times) is None
    assert Readout(1.234, 0.567).figures() == {"readout_ms": 1.23, "readout_sd_ms": 0.57}


def test_where_frames_are_missing_the_others_are_used() -> None:
    scene, times = filmed(10, shake_deg=0.3)
    found = readout(scene.keep_frames(scene.frames != 11), times[scene.frames != 11])
    assert found is not None
    assert 7 < found.ms < 15
