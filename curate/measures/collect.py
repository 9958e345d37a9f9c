"""Measures of a video's frames, collected before shots are known."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from jaxtyping import UInt8

from ..config import CurateConfig
from ..decode import Glimpse
from .pace import Change
from .picture import Look, look
from .tracker import Step, Tracker, Window

PICTURES_EVERY_S = 0.2


@dataclass(frozen=True)
class Seen:
    """Measures of the frames of one shot."""

    steps: list[Step]
    windows: list[Window]
    looks: list[Look]
    views: list[np.ndarray]
    pictures: list[np.ndarray]
    coded_bytes: list[int | None]  # of every frame
    changes: list[Change]  # likewise


@dataclass
class Collector:
    """Measures all frames in order, and returns the measures within a span of time until told to forget them."""

    config: CurateConfig
    tracker: Tracker = field(default_factory=Tracker)
    looks: list[tuple[int, Look, np.ndarray]] = field(default_factory=list)
    pictures: list[tuple[int, np.ndarray]] = field(default_factory=list)
    coded: list[tuple[int, int | None]] = field(default_factory=list)
    changes: list[tuple[int, Change]] = field(default_factory=list)
    size: tuple[int, int] = (1, 1)
    _next_track_us: int | None = None
    _next_picture_us: int | None = None
    _before: UInt8[np.ndarray, "h w"] | None = None

    def add(self, glimpse: Glimpse, gray: UInt8[np.ndarray, "h w"]) -> None:
        """Measure the next frame; ``gray`` is its ``small`` in grey."""
        import cv2

        self.coded.append((glimpse.time_us, glimpse.coded_bytes))
        before = gray if self._before is None else self._before
        self.changes.append((glimpse.time_us, Change(cv2.mean(gray)[0], cv2.mean(cv2.absdiff(gray, before))[0])))
        self._before = gray
        if self._next_track_us is None or glimpse.time_us >= self._next_track_us:
            # A quarter of a step of slack, so that 30 frames per second give every second frame exactly.
            self._next_track_us = glimpse.time_us + round(0.75e6 / self.config.track_hz)
            self.tracker.add(gray, glimpse.time_us / 1e6)
        if self._next_picture_us is None or glimpse.time_us >= self._next_picture_us:
            self._next_picture_us = glimpse.time_us + round(PICTURES_EVERY_S * 1e6)
            self.pictures.append((glimpse.time_us, glimpse.small))
        if glimpse.luma is not None and glimpse.view is not None:
            self.size = (glimpse.luma.shape[0], glimpse.luma.shape[1])
            self.looks.append((glimpse.time_us, look(glimpse.luma), glimpse.view))

    def within(self, start_us: int, end_us: int) -> Seen:
        """Measures of frames within [start, end)."""

        def inside(span: Step | Window) -> bool:
            return start_us / 1e6 <= span.before_s and span.after_s < end_us / 1e6

        pictures = [p for t, p in self.pictures if start_us <= t < end_us]
        if not pictures and self.pictures:
            pictures = [min(self.pictures, key=lambda p: abs(p[0] - start_us))[1]]
        looks = [x for x in self.looks if start_us <= x[0] < end_us]
        return Seen(
            steps=[s for s in self.tracker.steps if inside(s)],
            windows=[w for w in self.tracker.windows if inside(w)],
            looks=[one for _, one, _ in looks],
            views=[view for _, _, view in looks],
            pictures=pictures,
            coded_bytes=[length for t, length in self.coded if start_us <= t < end_us],
            changes=[change for t, change in self.changes if start_us <= t < end_us],
        )

    def forget(self, before_us: int) -> None:
        """Discard measures of earlier frames, but not the last picture: the end of a video may be too short for one."""
        before_s = before_us / 1e6
        self.looks = [x for x in self.looks if x[0] >= before_us]
        self.pictures = [x for x in self.pictures if x[0] >= before_us] or self.pictures[-1:]
        self.changes = [x for x in self.changes if x[0] >= before_us]
        self.coded = [x for x in self.coded if x[0] >= before_us]
        self.tracker.steps = [s for s in self.tracker.steps if s.before_s >= before_s]
        self.tracker.windows = [w for w in self.tracker.windows if w.before_s >= before_s]
