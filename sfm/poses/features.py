"""SIFT on keyframes, and matches between them."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int64, UInt8
from numba import njit

from ..config import FeaturesConfig

ALL_PAIRS = 20  # up to this many keyframes, every one is matched with every other
_USUAL_PX = 640 * 360  # larger pictures get more features, in proportion to their area, up to three times
_CELLS = (6, 8)  # rows and columns of the grid over which features are spread


@dataclass(frozen=True)
class Features:
    """Features of one picture: ``xy`` in pixels (the first pixel's centre at 0.5, 0.5) and unit descriptors."""

    xy: Float[np.ndarray, "n 2"]
    descriptors: Float[np.ndarray, "n d"]

    def __len__(self) -> int:
        return len(self.xy)


def detect(image: UInt8[np.ndarray, "h w"], usable: Bool[np.ndarray, "h w"], config: FeaturesConfig) -> Features:
    """RootSIFT features on the usable part of a gray picture, spread over it."""
    count = round(config.count * min(3.0, max(1.0, image.size / _USUAL_PX)))
    sift = cv2.SIFT.create(2 * count, contrastThreshold=0.01)
    keypoints, descriptors = sift.detectAndCompute(image, usable.astype(np.uint8))
    if not keypoints:
        return Features(np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    xy = np.array([k.pt for k in keypoints], np.float32)
    strength = np.array([k.response for k in keypoints])
    kept = _spread(xy, strength, image.shape, count)
    root = np.sqrt(descriptors[kept] / np.maximum(descriptors[kept].sum(-1, keepdims=True), 1e-9))
    return Features(xy[kept] + 0.5, root.astype(np.float32))


def _spread(
    xy: Float[np.ndarray, "n 2"], strength: Float[np.ndarray, "n"], shape: tuple[int, ...], count: int
) -> Int64[np.ndarray, "m"]:
    """The strongest features of each cell of a grid, so that every part of the picture contributes."""
    cell = (xy[:, ::-1] / shape * _CELLS).astype(int)
    cell = cell[:, 0] * _CELLS[1] + cell[:, 1]
    return np.sort(strongest_of_each(cell, strength, count))


def strongest_of_each(
    cell: Int64[np.ndarray, "n"], strength: Float[np.ndarray, "n"] | Int64[np.ndarray, "n"], count: int
) -> Int64[np.ndarray, "m"]:
    """Places of the strongest items of all cells, then of the second strongest and so on, ``count`` at most."""
    order = np.lexsort((-strength, cell))
    rank = np.empty(len(cell), int)
    rank[order] = np.arange(len(cell)) - np.searchsorted(cell[order], cell[order])
    return np.lexsort((-strength, rank))[:count]


def match(a: Features, b: Features, ratio: float) -> Int64[np.ndarray, "m 2"]:
    """Mutual nearest neighbours that pass the ratio test; indices into a and b."""
    if min(len(a), len(b)) < 2:
        return np.zeros((0, 2), np.int64)
    nearest, best, second, back = _two_nearest(a.descriptors @ b.descriptors.T)
    closer = (1 - best) <= ratio**2 * (1 - second)  # squared distances of unit vectors are 2 - 2 x similarity
    rows = np.arange(len(a))
    kept = closer & (back[nearest] == rows)
    return np.stack([rows[kept], nearest[kept]], -1)


@njit(cache=True)
def _two_nearest(similarity: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Each row's best column, its value and the second-best value; each column's best row. One pass."""
    rows, columns = similarity.shape
    nearest, back = np.zeros(rows, np.int64), np.zeros(columns, np.int64)
    best, second = np.full(rows, -2.0, np.float32), np.full(rows, -2.0, np.float32)
    top = np.full(columns, -2.0, np.float32)
    for i in range(rows):
        for j in range(columns):
            value = similarity[i, j]
            if value > second[i]:
                if value > best[i]:
                    second[i], best[i], nearest[i] = best[i], value, j
                else:
                    second[i] = value
            if value > top[j]:
                top[j], back[j] = value, i
    return nearest, best, second, back


def pairs_to_match(features: list[Features], config: FeaturesConfig, *, film: bool) -> list[tuple[int, int]]:
    """Which keyframes to match: close ones, a few further ones, similar ones far away (loops); near first.

    Photos get more loops, because their order says less: a survey flies one strip beside the other.
    """
    count = len(features)
    gaps = {*range(1, config.overlap + 1), 2 * config.overlap, 4 * config.overlap}
    if count <= ALL_PAIRS:
        gaps = set(range(1, count))
    pairs = {(i, i + gap) for gap in gaps for i in range(count - gap)}
    pairs |= _loops(features, 2 * config.overlap, config.loops if film else config.photo_loops)
    return sorted(pairs, key=lambda pair: (pair[1] - pair[0], pair[0]))


def _loops(features: list[Features], apart: int, count: int) -> set[tuple[int, int]]:
    """For each keyframe the ``count`` most similar of those further ``apart``, by the visual words they share."""
    if count == 0 or len(features) <= apart or min(map(len, features)) == 0:
        return set()
    words = np.concatenate([f.descriptors[:: max(1, len(f) // 40)] for f in features])[:1024]
    counts = np.stack([np.bincount((f.descriptors @ words.T).argmax(1), minlength=len(words)) for f in features])
    rarity = np.log(len(features) / np.maximum(1, (counts > 0).sum(0)))
    vectors = np.sqrt(counts) * rarity
    vectors /= np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    alike = vectors @ vectors.T
    found = set()
    for i in range(len(features)):
        far = [j for j in range(len(features)) if abs(i - j) > apart and alike[i, j] > 0.3]
        found |= {(min(i, j), max(i, j)) for j in sorted(far, key=lambda j: (-alike[i, j], j))[:count]}
    return found
