"""Edited videos with known boundaries: takes of any origin joined by cuts, dissolves, fades, spins; flashes put in."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import numpy as np

from flythrough.media.video_writer import VideoWriter


@dataclass
class Edit:
    """A timeline under construction.

    Attributes:
        frames: RGB images, one size.
        cuts: first frames of shots that begin at a hard cut.
        graduals: (start, end) of transitions, half-open: frames that mix two shots or show none.
    """

    fps: int = 30
    frames: list[np.ndarray] = field(default_factory=list)
    cuts: list[int] = field(default_factory=list)
    graduals: list[tuple[int, int]] = field(default_factory=list)

    def cut(self, take: np.ndarray) -> Edit:
        """Join a take by a hard cut (the first one just begins)."""
        if self.frames:
            self.cuts.append(len(self.frames))
        self.frames += list(take)
        return self

    def dissolve(self, take: np.ndarray, seconds: float) -> Edit:
        """Mix the end so far into the beginning of a take, both still running."""
        n = round(seconds * self.fps)
        tail = self.frames[-n:]
        del self.frames[-n:]
        self.graduals.append((len(self.frames), len(self.frames) + n))
        weights = (np.arange(n) + 1) / (n + 1)
        self.frames += [mix(a, b, w) for a, b, w in zip(tail, take[:n], weights, strict=True)]
        self.frames += list(take[n:])
        return self

    def fade(self, take: np.ndarray, seconds: float, level: int = 0) -> Edit:
        """Fade out to a grey level and in again, half of the time each."""
        n = round(seconds * self.fps / 2)
        start = len(self.frames) - n
        blank = np.full_like(take[0], level)
        for i in range(n):
            self.frames[start + i] = mix(self.frames[start + i], blank, (i + 1) / n)
        self.graduals.append((start, start + 2 * n))
        self.frames += [mix(blank, take[i], i / n) for i in range(n)] + list(take[n:])
        return self

    def spin(self, take: np.ndarray, seconds: float = 0.3) -> Edit:
        """A whip: both takes smeared sideways, faster towards the middle."""
        n = round(seconds * self.fps / 2)
        start = len(self.frames) - n
        for i in range(n):
            self.frames[start + i] = _smear(self.frames[start + i], (i + 1) / n)
        self.graduals.append((start, start + 2 * n))
        self.frames += [_smear(take[i], 1 - i / n) for i in range(n)] + list(take[n:])
        return self

    def flash(self, at: int, frames: int = 2, strength: float = 0.8) -> Edit:
        """Overexpose a few frames."""
        for i in range(at, at + frames):
            self.frames[i] = mix(self.frames[i], np.full_like(self.frames[i], 255), strength)
        return self

    def write(self, path: Path, crf: int = 20) -> Path:
        """Encode as H.264."""
        height, width = self.frames[0].shape[:2]
        with VideoWriter(path, width=width, height=height, fps=Fraction(self.fps), crf=crf) as writer:
            for image in self.frames:
                writer.write(image)
        return path


def mix(a: np.ndarray, b: np.ndarray, share: float) -> np.ndarray:
    """``(1 - share) a + share b``, rounded."""
    return np.round(a.astype(np.float32) * (1 - share) + b.astype(np.float32) * share).astype(np.uint8)


def _smear(image: np.ndarray, amount: float) -> np.ndarray:
    import cv2

    reach = max(1, int(amount * image.shape[1] * 0.5))
    rolled = np.roll(image, int(amount * image.shape[1]), axis=1)
    return cv2.blur(rolled, (reach, 1))


def pan(
    photo: np.ndarray, frames: int, step_px: float, size: tuple[int, int], start: tuple[int, int] = (0, 0)
) -> np.ndarray:
    """A window that slides over a photo, back and forth at its edges; ``size`` is width, height."""
    import cv2

    width = size[0]
    room = photo.shape[1] - width - 1
    taken = []
    for i in range(frames):
        x = (start[0] + i * step_px) % (2 * room)
        x = 2 * room - x if x > room else x
        moved = np.float32([[1, 0, -x], [0, 1, -start[1]]])
        taken.append(cv2.warpAffine(photo, moved, size, flags=cv2.INTER_LINEAR))
    return np.array(taken)


def matches(found: list[int], truth: list[int], tolerance: int = 1) -> int:
    """How many of two lists of frames pair up within a tolerance, one to one."""
    left = list(truth)
    hits = 0
    for frame in sorted(found):
        near = min(left, key=lambda t: abs(t - frame), default=None)
        if near is not None and abs(near - frame) <= tolerance:
            left.remove(near)
            hits += 1
    return hits


def overlaps(found: list[tuple[int, int]], truth: list[tuple[int, int]]) -> int:
    """How many true transitions are met by a found one that shares frames with them, one to one."""
    left = list(found)
    hits = 0
    for start, end in truth:
        hit = next((f for f in left if f[0] < end and start < max(f[1], f[0] + 1)), None)
        if hit is not None:
            left.remove(hit)
            hits += 1
    return hits


def scenery(seed: int, width: int = 900, height: int = 300) -> np.ndarray:
    """A synthetic aerial photo: rough ground in one of several palettes; each seed gives another place."""
    import cv2

    rng = np.random.default_rng(seed)
    relief = np.zeros((height, width), np.float32)
    for octave in range(2, 8):
        grid = rng.normal(size=(max(2, height * 2**octave // 300), max(2, width * 2**octave // 300)))
        relief += cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC) * 0.62**octave
    level = (relief - relief.min()) / (relief.max() - relief.min())
    low, high = rng.integers(20, 90, 3), rng.integers(130, 240, 3)
    return np.round(low + (high - low) * level[..., None]).astype(np.uint8)
