"""A picture that cannot be written is an error with a remedy."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from flythrough.errors import DiskError
from flythrough.media.image_files import write_image

IMAGE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)


def test_colours_stay_and_the_bytes_are_opencvs(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", IMAGE, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert np.array_equal(cv2.imread(str(tmp_path / "a.png"))[..., ::-1], IMAGE)
    cv2.imwrite(str(tmp_path / "b.png"), IMAGE[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has a device that is always full")
def test_a_full_disk_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to("/dev/full")
    with pytest.raises(DiskError, match="Free some space"):
        write_image(tmp_path / "a.png", IMAGE)


def test_nothing_writes_pictures_past_it() -> None:
    root = Path(__file__).parents[3]
    rooms = ("flythrough", "acquire", "curate", "sfm", "train", "evaluate", "leaderboard")
    files = [file for room in rooms for file in (root / room).rglob("*.py")]
    calls = {
        str(file)
        for file in files
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "imwrite"
    }
    assert calls == set()
