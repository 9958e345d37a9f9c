"""HDR video (PQ, HLG) as SDR H.264, through the ffmpeg program."""

from __future__ import annotations

import subprocess
from pathlib import Path

from flythrough.media.video_reader import OPTIONS
from flythrough.media.video_writer import ffmpeg_path

from ..failures import FetchError

CHAIN = (
    "zscale=transfer=linear:npl=100,format=gbrpf32le,zscale=primaries=bt709,tonemap=hable:desat=0,"
    "zscale=transfer=bt709:matrix=bt709:range=tv,format=yuv420p"
)


def tonemap(source: Path, target: Path) -> None:
    """Write ``source`` as SDR (BT.709) H.264 in MP4; frame times stay as they are.

    Raises:
        FetchError: ffmpeg failed.
    """
    white_lists = [word for name, value in OPTIONS.items() for word in (f"-{name}", value)]
    command = [
        ffmpeg_path(), "-nostdin", "-loglevel", "error", "-y", *white_lists, "-i", str(source.absolute()), "-map",
        "0:v:0", "-vf", CHAIN, "-c:v", "libx264", "-crf", "16", "-preset", "medium", "-fps_mode", "passthrough",
        "-enc_time_base", "demux", "-movflags", "+faststart", str(target.absolute()),
    ]  # fmt: skip
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["ffmpeg failed"])[-1]
        full = "No space left" in done.stderr  # not "space" alone: zscale speaks of color spaces
        raise FetchError(
            f"{source.name} could not be tone-mapped: {last}",
            kind="disk" if full else "format",
            remedy=None if full else 'Set acquire.verify.hdr = "refuse", or use an ffmpeg with zscale',
        )
