"""A folder of photos as one shot: in the order of their names, one second apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps

from flythrough.errors import InputError
from flythrough.media.exif import EXIF, ORIENTATION, focal_in_longer_sides
from flythrough.workspace.catalog import Row

from .config import FramesConfig
from .poses.footage import Footage, gather

PHOTOS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp"})
_SIDEWAYS = (5, 6, 7, 8)


@dataclass(frozen=True)
class Photos:
    """The photos of a folder.

    Attributes:
        footage: the photos that can be used together.
        drops: photos of another size than most, and those beyond ``max_frames``, with the reason.
        errors: files that cannot be read.
    """

    footage: Footage
    drops: list[Row]
    errors: list[Row]


def photo_files(folder: Path) -> list[Path]:
    """The photos of a folder, by name.

    Raises:
        InputError: it is not a folder, or has no photos.
    """
    if not folder.is_dir():
        raise InputError(f"{folder} is not a folder", remedy="Name a folder of photos (--images)")
    files = sorted(f for f in folder.iterdir() if f.suffix.lower() in PHOTOS and f.name[0] != "." and f.is_file())
    if not files:
        raise InputError(f"{folder} has no photos", remedy=f"Name a folder with {', '.join(sorted(PHOTOS))} files")
    return files


def read_photos(folder: Path, config: FramesConfig) -> Photos:
    """Decode a folder. All photos used must be from one camera, so those of another size than most are dropped.

    If there are more than ``max_frames``, that many are used, evenly spread.

    Raises:
        InputError: no photo can be read.
    """
    files = photo_files(folder)
    headers: dict[Path, _Header] = {}
    drops: list[Row] = []
    errors: list[Row] = []
    for file in files:
        with _noted(file, errors):
            headers[file] = _read_header(file)
    sizes = Counter(header.size for header in headers.values())
    size = max(sizes, key=lambda size: sizes[size], default=(0, 0))
    for file, header in headers.items():
        if header.size != size:
            values = {"width": header.size[0], "height": header.size[1], "most_are": list(size)}
            drops.append({"id": file.name, "reason": "other_size", "values": values})
    usable = [file for file in files if file in headers and headers[file].size == size]
    places = np.unique(np.linspace(0, len(usable) - 1, min(len(usable), config.max_frames)).round().astype(int))
    chosen = {usable[place] for place in places.tolist()} if usable else set()
    drops += [
        {"id": file.name, "reason": "max_frames", "values": {"usable": len(usable), "max_frames": config.max_frames}}
        for file in usable
        if file not in chosen
    ]

    def pictures() -> Iterator[tuple[int, np.ndarray]]:
        shape = None
        for i, file in enumerate(files):
            if file in chosen:
                with _noted(file, errors):
                    pixels = _read_pixels(file, config.work_px)
                    shape = shape or pixels.shape
                    if pixels.shape != shape:  # only JPEGs are decoded at a fraction of their size
                        pixels = cv2.resize(pixels, shape[1::-1], interpolation=cv2.INTER_AREA)
                    yield i * 1_000_000, pixels
        if len(errors) + len(drops) == len(files):
            message = f"None of the photos in {folder} can be read: {errors[0]['message']}"
            raise InputError(message, remedy="Fix them, or name another folder (--images)")

    footage = gather(pictures(), config, max(1, len(chosen)))
    focals = [header.focal for header in headers.values() if header.size == size and header.focal]
    return Photos(replace(footage, focal=float(np.median(focals)) if focals else None, film=False), drops, errors)


@contextmanager
def _noted(file: Path, errors: list[Row]) -> Iterator[None]:
    """Record a broken file as an error of its own, so that the others are used."""
    try:
        yield
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:  # what Pillow raises
        message = f"{file} cannot be read as a picture ({' '.join(str(error).split())})"
        errors.append({"id": file.name, "kind": "input", "message": message, "remedy": "Fix or remove it"})


@dataclass(frozen=True)
class _Header:
    """Width and height of an upright photo; its focal length in widths, if it is known."""

    size: tuple[int, int]
    focal: float | None


def _read_header(file: Path) -> _Header:
    with Image.open(file) as image:
        width, height = image.size
        tags = image.getexif()
        if tags.get(ORIENTATION) in _SIDEWAYS:
            width, height = height, width
        longer = focal_in_longer_sides(tags.get_ifd(EXIF))
    return _Header((width, height), longer and longer * max(width, height) / width)


def _read_pixels(file: Path, least_px: int) -> UInt8[np.ndarray, "h w 3"]:
    """RGB, upright; a large JPEG is decoded at a fraction of its size, never below ``least_px``."""
    with Image.open(file) as image:
        image.draft("RGB", (least_px, least_px))
        return np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
