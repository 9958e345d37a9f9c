"""Shared by the boundary detectors: a strip of frames, transitions, runs, and how much detail a frame has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, UInt8

LINKED, UNLINKED = 0.35, 0.15  # Link.share of the same scene, of another; between them it is uncertain


@dataclass(frozen=True)
class Transition:
    """Frames between two shots; half-open, empty for a hard cut (``start == end`` is the new shot's first frame)."""

    start: int
    end: int
    kind: str  # cut, dissolve, fade, spin


@dataclass
class Strip:
    """Consecutive frames as the detector sees them.

    Attributes:
        first: index of the first frame in the video.
        times_s: presentation times.
        tiny: 48 x 27 RGB, the size TransNetV2 takes.
        gray: luma at the working width.
    """

    first: int
    times_s: Float[np.ndarray, "n"]
    tiny: UInt8[np.ndarray, "n 27 48 3"]
    gray: list[np.ndarray]

    def __len__(self) -> int:
        return len(self.times_s)


Arbiter = Callable[[Strip, int, int], float | None]  # probability of a transition in frames [start, end), if known


def tiny_of(small: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "27 48 3"]:
    """A frame as ``Strip.tiny`` holds it; halved first if it is large enough, which is twice as fast."""
    import cv2

    height, width = small.shape[:2]
    if width >= 192 and height >= 108:
        small = cv2.resize(small, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (48, 27), interpolation=cv2.INTER_AREA)


def runs(mask: Bool[np.ndarray, "n"]) -> list[tuple[int, int]]:
    """Start and end (exclusive) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def detail_of(gray: np.ndarray) -> float:
    """Mean squared gradient of a picture ``[h, w]``: half of it remains in a mixture of two scenes, all in motion."""
    import cv2

    dx, dy = cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1)
    return float(cv2.norm(dx, cv2.NORM_L2SQR) + cv2.norm(dy, cv2.NORM_L2SQR)) / gray.size
