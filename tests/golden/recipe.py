"""Inputs and weights that the reference outputs in tests/golden belong to, and the outputs themselves.

The outputs were measured by running the official TensorFlow release of Infinite Nature on these inputs; pictures
are kept as 16-bit fractions (half a step is 8e-6), channels last as there. The variables are the release's names
and shapes.
"""

from __future__ import annotations

import zlib
from functools import cache
from pathlib import Path

import numpy as np
import torch

FOLDER = Path(__file__).parent
HEIGHT, WIDTH = 160, 256
INTRINSICS = np.array([0.8, 0.8 * WIDTH / HEIGHT, 0.5, 0.5], np.float32)


@cache
def golden(name: str) -> dict[str, np.ndarray]:
    """Arrays of one file."""
    with np.load(FOLDER / f"{name}.npz") as file:
        arrays = dict(file)
    return {k: v / np.float32(65535) if v.dtype == np.uint16 else v for k, v in arrays.items()}


def variables() -> dict[str, list[int]]:
    """Shape of every variable of the release, by name."""
    lines = (FOLDER / "variables.txt").read_text().splitlines()
    pairs = (line.split(" ", 1) for line in lines if line)
    return {name: [int(n) for n in shape.strip("[]").split(",")] for name, shape in pairs}


def weight(name: str, shape: list[int]) -> np.ndarray:
    """A variable's value: normal, kernels scaled by sqrt(2 / fan in), biases by 0.05; seeded by its name."""
    random = np.random.RandomState(zlib.crc32(name.encode()) & 0x7FFFFFFF)
    values = random.standard_normal(tuple(shape)).astype(np.float32)
    match name.rsplit("/", 1)[-1]:
        case "kernel":
            return values * np.float32(np.sqrt(2.0 / np.prod(shape[:-1])))
        case "bias":
            return values * np.float32(0.05)
    return values


def rgbd(seed: int) -> np.ndarray:
    """Sky over a sloping sea, and a rock with a sharp edge: ``[160, 256, 4]``."""
    random = np.random.RandomState(seed)
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    u, v = (columns + 0.5) / WIDTH, (rows + 0.5) / HEIGHT
    horizon = 0.30 + 0.05 * random.rand()
    disparity = 0.02 + 0.55 * np.clip((v - horizon) / (1 - horizon), 0, 1)
    x, y, radius = 0.25 + 0.5 * random.rand(), 0.6 + 0.1 * random.rand(), 0.12 + 0.05 * random.rand()
    rock = ((u - x) ** 2 * 2.5 + (v - y) ** 2) < radius**2
    disparity = np.where(rock, disparity + 0.25, disparity)
    waves = random.uniform(8, 60, size=(6, 2)).astype(np.float32)
    phases = random.uniform(0, 6.28, size=6).astype(np.float32)
    texture = sum(np.sin(f * u + g * v + p) for (f, g), p in zip(waves, phases, strict=True)) / 6
    colors = (
        (0.55 + 0.3 * v, 0.45 + 0.25 * texture, 0.15 + 0.10 * texture),
        (0.70 + 0.2 * v, 0.38 + 0.22 * texture, 0.40 + 0.15 * texture),
        (0.90 + 0.05 * v, 0.28 + 0.20 * texture, 0.50 + 0.18 * texture),
    )
    rgb = [np.where(v < horizon, sky, np.where(rock, stone, sea)) for sky, stone, sea in colors]
    return np.clip(np.stack([*rgb, disparity], -1), 0, 1).astype(np.float32)


def noise(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    """Standard normal."""
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


def tensor(image: np.ndarray) -> torch.Tensor:
    """``[h, w, c]`` or ``[1, h, w, c]`` to ``[1, c, h, w]``."""
    return torch.from_numpy(np.ascontiguousarray(image)).reshape(1, *image.shape[-3:]).permute(0, 3, 1, 2).contiguous()


def array(image: torch.Tensor) -> np.ndarray:
    """``[1, c, h, w]`` to ``[h, w, c]``."""
    return image.detach()[0].permute(1, 2, 0).numpy()


def camera(values: np.ndarray) -> torch.Tensor:
    """One camera as a batch."""
    return torch.from_numpy(np.array(values))[None]
