"""Disparity of a small clip by a network that notes each time it is loaded; importable by name in worker processes."""

from __future__ import annotations

import os
from pathlib import Path
from unittest.mock import patch

import numpy as np

from flythrough.networks import depth
from flythrough.sfm.config import DisparityConfig
from flythrough.sfm.disparity.networks import from_network
from flythrough.sfm.disparity.posed import PosedClip

SIZE = 16


class Noted:
    """In place of a depth network: the disparity of a ramp, a line in ``loads`` for each one made."""

    def __init__(self, source: str, device_name: str, revision: str | None = None) -> None:
        with open(Path(source) / "loads", "a") as file:
            file.write(f"{os.getpid()}\n")

    def __call__(self, image: np.ndarray) -> np.ndarray:
        return np.tile(np.linspace(0.5, 1, image.shape[1], dtype=np.float32), (image.shape[0], 1))


def clip() -> PosedClip:
    """Two frames from one place, with points on the ramp."""
    generator = np.random.default_rng(0)
    x, y = generator.uniform(0.1, 0.9, (2, 200))
    depths = 1 / (0.5 + x / 2)
    points = np.stack([(x - 0.5) * depths, (y - 0.5) * depths, depths], axis=1)
    pose, seen = np.eye(4)[:3], np.zeros(200, np.int64)
    images = np.zeros((2, SIZE, SIZE, 3), np.uint8)
    intrinsics = np.array([1.0, 1.0, 0.5, 0.5])
    return PosedClip(np.arange(2), images, intrinsics, np.stack([pose, pose]), points, 200, seen, seen + 1, 1.0)


def work(number: int, folder: str) -> None:
    """Compute the clip's disparity and leave the process's id in the file ``number``."""
    with patch.object(depth, "DepthNetwork", Noted):
        found = list(from_network(clip(), DisparityConfig(provider="midas", model=folder, device="cpu")))
    assert [each.shape for each in found] == [(SIZE, SIZE)] * 2
    (Path(folder) / str(number)).write_text(str(os.getpid()))
