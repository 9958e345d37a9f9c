"""Hashes of a clip's frames, published beside its cameras.

Nobody sees a picture in them, and they find the frames again in a copy of the video that was trimmed, shifted or coded
again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from jaxtyping import Int64, UInt64
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from ..errors import InputError
from ..workspace.files import write_text
from .perceptual_hash import to_hex

SUFFIX = ".hashes.json"  # in place of a camera file's ".txt"
MAX_BYTES = 16 * 2**20  # of a file; 300,000 frames
Share = Annotated[float, Field(ge=0, le=1)]


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    box: tuple[Share, Share, Share, Share]
    times_us: list[Annotated[int, Field(ge=0, le=2**53)]] = Field(min_length=1)
    hashes: list[Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if len(self.times_us) != len(self.hashes):
            raise ValueError("there are not as many times as hashes")
        if not all(a < b for a, b in pairwise(self.times_us)):
            raise ValueError("the times are not in order")
        if not (self.box[0] < self.box[2] and self.box[1] < self.box[3]):
            raise ValueError("the box is empty")
        return self


@dataclass(frozen=True)
class FrameHashes:
    """What is in a file of hashes.

    Attributes:
        box: the frames in the video's picture: left, top, right, bottom as shares of its width and height.
        times_us: presentation time of each frame in the video that they were made from.
        hashes: of each frame, see :func:`~flythrough.media.perceptual_hash.picture_hash`.
    """

    box: tuple[float, float, float, float]
    times_us: Int64[np.ndarray, "n"]
    hashes: UInt64[np.ndarray, "n"]


def hashes_file(cameras: Path) -> Path:
    """The file of hashes that belongs to a camera file; need not be there."""
    return cameras.with_name(cameras.stem + SUFFIX)


def write_frame_hashes(
    file: Path, box: tuple[float, float, float, float], times_us: Iterable[int], hashes: Iterable[int]
) -> None:
    """Write a file of hashes; see :class:`FrameHashes`."""
    known = _File(box=box, times_us=[int(time) for time in times_us], hashes=[to_hex(each) for each in hashes])
    write_text(file, known.model_dump_json() + "\n")


def read_frame_hashes(file: Path) -> FrameHashes:
    """Read a file of hashes.

    Raises:
        InputError: the file cannot be read, or holds something else; the reason is one line.
    """
    remedy = "Get the file again, or remove it: the clip is then found by its times alone"
    try:
        with open(file, "rb") as opened:
            content = opened.read(MAX_BYTES + 1)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror}", remedy=remedy) from error
    if len(content) > MAX_BYTES:
        raise InputError(f"{file} is larger than {MAX_BYTES // 2**20} MiB", remedy=remedy)
    try:
        known = _File.model_validate_json(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"])) or "file"
        raise InputError(f"{file} holds no hashes of frames: {where}: {first['msg']}", remedy=remedy) from error
    return FrameHashes(
        known.box,
        np.array(known.times_us, dtype=np.int64),
        np.array([int(each, 16) for each in known.hashes], dtype=np.uint64),
    )
