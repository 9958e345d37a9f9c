"""A dataset's fingerprint: figures of known flights, and the page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from flythrough.errors import InputError
from flythrough.scene.cameras import Cameras
from flythrough.scene.clips import load_clips
from flythrough.scene.geometry import make_pose
from flythrough.sfm.view.fingerprint import clip_figures
from flythrough.sfm.view.report_page import figures_of, write_report
from flythrough.workspace.catalog import Workspace
from tests.clip_factory import make_workspace


def flown(*, yaw_deg_s: float, pitch_deg: float, rising: float = 0.0, seconds: float = 4.0) -> Cameras:
    """Forward at 2 units/s from 3 units above the ground y = 0, turning right; +y is down."""
    times = np.arange(0, seconds, 0.1)
    poses = []
    for time in times:
        yaw, pitch = np.radians(yaw_deg_s * time), np.radians(pitch_deg)
        look = np.array([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        right = np.array([np.cos(yaw), 0, -np.sin(yaw)])
        rotation = np.stack([right, np.cross(look, right), look])
        poses.append(make_pose(rotation, -rotation @ np.array([0, -3 - rising * time, 2 * time])))
    intrinsics = np.tile([0.5, 0.9, 0.5, 0.5], (len(times), 1))
    return Cameras("made.mp4", (times * 1e6).round().astype(np.int64), intrinsics, np.stack(poses))


GROUND = np.stack([*(x.ravel() for x in np.meshgrid(np.arange(-9, 9, 0.5), [0.0], np.arange(-2, 20, 0.5)))], -1)


@pytest.mark.parametrize("yaw", [12.0, -5.0, 0.0])
def test_figures_are_those_of_the_flight(yaw: float) -> None:
    found = clip_figures(flown(yaw_deg_s=yaw, pitch_deg=-20), GROUND)
    assert found["length_s"] == pytest.approx(3.9)
    assert found["speed"] == pytest.approx(2, rel=0.01)
    assert found["heading_deg_s"] == pytest.approx(abs(yaw), abs=0.3)
    assert found["turn_deg"] == pytest.approx(yaw * 3.9, abs=1.5)
    assert found["view_deg"] == pytest.approx(90)


def test_height_climb_and_pitch_where_turning_shows_the_vertical() -> None:
    found = clip_figures(flown(yaw_deg_s=30, pitch_deg=-20, rising=0.5), GROUND)
    assert found["pitch_deg"] == pytest.approx(-20, abs=1)
    assert found["climb"] == pytest.approx(0.5, abs=0.03)
    assert found["height"] == pytest.approx(3 + 0.5 * 1.95, abs=0.1)
    assert "height" not in clip_figures(flown(yaw_deg_s=30, pitch_deg=-20))


def test_the_page_has_all_clips_and_needs_nothing_else(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path, clips=3, frames=8, height=24, width=32)
    shots = [
        {
            "id": row["shot_id"], "video_id": row["video_id"], "start_frame": 0, "end_frame": 8, "start_us": 0,
            "end_us": 320_000, "crop_left": 0, "crop_top": 0, "crop_right": 32, "crop_bottom": 24,
            "measures": json.dumps({"coast": 0.25 * place, "haze": 0.5} if place else {}),
        }
        for place, row in enumerate(workspace.rows("clips"))
    ]  # fmt: skip
    workspace.write("shots", shots)
    figures = figures_of(workspace, workspace.rows("clips"))
    assert [one.get("coast") for one in figures] == [None, 0.25, 0.5]
    assert len(load_clips(workspace)) == len(figures)
    text = write_report(workspace).read_text()
    for words in ("speed, units per second", "coast, probability", "haze, 0 to 1", "3 clips of 3 videos"):
        assert words in text
    assert "height over ground, units" not in text  # no points, no height
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)


def test_no_clips_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no clips"):
        write_report(Workspace(tmp_path))
