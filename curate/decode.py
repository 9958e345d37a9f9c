"""The one decode pass: every frame small, some frames also larger, all with exact times."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from jaxtyping import UInt8

from flythrough.errors import InputError
from flythrough.video import open_video

T = TypeVar("T")
DECODE_THREADS = 4  # each holds frames of its own: memory, at 4K, is theirs
AHEAD = 8  # frames that wait to be measured; at a low rate each carries a full-size luma
VIEW = 224  # pixels a side that EfficientNet-Lite0 sees


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
    """

    index: int
    time_us: int
    end_us: int
    small: UInt8[np.ndarray, "h w 3"]
    luma: UInt8[np.ndarray, "full_h full_w"] | None
    view: UInt8[np.ndarray, "view_h view_w 3"] | None


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
        InputError: the file cannot be read, has no frames, or a packet does not decode or is damaged.
    """
    return _in_thread(lambda: _decode(path, longest, sample_every_s), ahead=AHEAD)


def _decode(path: Path, longest: int, sample_every_s: float) -> Iterator[Glimpse]:
    import av

    step_us = round(sample_every_s * 1e6)
    with open_video(path) as (container, stream):
        stream.codec_context.thread_count = min(DECODE_THREADS, os.cpu_count() or 1)
        base = Fraction(stream.time_base)
        usual = 1 / Fraction(stream.average_rate) if stream.average_rate else Fraction(1, 25)
        index, previous, next_sample_us = 0, -1, None
        for packet in container.demux(stream):
            try:
                decoded = packet.decode()
            except av.FFmpegError as error:
                raise InputError(
                    f"{path} does not decode after frame {index} ({error})", remedy="Fetch it again"
                ) from error
            for frame in decoded:
                if frame.is_corrupt:  # the decoder has painted over a damaged packet
                    raise InputError(f"{path} is damaged at frame {index}", remedy="Fetch it again")
                pts = frame.pts if frame.pts is not None else previous + 1
                previous = pts
                time_us = round(pts * base * 10**6)
                length = Fraction(frame.duration) * base if frame.duration else usual
                luma = view = None
                if next_sample_us is None or time_us >= next_sample_us:
                    next_sample_us = time_us + step_us
                    luma = upright(frame, "gray")
                    view = upright(frame, "rgb24", round(VIEW * max(luma.shape) / min(luma.shape)))
                small = upright(frame, "rgb24", longest)
                yield Glimpse(index, time_us, round((pts * base + length) * 10**6), small, luma, view)
                index += 1
        if index == 0:
            raise InputError(f"{path} has no frames", remedy="Fetch it again, or remove it from the input")


def upright(frame: Any, kind: str, longest: int | None = None) -> np.ndarray:
    """A libav frame as an array, turned as displayed, at its own size or ``longest`` pixels on the longer side."""
    if longest is None:
        image = frame.reformat(format=kind).to_ndarray()
    else:
        width, height = working_size(frame.width, frame.height, longest)
        image = frame.reformat(width=width, height=height, format=kind, interpolation="AREA").to_ndarray()
    turns = round(frame.rotation / 90) % 4  # libav counts counterclockwise, and so does rot90
    return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _in_thread(make: Callable[[], Iterator[T]], ahead: int) -> Iterator[T]:
    """Iterate in a background thread, at most ``ahead`` items before the reader; errors reach the reader."""
    items: queue.Queue[Any] = queue.Queue(maxsize=ahead)
    stop = threading.Event()
    done = object()

    def put(item: Any) -> bool:
        while not stop.is_set():
            try:
                items.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in make():
                if not put((item, None)):
                    return
        except BaseException as error:  # handed to the reader
            put((None, error))
        else:
            put((done, None))

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = items.get()
            if error is not None:
                raise error
            if item is done:
                return
            yield item
    finally:
        stop.set()
        thread.join()
