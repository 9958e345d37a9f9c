"""One pass over a video: its shots, each with its measures and a few pictures."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .boundaries.segment import Segmenter, Span
from .boundaries.strips import Arbiter, Transition, tiny_of
from .config import CurateConfig
from .decode import glimpses
from .measures.collect import Collector
from .shots import Shot, measure_shot, set_boxes

BEHIND_BYTES = 64 * 2**20  # of frames that wait to be measured while boundaries are sought


@dataclass
class Scan:
    """The result of a pass over a video."""

    shots: list[Shot]
    transitions: list[Transition]
    frame_count: int


@contextmanager
def _one_thread() -> Iterator[None]:
    """OpenCV on one thread: the frames are too small to divide, and the decoder needs the other cores."""
    import cv2

    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


@_one_thread()
def scan(
    path: Path,
    config: CurateConfig,
    *,
    given_us: Sequence[tuple[int, int]] | None = None,
    hand_over: Callable[[Shot], None] = lambda shot: None,
) -> Scan:
    """Find and measure a video's shots.

    Args:
        path: a local video file.
        config: the stage's settings.
        given_us: first and last presentation time of shots that are known already; boundaries are then not sought.
        hand_over: called with each shot as it ends, with its pictures; its box is not final yet.

    Raises:
        InputError: the video cannot be read to its end.
    """
    import cv2

    segmenter = Segmenter(config.shots, _arbiter(config))
    collector = Collector(config)
    shots: list[Shot] = []

    def close(span: Span, start_us: int, end_us: int, needed_from_us: int) -> None:
        shot = measure_shot(span, start_us, end_us, collector.size, collector.within(start_us, end_us), config)
        hand_over(shot)
        shot.pictures, shot.views = [], []
        shots.append(shot)
        collector.forget(needed_from_us)

    end_us = 0
    given = None if given_us is None else _Given(segmenter.times_us, given_us)
    with _Behind() as measuring:

        def finish(spans: Iterator[Span]) -> None:
            for span in spans:
                start_us, stop_us = segmenter.times_us[span.start], segmenter.end_of(span, end_us)
                # Asked here, as the measuring thread may be behind: shots that it has not closed yet still count.
                needed_from_us = stop_us if given is None else given.needed_from_us()
                measuring.do(close, span, start_us, stop_us, needed_from_us)

        for glimpse in glimpses(path, longest=config.working_px, sample_every_s=config.sample_every_s):
            gray = cv2.cvtColor(glimpse.small, cv2.COLOR_RGB2GRAY)
            end_us = glimpse.end_us
            measuring.do(collector.add, glimpse, gray, nbytes=glimpse.nbytes)
            if given is None:
                finish(segmenter.add(glimpse.time_us, tiny_of(glimpse.small), gray))
            else:
                segmenter.times_us.append(glimpse.time_us)
                finish(given.ended())
        finish(segmenter.close() if given is None else given.rest())
    set_boxes(shots, collector.size)
    return Scan(shots, segmenter.transitions, len(segmenter.times_us))


class _Behind:
    """A thread that does its work in order, at most ``BEHIND_BYTES`` of frames behind its caller."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="measure")
        self._asked: deque[tuple[Future[None], int]] = deque()
        self._bytes = 0

    def do(self, work: Callable[..., None], *arguments: Any, nbytes: int = 0) -> None:
        """Queue ``work(*arguments)``; an error of earlier work is raised here."""
        self._asked.append((self._thread.submit(work, *arguments), nbytes))
        self._bytes += nbytes
        self._await(BEHIND_BYTES)

    def _await(self, behind_bytes: int) -> None:
        while self._asked and self._bytes > behind_bytes:
            done, nbytes = self._asked.popleft()
            done.result()
            self._bytes -= nbytes

    def __enter__(self) -> _Behind:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._await(-1)
        finally:
            self._thread.shutdown(cancel_futures=True)


def find_boundaries(path: Path, config: CurateConfig) -> tuple[list[Transition], Sequence[int]]:
    """Only the transitions between a video's shots, and the time of every frame; nothing is measured.

    Raises:
        InputError: the video cannot be read to its end.
    """
    import cv2

    segmenter = Segmenter(config.shots, _arbiter(config))
    for glimpse in glimpses(path, longest=config.working_px, sample_every_s=1e9):
        gray = cv2.cvtColor(glimpse.small, cv2.COLOR_RGB2GRAY)
        list(segmenter.add(glimpse.time_us, tiny_of(glimpse.small), gray))
    list(segmenter.close())
    return segmenter.transitions, segmenter.times_us


def _arbiter(config: CurateConfig) -> Arbiter | None:
    from .boundaries import transnet

    return transnet.Arbiter(config.shots.max_network_share) if config.shots.detector == "cascade" else None


class _Given:
    """Shots whose first and last times are known: each ends when the frame after it arrives.

    Args:
        times_us: of the frames so far; grows while the video is decoded.
        spans_us: first and last time of each shot.
    """

    def __init__(self, times_us: array[int], spans_us: Sequence[tuple[int, int]]) -> None:
        self._times_us = times_us
        self._waiting = deque(spans_us)

    def ended(self) -> Iterator[Span]:
        """The next shots, as long as they have ended."""
        while self._waiting and self._times_us[-1] > self._waiting[0][1]:
            span = self._span(*self._waiting[0])
            if span.end >= len(self._times_us):
                return  # it ends when the next frame begins
            self._waiting.popleft()
            yield span

    def rest(self) -> Iterator[Span]:
        """The shots that are left, at the end of the video."""
        while self._waiting:
            yield self._span(*self._waiting.popleft())

    def needed_from_us(self) -> int:
        """The time from which frames matter to the remaining shots, with a second to spare."""
        first = min((first for first, _ in self._waiting), default=self._times_us[-1])
        return first - 1_000_000

    def _span(self, first_us: int, last_us: int) -> Span:
        return Span(self._nearest(first_us), self._nearest(last_us) + 1)

    def _nearest(self, time_us: int) -> int:
        """Place of the frame nearest to a time, the earlier of two."""
        after = bisect_left(self._times_us, time_us)
        around = range(max(0, after - 1), min(len(self._times_us), after + 1))
        return min(around, key=lambda place: abs(self._times_us[place] - time_us))
