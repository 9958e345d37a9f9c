"""``flythrough evaluate check`` hands out the frame that fails, as a picture."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from flythrough.evaluate.cli import check
from flythrough.evaluate.generation.refused import REFUSED, keep_refused
from flythrough.evaluate.methods.registry import MethodFailure

CLASS = """
import numpy as np

class Odd:
    def setup(self, setting):
        self.shape = setting.height, setting.width, 3
    def generate(self, rgbd, intrinsics, flight, seed):
        yield_this = np.full(self.shape, 0.5, np.float32)
        yield_this[0, 0] = np.nan
        flight.next_pose(rgbd[3])
        yield yield_this
"""
COMMAND = """
import json, pathlib, sys
import numpy as np
from PIL import Image
request, frames = map(pathlib.Path, sys.argv[1:])
for flight in json.loads((request / "request.json").read_text())["flights"]:
    (frames / flight["id"]).mkdir(parents=True)
    for step in range(1, flight["steps"] + 1):
        image = np.full((64, 96, 4), 10 * step, np.uint8)
        Image.fromarray(image).save(frames / flight["id"] / f"{step:06d}.png")
"""


def test_a_class_that_yields_another_kind_of_array(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(CLASS)
    (tmp_path / "odd.toml").write_text('name = "odd"\nentry_point = "odd:Odd"\n')
    with pytest.raises(MethodFailure, match=r"not finite \(NaN\).* \(the frame: .*seen\.png\)"):
        check(str(tmp_path / "odd.toml"), picture=tmp_path / "seen.png")
    image = cv2.imread(str(tmp_path / "seen.png"))
    assert image.shape == (64, 96, 3)
    assert image[0, 0].tolist() == [255, 0, 255]
    assert image[5, 5].tolist() == [128, 128, 128]


def test_a_command_that_writes_another_kind_of_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fly.py").write_text(COMMAND)
    command = f'["{sys.executable}", "fly.py", "{{request}}", "{{frames}}"]'
    (tmp_path / "alpha.toml").write_text(f'name = "alpha"\ncommand = {command}\n')
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MethodFailure, match=r"RGB with alpha.* \(the frame: alpha-check\.png\)"):
        check("alpha.toml")
    assert cv2.imread("alpha-check.png", cv2.IMREAD_UNCHANGED)[0, 0].tolist() == [10, 10, 10, 10]


def test_a_method_that_made_no_frame_has_no_picture(tmp_path: Path) -> None:
    (tmp_path / "none.py").write_text(CLASS.replace("yield yield_this", "yield None"))
    (tmp_path / "none.toml").write_text('name = "none"\nentry_point = "none:Odd"\n')
    with pytest.raises(MethodFailure) as caught:
        check(str(tmp_path / "none.toml"), picture=tmp_path / "seen.png")
    assert "the frame:" not in str(caught.value)
    assert not (tmp_path / "seen.png").exists()


@pytest.mark.parametrize(
    "frame", [None, "x", np.zeros(3), np.zeros((2, 2, 7)), np.zeros((0, 4, 3)), np.ones((2, 2), complex)]
)
def test_what_is_no_picture_is_left_out(tmp_path: Path, frame: object) -> None:
    keep_refused(frame, tmp_path)
    assert not (tmp_path / REFUSED).exists()
