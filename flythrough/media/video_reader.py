"""Reading video files: metadata, and frames with exact times.

PyAV reads them (libav in this process, rational timestamps). Only local files in the containers below are opened, so
a playlist disguised as a video cannot make it read other files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int64, UInt8

from ..errors import InputError

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,y4m,yuv4mpegpipe,gif,wav,mp3"
MAX_CORRUPT_FRACTION = 0.001  # of a video's frames that may be damaged, in acquire and in curate
_BACK_US = (0, 2_000_000, 10_000_000, 60_000_000)  # MPEG-TS seeks to a time, not to the key frame before it
OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _CONTAINERS}  # for libav and for ffmpeg alike


@dataclass(frozen=True)
class VideoInfo:
    """Metadata of a container's video stream; width and height are as displayed (after rotation)."""

    width: int
    height: int
    fps: Fraction  # average; 0 where the container does not say
    time_base: Fraction  # seconds per timestamp tick
    duration_us: int  # as the container states it; 0 where it does not
    rotation: int  # degrees clockwise to turn stored frames for display: 0, 90, 180, 270
    pixel_format: str
    color_transfer: str | None
    codec: str
    container: str


@dataclass(frozen=True)
class Frame:
    """A decoded frame.

    Attributes:
        pts: presentation timestamp in ticks of the stream's time base.
        time_us: presentation time, microseconds, rounded to the nearest.
        image: ``[h, w, 3]`` RGB, upright.
    """

    pts: int
    time_us: int
    image: UInt8[np.ndarray, "h w *c"]


@contextmanager
def open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    """Open a local file for reading; yields PyAV's (container, picture stream).

    Raises:
        InputError: the file is missing, empty, not a video, or has no video stream.
    """
    import av

    path = Path(path)
    if not path.is_file():
        raise InputError(f"{path} is not a file", remedy="Check the path")
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty", remedy="Download or copy it again")
    try:
        container = av.open(str(path.absolute()), options=OPTIONS)
    except PermissionError as error:
        raise InputError(f"{path} cannot be read", remedy="Change its permissions (chmod, chown)") from error
    except (av.FFmpegError, ValueError) as error:
        raise InputError(
            f"{path} is not a video that can be read ({error})",
            remedy="It may be truncated or not a video: download it again, or remove it from the input",
        ) from error
    with container:
        streams = [s for s in container.streams.video if not _is_cover(s)]
        if not streams:
            raise InputError(f"{path} has no video stream", remedy="Remove it from the input")
        stream = streams[0]
        stream.thread_type = "AUTO"
        yield container, stream


def probe(path: Path) -> VideoInfo:
    """Read a video's metadata; decodes one frame to learn its rotation.

    Raises:
        InputError: as :func:`open_video`, or nothing decodes.
    """
    import av

    with open_video(path) as (container, stream):
        try:
            first = next(container.decode(stream), None)
        except av.FFmpegError as error:
            raise InputError(f"{path} does not decode ({error})", remedy="Download it again") from error
        if first is None:
            raise InputError(f"{path} has no frames", remedy="Download it again, or remove it from the input")
        rotation, base = _rotation(first), time_base(stream)
        turned = rotation in (90, 270)
        duration = stream.duration * base if stream.duration else Fraction(container.duration or 0, 10**6)
        transfer = getattr(stream.codec_context, "color_trc", None)
        return VideoInfo(
            width=first.height if turned else first.width,
            height=first.width if turned else first.height,
            fps=Fraction(stream.average_rate or 0),
            time_base=base,
            duration_us=round(duration * 10**6),
            rotation=rotation,
            pixel_format=first.format.name,
            color_transfer=_TRANSFERS.get(int(transfer)) if transfer is not None else None,
            codec=stream.codec_context.name,
            container=container.format.name,
        )


def frames(
    path: Path,
    *,
    width: int | None = None,
    height: int | None = None,
    start_us: int | None = None,
    end_us: int | None = None,
) -> Iterator[Frame]:
    """Decode a video, or a piece of it, in presentation order, in constant memory.

    Args:
        path: a local video file.
        width: size of the frames yielded, as displayed; by default the video's own. Both or neither.
        height: as ``width``.
        start_us: yield frames from this presentation time on. A late piece of a long file costs no more than an early
            one, unless seeking fails: then the file is decoded from its beginning.
        end_us: exclusive.

    Raises:
        InputError: as :func:`open_video`, or a packet does not decode.
    """
    with ExitStack() as stack:
        upright = Upright()
        for pts, time_us, frame in _from(stack, path, start_us):
            if end_us is not None and time_us >= end_us:
                return
            if start_us is None or time_us >= start_us:
                yield Frame(pts, time_us, upright(frame, width, height))


def timed(
    path: Path,
    container: InputContainer,
    stream: VideoStream,
    *,
    whole: bool = False,
    coded_bytes: dict[int, int] | None = None,
) -> Iterator[tuple[int, int, VideoFrame]]:
    """Decode an open video from its current position.

    Packets that do not decode are skipped, up to ``MAX_CORRUPT_FRACTION`` of the frames.

    Args:
        path: for messages.
        container: as :func:`open_video` yields it.
        stream: as :func:`open_video` yields it.
        whole: the position is the beginning; frames in which the decoder concealed errors also count as damaged.
        coded_bytes: is filled with the length of every packet read so far, by presentation time in ticks.

    Yields:
        Presentation time in ticks and in microseconds, and libav's frame.

    Raises:
        InputError: more is damaged; with ``whole``, raised at the end.
    """
    import av

    base, previous, count, damaged = time_base(stream), -1, 0, 0
    for packet in container.demux(stream):
        if coded_bytes is not None and packet.pts is not None:
            coded_bytes[packet.pts] = packet.size
        try:
            found = packet.decode()
        except av.FFmpegError as error:
            damaged, found = damaged + 1, []
            if not whole and damaged > max(1, MAX_CORRUPT_FRACTION * max(count, stream.frames)):
                message = f"{path} does not decode after frame {count} ({error})"
                raise InputError(message, remedy="Download it again") from error
        for frame in found:
            previous = frame.pts if frame.pts is not None else previous + 1
            count += 1
            damaged += whole and bool(frame.is_corrupt)
            yield previous, microseconds(previous, base), frame
    if whole:
        check_damage(path, damaged, count)


def check_damage(path: Path | str, damaged: int, frames: int) -> None:
    """Check the number of damaged frames.

    Raises:
        InputError: more than ``MAX_CORRUPT_FRACTION`` of the frames are damaged.
    """
    if damaged > MAX_CORRUPT_FRACTION * frames:
        raise InputError(f"{path}: {damaged} of {frames} frames are damaged", remedy="Download or copy it again")


def microseconds(ticks: int, base: Fraction) -> int:
    """``round(ticks * base * 10**6)`` without a ``Fraction`` per frame."""
    whole, rest = divmod(ticks * base.numerator * 10**6, base.denominator)
    return whole + (2 * rest > base.denominator or (2 * rest == base.denominator and whole % 2))


def _from(stack: ExitStack, path: Path, time_us: int | None) -> Iterator[tuple[int, int, VideoFrame]]:
    """As :func:`timed`, from a key frame at or before a time; from the beginning if no seek leads to one."""
    import av

    container, stream = stack.enter_context(open_video(path))
    if time_us is None:
        return timed(path, container, stream)
    for back_us in _BACK_US:
        decoded = timed(path, container, stream)
        try:
            wanted = Fraction(time_us - back_us, 10**6) / time_base(stream)
            container.seek(int(wanted), stream=stream, backward=True)
            # Frames before the first key frame lack their reference frames; some decoders invent them.
            first = next((found for found in decoded if found[2].key_frame), None)
        except (av.FFmpegError, InputError):
            continue
        if first is not None and first[2].pts is not None and first[1] <= time_us:
            return chain([first], decoded)
    return timed(path, *stack.enter_context(open_video(path)))  # after some seeks the beginning is not found again


def frame_times(path: Path) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
    """Presentation times of a video's frames without decoding them: in ticks, and in microseconds; increasing.

    Raises:
        InputError: as :func:`open_video`, or it has no timestamps.
    """
    with open_video(path) as (container, stream):
        packets = (p for p in container.demux(stream) if p.pts is not None and not p.is_discard)
        ticks = np.unique(np.array([packet.pts for packet in packets], dtype=np.int64))
        base = time_base(stream)
    if not len(ticks):
        raise InputError(f"{path} has no frames with times", remedy="Download it again, or remove it from the input")
    return ticks, np.array([microseconds(int(tick), base) for tick in ticks], dtype=np.int64)


def decode_times(path: Path, ticks: Collection[int], *, width: int, height: int) -> Iterator[Frame]:
    """The frames with given presentation timestamps, in one decode pass; only those are converted.

    Args:
        path: a local video file.
        ticks: timestamps as :func:`frame_times` gives them.
        width: of the frames yielded, as displayed.
        height: as ``width``.

    Raises:
        InputError: as :func:`open_video`, or too many packets do not decode.
    """
    if not ticks:
        return
    last, upright = max(ticks), Upright()
    with open_video(path) as (container, stream):
        for pts, time_us, frame in timed(path, container, stream):
            if frame.pts in ticks:
                yield Frame(pts, time_us, upright(frame, width, height))
            if frame.pts is not None and frame.pts >= last:
                return


def seek_frame(path: Path, time_us: int, *, width: int, height: int) -> UInt8[np.ndarray, "height width 3"]:
    """The frame shown at a presentation time (the first one, or the last, for a time outside), RGB, upright.

    Seeks, so its cost does not grow with the file. For many frames of a file, :func:`frames` is cheaper.

    Raises:
        InputError: as :func:`open_video`, or nothing decodes there.
    """
    with ExitStack() as stack:
        shown = None
        try:
            for _, frame_us, frame in _from(stack, path, time_us):
                if shown is not None and frame_us > time_us:
                    break
                shown = frame
        except InputError:
            if shown is None:
                raise
        if shown is None:
            raise InputError(f"{path} has no frame at {time_us} us", remedy="Download it again")
        return Upright()(shown, width, height)


class Upright:
    """Converts libav's frames to arrays as displayed, in one pixel format.

    libav's scaler is reused, since its tables cost more than scaling a small picture, and runs in this thread alone,
    since decoding and the caller need the other cores.
    """

    def __init__(self, kind: str = "rgb24") -> None:
        from av.video.reformatter import VideoReformatter

        self._kind, self._scaler = kind, VideoReformatter()

    def __call__(self, frame: VideoFrame, width: int | None = None, height: int | None = None) -> np.ndarray:
        """A frame at a displayed size, or at its own."""
        rotation = _rotation(frame)
        if rotation in (90, 270):
            width, height = height, width
        scaling = "AREA" if width else None
        scaled = self._scaler.reformat(frame, width, height, self._kind, interpolation=scaling, threads=1)
        image = scaled.to_ndarray()
        return np.ascontiguousarray(np.rot90(image, -rotation // 90)) if rotation else image


def time_base(stream: VideoStream) -> Fraction:
    """Seconds per tick of the stream's timestamps; a microsecond if the file does not say, as in FFmpeg."""
    return Fraction(stream.time_base or Fraction(1, 10**6))


def displayed_size(frame: VideoFrame) -> tuple[int, int]:
    """Width and height of a libav frame, as displayed."""
    return (frame.height, frame.width) if _rotation(frame) in (90, 270) else (frame.width, frame.height)


def _rotation(frame: VideoFrame) -> int:
    return round(-frame.rotation / 90) * 90 % 360  # libav turns counterclockwise


def _is_cover(stream: VideoStream) -> bool:
    return bool(int(stream.disposition) & 0x400)  # AV_DISPOSITION_ATTACHED_PIC


_TRANSFERS = {1: "bt709", 6: "smpte170m", 13: "iec61966-2-1", 14: "bt2020-10", 15: "bt2020-12", 16: "smpte2084",
              18: "arib-std-b67"}  # fmt: skip
HDR_TRANSFERS = frozenset({"smpte2084", "arib-std-b67"})  # PQ and HLG
