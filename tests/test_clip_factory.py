"""The synthetic clips that other tests use are right: exact disparity, poses that agree with the pictures."""

from pathlib import Path

import cv2
import numpy as np

from flythrough.scene.clips import load_clips
from flythrough.scene.geometry import compose, invert, project, transform, unproject
from flythrough.workspace.files import sha256_of_folder
from tests.clip_factory import make_workspace


def test_points_of_one_frame_land_on_the_same_colour_and_depth_in_another(tmp_path: Path) -> None:
    (clip,) = load_clips(make_workspace(tmp_path, clips=1, frames=4, height=96, width=144, splits=("train",)))
    depth = 1 / np.maximum(clip.disparity(0), 1e-3)
    points = unproject(clip.cameras.intrinsics[0], depth).reshape(-1, 3)
    third_from_first = compose(clip.cameras.poses[3], invert(clip.cameras.poses[0]))
    xy, depth = project(clip.cameras.intrinsics[3], transform(third_from_first, points))
    pixels = (xy * [144, 96] - 0.5).astype(np.float32)[None]
    color = cv2.remap(clip.frame(3), pixels, None, cv2.INTER_LINEAR)[0].astype(float)
    disparity = cv2.remap(clip.disparity(3), pixels, None, cv2.INTER_LINEAR)[0]
    inside = ((xy > 0.02) & (xy < 0.98)).all(-1) & (clip.disparity(0).ravel() > 0.1)
    error = np.abs(color - clip.frame(0).reshape(-1, 3)).mean(-1)[inside]
    still = np.abs(clip.frame(3).astype(float) - clip.frame(0)).mean(-1).ravel()[inside]
    assert np.median(error) < 4  # grey levels; fog and fading paint change a little with distance
    assert np.median(still) > 12
    assert np.median(np.abs(1 / depth[inside] - disparity[inside])) < 2e-3


def test_same_arguments_give_the_same_bytes_and_the_nearest_thing_is_about_one_unit_away(tmp_path: Path) -> None:
    first = make_workspace(tmp_path / "a", frames=3, height=32, width=64)
    second = make_workspace(tmp_path / "b", frames=3, height=32, width=64)
    assert sha256_of_folder(first.root) == sha256_of_folder(second.root)
    assert [row["split"] for row in first.rows("clips")] == ["train", "train", "test"]
    for clip in load_clips(first):
        assert 0.7 < clip.disparity(0).max() < 1.5
        assert clip.disparity(0).min() == 0
