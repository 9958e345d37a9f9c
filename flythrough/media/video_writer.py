"""Writing H.264 with the ffmpeg program."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import UInt8

from ..errors import FlythroughError, MissingDependency, extras_named, missing_extra

FFMPEG_VARIABLE = "FLYTHROUGH_FFMPEG"


def ffmpeg_path() -> str:
    """The ffmpeg program: the one that ``FLYTHROUGH_FFMPEG`` names, else imageio-ffmpeg's, else the system's.

    imageio-ffmpeg comes first because its version is known: older ones, such as Debian 12's 5.1, lack options that
    are used here.

    Raises:
        MissingDependency: there is none, or ``FLYTHROUGH_FFMPEG`` names no program.
    """
    if named := os.environ.get(FFMPEG_VARIABLE):
        if found := shutil.which(named):
            return found
        raise MissingDependency(f"{FFMPEG_VARIABLE} = {named!r} is not a program", remedy="Name one, or unset it")
    with suppress(ImportError, RuntimeError):
        import imageio_ffmpeg

        return str(imageio_ffmpeg.get_ffmpeg_exe())
    if found := shutil.which("ffmpeg"):
        return found
    raise missing_extra("This", "an ffmpeg program", "video")


class VideoWriter:
    """Write RGB frames as H.264 in MP4 for browsers; if the process is killed, the fragments written still play.

    Use as a context manager; ``write(image)`` takes ``[h, w, 3]`` uint8. Odd sizes are padded by one pixel. With
    B-frames the file is smaller, and browsers show its first frame two frames late: leave them out where a page seeks.

    Raises:
        MissingDependency: the extra ``video`` is not installed.
    """

    def __init__(
        self, path: Path, *, width: int, height: int, fps: Fraction | float, crf: int = 18, b_frames: bool = True
    ) -> None:
        with extras_named("Writing a video"):
            import ffmpeg

        self.path, self.width, self.height = Path(path), width, height
        stream = ffmpeg.input(
            "pipe:0", format="rawvideo", pix_fmt="rgb24", s=f"{width}x{height}", framerate=str(Fraction(fps))
        )
        stream = stream.filter("pad", "ceil(iw/2)*2", "ceil(ih/2)*2")
        stream = stream.output(
            str(self.path.absolute()), vcodec="libx264", pix_fmt="yuv420p", crf=crf, preset="veryfast", g=48,
            movflags="+frag_keyframe+empty_moov+default_base_moof", format="mp4", threads=2,
            **({} if b_frames else {"bf": 0}),
        )  # fmt: skip
        command = stream.overwrite_output().global_args("-loglevel", "error").compile(cmd=ffmpeg_path())
        # A session of its own, so that Ctrl-C reaches us first and the file is closed in order.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)

    def write(self, image: UInt8[np.ndarray, "h w 3"]) -> None:
        """Append a frame.

        Raises:
            FlythroughError: ffmpeg failed (kind "disk").
            ValueError: another size or type.
        """
        if image.shape != (self.height, self.width, 3) or image.dtype != np.uint8:
            raise ValueError(f"frame is {image.dtype} {image.shape}, not uint8 {(self.height, self.width, 3)}")
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(np.ascontiguousarray(image).data)
        except BrokenPipeError:
            self._finish()

    def _finish(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        with suppress(BrokenPipeError):
            self._process.stdin.close()
        message = self._process.stderr.read().decode(errors="replace").strip()
        if self._process.wait() != 0:
            raise FlythroughError(
                f"Could not write {self.path}: {message.splitlines()[-1] if message else 'ffmpeg failed'}",
                remedy="Check the folder's free space and permissions",
                kind="disk",
            )

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._process:  # closes its pipes
            try:
                self._finish()
            except FlythroughError:
                if error is None:  # else that one came first, and says more
                    raise
