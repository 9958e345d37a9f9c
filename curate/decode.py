"""The one decode pass: every frame small, some frames also larger, all with exact times."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from flythrough.errors import InputError
from flythrough.media.video_reader import Upright, displayed_size, microseconds, open_video, time_base, timed

DECODE_THREADS = 3  # each holds frames of its own, which is most of the memory at 4K
AHEAD_BYTES = 32 * 2**20  # of frames that wait to be measured: decoding continues while boundaries are sought
VIEW = 224  # pixels per side of EfficientNet-Lite0's input


@dataclass(frozen=True)
class Glimpse:
    """A frame as the measures see it.

    Attributes:
        index: 0-based, in presentation order, from the start of the file.
        time_us: presentation time, microseconds.
        end_us: when it ends if no other frame follows.
        small: RGB, upright, at the working width.
        luma: full-size luma, upright, on sampled frames; None on the others.
        view: RGB, upright, with ``VIEW`` pixels on the shorter side, on the same frames.
        coded_bytes: length of its packet; None where the container does not say which that is.
    """

    index: int
    time_us: int
    end_us: int
    small: UInt8[np.ndarray, "h w 3"]
    luma: UInt8[np.ndarray, "full_h full_w"] | None
    view: UInt8[np.ndarray, "view_h view_w 3"] | None
    coded_bytes: int | None

    @property
    def nbytes(self) -> int:
        """Bytes of its pictures."""
        return sum(x.nbytes for x in (self.small, self.luma, self.view) if x is not None)


def working_size(width: int, height: int, longest: int) -> tuple[int, int]:
    """Width and height with ``longest`` on the longer side; never enlarged, never under 16 pixels a side."""
    scale = min(1.0, longest / max(width, height))
    return max(16, round(width * scale)), max(16, round(height * scale))


def glimpses(path: Path, *, longest: int, sample_every_s: float) -> Iterator[Glimpse]:
    """Decode a video once, in constant memory, in a thread of its own.

    Args:
        path: a local video file.
        longest: longer side of ``Glimpse.small``, pixels.
        sample_every_s: seconds between frames that carry full-size luma (the first frame always does).

    Raises:
        InputError: the file cannot be read, has no frames, or more damaged ones than acquire allows.
    """
    return _in_thread(lambda: _decode(path, longest, sample_every_s))


def _decode(path: Path, longest: int, sample_every_s: float) -> Iterator[Glimpse]:
    from av.video.frame import PictureType

    step_us = round(sample_every_s * 1e6)
    patience_us = step_us // 2
    to_small, to_view, to_luma = Upright("bgr24"), Upright("bgr24"), Upright("gray")
    with open_video(path) as (container, stream):
        stream.codec_context.thread_count = DECODE_THREADS
        # Not deblocking frames that no other refers to saves a tenth of decoding, and cannot be seen at this size.
        stream.codec_context.options = {"skip_loop_filter": "noref"}
        base = time_base(stream)
        usual = max(1, round(1 / (stream.average_rate or 25) / base))  # ticks
        index, first_us, next_sample_us, first_size = -1, None, None, None
        lengths: dict[int, int] = {}
        for index, (pts, time_us, frame) in enumerate(timed(path, container, stream, whole=True, coded_bytes=lengths)):
            size = displayed_size(frame)
            if size != (first_size := first_size or size):
                before, after = (f"{width} x {height}" for width, height in (first_size, size))
                message = f"{path} changes its size at frame {index}, from {before} to {after}"
                raise InputError(message, remedy="Cut it there, or convert it to one size")
            luma = view = None
            rough = frame.pict_type == PictureType.B  # perhaps not deblocked: sharpness is measured on the next
            if next_sample_us is None or time_us >= next_sample_us + patience_us * rough:
                first_us = time_us if first_us is None else first_us
                next_sample_us = time_us + step_us - (time_us - first_us) % step_us
                luma = to_luma(frame)
                view = _rgb(to_view(frame, *working_size(*size, round(VIEW * max(size) / min(size)))))
            small = _rgb(to_small(frame, *working_size(*size, longest)))
            end_us = microseconds(pts + (frame.duration or usual), base)
            yield Glimpse(index, time_us, end_us, small, luma, view, lengths.pop(pts, None))
        if index < 0:
            raise InputError(f"{path} has no frames", remedy="Download it again, or remove it from the input")


def _rgb(bgr: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """RGB from BGR, which libav scales to a third faster than to RGB."""
    import cv2

    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


class _Waiting:
    """Queue of decoded frames between two threads, up to ``AHEAD_BYTES``."""

    def __init__(self) -> None:
        self._items: deque[Glimpse | BaseException | None] = deque()
        self._bytes = 0
        self._closed = False
        self._changed = threading.Condition()

    def put(self, item: Glimpse | BaseException | None) -> bool:
        """Wait for room and put the item; False if the reader has stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._bytes < AHEAD_BYTES)
            self._items.append(item)
            self._bytes += item.nbytes if isinstance(item, Glimpse) else 0
            self._changed.notify()
            return not self._closed

    def take(self) -> Glimpse | BaseException | None:
        with self._changed:
            self._changed.wait_for(lambda: self._items)
            item = self._items.popleft()
            self._bytes -= item.nbytes if isinstance(item, Glimpse) else 0
            self._changed.notify()
            return item

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify()


def _in_thread(make: Callable[[], Iterator[Glimpse]]) -> Iterator[Glimpse]:
    """Iterate in a background thread; errors reach the reader."""
    waiting = _Waiting()

    def work() -> None:
        try:
            for item in make():
                if not waiting.put(item):
                    return
        except BaseException as error:  # handed to the reader
            waiting.put(error)
        else:
            waiting.put(None)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while (item := waiting.take()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        waiting.close()
        thread.join()
