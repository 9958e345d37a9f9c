"""Record what a viewer sees as H.264 in MP4, for download from the page."""

from __future__ import annotations

import secrets
import tempfile
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from flythrough.errors import FlythroughError
from flythrough.media.video_writer import VideoWriter

FPS = 20
MAX_FRAMES = 6000  # five minutes; then a recording ends by itself
KEPT_FILMS = 8  # the oldest is deleted


class Film:
    """One recording, under way.

    Args:
        path: the file to write.

    Attributes:
        frames: pictures so far.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.frames = 0
        self._files = ExitStack()
        self._writer: VideoWriter | None = None

    def add(self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> None:
        """Append a frame: pictures of several models lie side by side, padded to the tallest.

        Raises:
            MissingDependency: ffmpeg is not installed.
        """
        height = max(len(picture) for picture in pictures)
        image = np.concatenate([np.pad(p, ((0, height - len(p)), (0, 0), (0, 0))) for p in pictures], 1)
        if self._writer is None:
            writer = VideoWriter(self.path, width=image.shape[1], height=height, fps=FPS)
            self._writer = self._files.enter_context(writer)
        self._writer.write(image)
        self.frames += 1

    def finish(self) -> None:
        """Close the file; it exists if there was a frame."""
        self._files.close()


class Films:
    """The recordings of all viewers: finished ones can be fetched by name, the newest :data:`KEPT_FILMS`."""

    def __init__(self) -> None:
        self._finished: OrderedDict[str, Path] = OrderedDict()
        self._folder: tempfile.TemporaryDirectory[str] | None = None  # made when the first film is

    def begin(self) -> Film:
        """A new recording."""
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="flythrough-films-")
        return Film(Path(self._folder.name) / f"{secrets.token_hex(8)}.mp4")

    def finish(self, film: Film) -> str:
        """Close a recording and keep it; returns its name, or "" if it has no frame."""
        film.finish()
        if not film.frames:
            return ""
        self._finished[film.path.stem] = film.path
        while len(self._finished) > KEPT_FILMS:
            self._finished.popitem(last=False)[1].unlink(missing_ok=True)
        return film.path.stem

    def discard(self, film: Film) -> None:
        """Close a recording that nobody waits for, and delete it."""
        with suppress(FlythroughError):  # it may be discarded because it failed
            film.finish()
        film.path.unlink(missing_ok=True)

    def find(self, name: str) -> Path | None:
        """A finished recording."""
        return self._finished.get(name)
