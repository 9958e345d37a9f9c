"""Checks of handed-in frames: complete, and of the size and type that the protocol asks for."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from flythrough.errors import InputError
from flythrough.workspace.files import content_key, sha256_of

from ..methods.registry import MethodFailure
from ..protocols.source import Source
from .generate import FLIGHT, REVISIT, VIEW, frame_name

_COLORS = {0: "gray", 2: "RGB", 3: "palette", 4: "gray with alpha", 6: "RGB with alpha"}


@dataclass(frozen=True)
class Frames:
    """The frames of one flight, in order."""

    id: str
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        return read_png(self.files[index])

    def sha256(self) -> str:
        """SHA-256 over the files' contents, hex."""
        return content_key([sha256_of(file) for file in self.files])


def expected_flights(source: Source) -> dict[str, int]:
    """How many frames each flight of a protocol has, by its id."""
    header = source.protocol.header
    found = {f"{VIEW}/{start.id}": len(source.recorded(start)) for start in source.protocol.starts}
    for start in source.protocol.starts:
        if (returning := source.out_and_back(start)) is not None:
            found[f"{REVISIT}/{start.id}"] = len(returning) - 1
    found |= {f"{FLIGHT}/{start.id}": header.generation.steps for start in source.protocol.generation_starts()}
    return {id: count for id, count in found.items() if count}


def check_flights(folder: Path, flights: dict[str, int], height: int, width: int) -> dict[str, Frames]:
    """All flights of a frames folder.

    Raises:
        MethodFailure: a flight or a frame is missing, or a frame is not 8-bit RGB PNG of the size; names it.
    """
    if absent := [id for id in flights if not (folder / id).is_dir()]:
        raise MethodFailure(
            f"{len(absent)} of {len(flights)} flights are missing: {_some(absent)}",
            remedy="Hand in every flight of the protocol; nothing is averaged over what is left",
        )
    found = {}
    for id, count in flights.items():
        files = tuple(folder / id / frame_name(step) for step in range(1, count + 1))
        if missing := [file.name for file in files if not file.is_file()]:
            raise MethodFailure(
                f"{id}: {count - len(missing)} of {count} frames; missing: {_some(missing)}",
                remedy="Hand in every frame, 000001.png on",
            )
        for file in files:
            try:
                check_png(file, height, width, f"{id}/{file.name}")
            except MethodFailure as failure:
                failure.frame = file
                raise
        found[id] = Frames(id, files)
    return found


def check_png(file: Path, height: int, width: int, name: str) -> None:
    """Refuse a file that is not an 8-bit RGB PNG of the size.

    Raises:
        MethodFailure: it is not; says what it is instead.
    """
    with open(file, "rb") as opened:
        head = opened.read(26)
    remedy = f"Write 8-bit RGB PNG, {width} x {height}"
    if len(head) < 26 or head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        raise MethodFailure(f"{name} is not a PNG", remedy=remedy)
    across, down, depth, color = struct.unpack(">IIBB", head[16:26])
    if (down, across) != (height, width):
        raise MethodFailure(f"{name} is {across} x {down}, not {width} x {height}", remedy=remedy)
    if depth != 8 or color != 2:
        raise MethodFailure(f"{name} is {depth}-bit {_COLORS.get(color, '?')}, not 8-bit RGB", remedy=remedy)


def read_png(file: Path) -> UInt8[np.ndarray, "h w 3"]:
    """An 8-bit RGB PNG.

    Raises:
        MethodFailure: it does not decode.
    """
    import cv2

    image = cv2.imread(str(file), cv2.IMREAD_COLOR)
    if image is None:
        raise MethodFailure(f"{file} does not decode", remedy="Write it again")
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


def loose_frames(folder: Path) -> Frames:
    """All PNG files of a folder, in name order, as one set that belongs to no start.

    Raises:
        InputError: there are none.
    """
    files = tuple(sorted(folder.rglob("*.png")))
    if not files:
        raise InputError(f"{folder} has no PNG frames", remedy="Check the path")
    return Frames(folder.name, files)


def _some(names: Iterable[str], most: int = 5) -> str:
    names = list(names)
    return ", ".join(names[:most]) + (f", ... ({len(names)})" if len(names) > most else "")
