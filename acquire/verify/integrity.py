"""Is the video complete? Structure, every packet, and as much decoding as the settings ask for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from flythrough.errors import FlythroughError, InputError
from flythrough.media.video_reader import VideoInfo, check_damage, open_video, probe
from flythrough.workspace.files import JsonObject, sha256_of

from ..config import Verify
from ..failures import FetchError

_TRUNCATED = "It is truncated or damaged: fetch or copy it again, or remove it from the input"


@dataclass(frozen=True)
class Facts:
    """Facts about a verified file."""

    info: VideoInfo
    sha256: str
    bytes: int
    frame_count: int
    start_us: int  # presentation time of the first frame
    duration_us: int  # first frame's start to last frame's end
    variable_frame_rate: bool
    corrupt_frames: int

    def columns(self) -> JsonObject:
        """As columns of the table ``videos``."""
        info = self.info
        fps = info.fps or Fraction(self.frame_count * 10**6, max(1, self.duration_us)).limit_denominator(10**6)
        return {
            "sha256": self.sha256, "bytes": self.bytes, "width": info.width, "height": info.height,
            "fps_num": fps.numerator, "fps_den": fps.denominator, "time_base_num": info.time_base.numerator,
            "time_base_den": info.time_base.denominator, "frame_count": self.frame_count,
            "duration_us": self.duration_us, "rotation": info.rotation, "pixel_format": info.pixel_format,
            "color_transfer": info.color_transfer, "variable_frame_rate": self.variable_frame_rate,
        }  # fmt: skip


def verify(path: Path, name: str, settings: Verify) -> Facts:
    """Examine a file.

    Args:
        path: the file.
        name: what messages call it.
        settings: how thoroughly to check.

    Raises:
        FetchError: of kind "format": it is not a video, has no pictures, is cut short or damaged.
    """
    with format_errors(path, name):
        _check_boxes(path)
        info = probe(path)
        full = info.duration_us <= settings.full_decode_max_s * 10**6
        scan = _scan(path, full=full)
        _check_scan(path, scan, info)
    times = sorted(scan.times)
    spacing = [after - before for before, after in pairwise(times)]
    last = scan.last_duration or (round(sum(spacing) / len(spacing)) if spacing else 0)
    if not last and info.fps:
        last = round(1 / info.fps / info.time_base)
    return Facts(
        info=info,
        sha256=sha256_of(path),
        bytes=path.stat().st_size,
        frame_count=len(times),
        start_us=round(times[0] * info.time_base * 10**6),
        duration_us=round((times[-1] - times[0] + last) * info.time_base * 10**6),
        variable_frame_rate=bool(spacing) and max(spacing) - min(spacing) > 1,
        corrupt_frames=scan.corrupt,
    )


@contextmanager
def format_errors(path: Path, name: str) -> Iterator[None]:
    """Turn a video's decoding errors into failures of the download, which is then fetched anew.

    Args:
        path: the file.
        name: what messages call it.

    Raises:
        FetchError: in place of an InputError; of kind "format".
    """
    try:
        yield
    except InputError as error:
        text = re.sub(r"\[Errno -?\d+\] |: '[^']*'", "", error.message).replace(str(path), name)
        raise FetchError(text, kind="format", remedy=error.remedy) from error


@dataclass
class _Scan:
    times: list[int]  # presentation times of the frames, in ticks
    decoded: int = 0
    corrupt: int = 0
    end_s: float = 0.0  # where the last packet of any stream ends
    start_s: float = 0.0
    packets: int = 0
    stated_packets: int = 0
    stated_s: float = 0.0
    last_duration: int = 0


def _scan(path: Path, *, full: bool) -> _Scan:
    """Read every packet; decode all frames, or the key frames and everything of the last seconds."""
    import av

    scan = _Scan([])
    with open_video(path) as (container, stream):
        scan.stated_packets = stream.frames
        scan.stated_s = (container.duration or 0) / 10**6
        scan.start_s = (container.start_time or 0) / 10**6
        stream.codec_context.skip_frame = "DEFAULT" if full else "NONKEY"
        last_time = -1
        for packet in container.demux():
            if packet.pts is not None:
                end = (packet.pts + (packet.duration or 0)) * packet.time_base
                scan.end_s = max(scan.end_s, float(end))
            if packet.stream_index != stream.index:
                continue
            if packet.size:
                scan.packets += 1
                if packet.pts is not None and not full and not packet.is_discard:
                    scan.times.append(packet.pts)
                if packet.pts is not None and packet.pts >= last_time:
                    last_time, scan.last_duration = packet.pts, packet.duration or 0
            try:
                frames = packet.decode()
            except av.FFmpegError:
                scan.corrupt += 1
                continue
            for frame in frames:
                assert isinstance(frame, av.VideoFrame)
                scan.decoded += 1
                scan.corrupt += bool(frame.is_corrupt)
                if full:
                    scan.times.append(frame.pts if frame.pts is not None else (scan.times or [-1])[-1] + 1)
    return scan


def _check_scan(path: Path, scan: _Scan, info: VideoInfo) -> None:
    if not scan.times or not scan.decoded:
        raise InputError("no frame of it decodes", remedy=_TRUNCATED)
    if scan.packets < scan.stated_packets:
        raise InputError(f"it has {scan.packets} of {scan.stated_packets} frames", remedy=_TRUNCATED)
    length = scan.end_s - scan.start_s
    if info.container.startswith("matroska") and length < scan.stated_s - max(2.0, 0.02 * scan.stated_s):
        raise InputError(f"it ends after {length:.1f} of {scan.stated_s:.1f} s", remedy=_TRUNCATED)
    check_damage(path, scan.corrupt, scan.decoded)


def _check_boxes(path: Path) -> None:
    """An MP4 or MOV is a row of boxes; where the last one reaches beyond the file, its end is missing."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        if file.read(12)[4:8] not in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
            return
        at = 0
        while at < size:
            length = _box_length(file, at, size)
            if length is None or at + length > size:
                raise InputError(f"{path} is truncated: {size} bytes are not all of it", remedy=_TRUNCATED)
            at += length


def _box_length(file: BinaryIO, at: int, size: int) -> int | None:
    file.seek(at)
    head = file.read(16)
    if len(head) < 8:
        return None
    length = int.from_bytes(head[:4], "big")
    if length == 0:
        return size - at  # to the end of the file
    if length == 1:
        length = int.from_bytes(head[8:16], "big") if len(head) == 16 else 0
    return length if length >= 8 else None


def check_readable(path: Path) -> None:
    """Refuse what cannot even be opened, with the reason.

    Raises:
        FlythroughError: missing, a folder, without rights, or empty.
    """
    if not os.path.lexists(path):
        raise InputError(f"{path} does not exist", remedy="Check the path")
    if not path.is_file():
        raise InputError(f"{path} is not a file", remedy="Give a file, or a folder of files")
    try:
        with open(path, "rb") as file:
            if not file.read(1):
                raise FetchError(f"{path} is empty", kind="format", remedy="Download or copy it again")
    except PermissionError as error:
        raise FlythroughError(
            f"{path} cannot be read ({error.strerror})", remedy="Change its permissions (chmod, chown)", kind="disk"
        ) from error
