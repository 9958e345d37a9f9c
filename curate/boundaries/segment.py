"""Turn a stream of frames into shots, with a bounded buffer; the middle of a long blank stretch is left out of it."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from ..config import Shots
from .detect import blank_from, find_transitions
from .strips import Arbiter, Strip, Transition

BUFFER_S, BUFFER_FRAMES = 20.0, 1200
OVERLAP_S = 3.0
BLANK_S = 2 * OVERLAP_S  # of a blank stretch that the buffer keeps at either end


@dataclass(frozen=True)
class Span:
    """A shot's frames, half-open."""

    start: int
    end: int


class Segmenter:
    """Takes frames one by one and yields shots as soon as they are certain.

    Attributes:
        times_us: presentation time of every frame seen.
        transitions: found between shots so far.
    """

    def __init__(self, config: Shots, arbiter: Arbiter | None = None) -> None:
        self.times_us = array("q")
        self.transitions: list[Transition] = []
        self._config = config
        self._arbiter = arbiter
        self._tiny: list[np.ndarray] = []
        self._gray: list[np.ndarray] = []
        self._frames: list[int] = []  # index of each frame in the buffer
        self._settles_from = 0  # length of the buffer below which settling again is not worth the time
        self._settled = 0  # transitions that start before this frame are final
        self._open = 0  # first frame of the shot that is running

    def add(self, time_us: int, tiny: UInt8[np.ndarray, "27 48 3"], gray: UInt8[np.ndarray, "h w"]) -> Iterator[Span]:
        """Add the next frame; yields shots that have ended."""
        self._frames.append(len(self.times_us))
        self.times_us.append(time_us)
        self._tiny.append(tiny)
        self._gray.append(gray)
        long = (time_us - self.times_us[self._frames[0]]) / 1e6 >= BUFFER_S and len(self._tiny) >= 64
        if (long or len(self._tiny) >= BUFFER_FRAMES) and len(self._tiny) >= self._settles_from:
            yield from self._settle(last=False)

    def close(self) -> Iterator[Span]:
        """End of the video; yields the remaining shots."""
        yield from self._settle(last=True)
        yield from self._split(self._open, len(self.times_us), ended=True)

    def end_of(self, span: Span, end_us: int) -> int:
        """When a span ends: at the time of the next frame, or at ``end_us`` if there is none yet."""
        return self.times_us[span.end] if span.end < len(self.times_us) else max(end_us, self.times_us[-1] + 1)

    def _settle(self, *, last: bool) -> Iterator[Span]:
        count = len(self.times_us)
        times_s = np.array([self.times_us[frame] for frame in self._frames], dtype=np.float64) / 1e6
        strip = Strip(count - len(self._frames), times_s, np.array(self._tiny), self._gray)
        overlap = count if last else self._overlap(times_s)
        limit = count if last else count - overlap
        blank = False  # whether a fade is going on
        for transition in map(self._in_video, self._find(strip)):
            if self._settled <= transition.start and transition.end < limit + last:
                self.transitions.append(transition)
                self._settled = transition.end + 1
                yield from self._close_shot(transition)
            elif transition.start < limit <= transition.end:
                limit = max(self._settled, transition.start)  # decided later, with more frames
                blank = transition.kind == "fade"
        self._settled = max(self._settled, limit)
        if not last:
            yield from self._split(self._open, limit, ended=False)
            if blank:
                self._release(*np.searchsorted(times_s, [times_s[blank_from(strip)] + BLANK_S, times_s[-1] - BLANK_S]))
            keep = bisect_left(self._frames, limit - overlap)
            self._release(0, keep)
            self._settles_from = 0 if keep else 5 * len(self._tiny) // 4  # else a long black stretch takes forever

    def _release(self, start: int, end: int) -> None:
        """Discard places [start, end) of the buffer, if there are any."""
        del self._frames[start:end], self._tiny[start:end], self._gray[start:end]

    def _in_video(self, found: Transition) -> Transition:
        """A transition within the buffer, in frame indices of the video: no frames are missing from its end on."""
        first = len(self.times_us) - len(self._frames)
        start, end = (self._frames[i - first] if i < len(self.times_us) else i for i in (found.start, found.end))
        return Transition(start, end, found.kind)

    def _find(self, strip: Strip) -> list[Transition]:
        if self._config.detector == "transnet":
            from .transnet import find_transitions as by_network

            return by_network(strip)
        return find_transitions(strip, self._arbiter)

    def _overlap(self, times_s: np.ndarray) -> int:
        return min(int((times_s > times_s[-1] - OVERLAP_S).sum()), len(times_s) // 3)

    def _close_shot(self, transition: Transition) -> Iterator[Span]:
        margin = self._config.margin_frames
        yield from self._split(self._open, transition.start - (margin if transition.start else 0), ended=True)
        self._open = transition.end + margin

    def _split(self, start: int, end: int, *, ended: bool) -> Iterator[Span]:
        """Cut pieces of at most ``max_s`` off the running shot; the rest continues, or ends here."""
        longest_us = self._config.max_s * 1e6
        reach = 1.0 if ended else 2.0
        while end > start and self._time(end) - self.times_us[start] > reach * longest_us:
            left = self._time(end) - self.times_us[start]
            piece_us = left / 2 if ended and left < 2 * longest_us else longest_us
            middle = start + int(np.searchsorted(self.times_us[start:end], self.times_us[start] + piece_us))
            middle = min(max(middle, start + 1), end)
            yield Span(start, middle)
            start = self._open = middle
        if ended and end > start:
            yield Span(start, end)

    def _time(self, frame: int) -> int:
        return self.times_us[min(frame, len(self.times_us) - 1)]
