"""Reading a photo: any common format, upright, with the lens from EXIF; files that are not photos are refused."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from flythrough.errors import InputError
from flythrough.media.exif import EXIF, focal_in_longer_sides
from flythrough.scene.geometry import default_intrinsics

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
MAX_PIXELS = 80_000_000
MIN_SIDE = 16  # pixels
MAX_SIDE = 2048  # pixels; larger photos are reduced, as models see far fewer
FOCALS = (0.3, 4.0)  # widths; a lens outside is a fisheye, a telescope or a mistake
_BROKEN = (
    OSError, ValueError, SyntaxError, EOFError, TypeError, KeyError, IndexError, OverflowError, MemoryError,
    struct.error, zlib.error,
)  # fmt: skip
_REMEDY = "Give a JPEG, PNG, WebP, TIFF, BMP or GIF picture"


@dataclass(frozen=True)
class Photo:
    """An upright photo.

    Attributes:
        image: RGB, its longer side at most :data:`MAX_SIDE`.
        focal: focal length in widths of the picture; None if it is unknown.
    """

    image: UInt8[np.ndarray, "h w 3"]
    focal: float | None = None

    @property
    def intrinsics(self) -> Float[np.ndarray, 4]:
        """fx fy cx cy of the photo's lens, or of the release's 64-degree lens if it is unknown; normalised."""
        height, width = self.image.shape[:2]
        if self.focal is None:
            return default_intrinsics(height, width)
        return np.array([self.focal, self.focal * width / height, 0.5, 0.5])


def read_photo(source: Path | bytes, name: str = "") -> Photo:
    """Decode a photo: turned upright by EXIF, alpha over white, the first frame of an animation.

    Args:
        source: a file, or its bytes.
        name: what errors call it; by default the file's name.

    Raises:
        InputError: not a picture of a common format, damaged, too small, or over :data:`MAX_PIXELS`.
    """
    name = name or (str(source) if isinstance(source, Path) else "The file")
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a large picture, and of odd tags
            with Image.open(stream, formats=FORMATS) as image:
                _check_size(image.size, name)
                return _upright(image)
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        large = isinstance(error, Image.DecompressionBombError)
        why = f"has over {MAX_PIXELS // 10**6} million pixels" if large else "is not a picture that can be read"
        raise InputError(f"{name} {why}", remedy="Shrink it" if large else _REMEDY) from error
    except _BROKEN as error:
        raise InputError(f"{name} is damaged: {error}", remedy=_REMEDY) from error


def _check_size(size: tuple[int, int], name: str) -> None:
    width, height = size
    if width * height > MAX_PIXELS:
        raise InputError(f"{name} is {width} x {height}, over {MAX_PIXELS // 10**6} million pixels", remedy="Shrink it")
    if min(size) < MIN_SIDE:
        raise InputError(f"{name} is {width} x {height} pixels", remedy=f"Give at least {MIN_SIDE} on each side")


def _upright(image: Image.Image) -> Photo:
    longer = focal_in_longer_sides(image.getexif().get_ifd(EXIF))
    image.draft("RGB", (MAX_SIDE, MAX_SIDE))  # a large JPEG is decoded at a fraction of its size
    image.load()
    image.thumbnail((MAX_SIDE, MAX_SIDE))
    image = ImageOps.exif_transpose(image)
    width, height = image.size
    focal = longer and longer * max(width, height) / width
    return Photo(_rgb(image), focal if focal and FOCALS[0] <= focal <= FOCALS[1] else None)


def _rgb(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    if image.mode[0] in "IF":  # 16 or 32 bits of grey, which Pillow would cut at 255
        grey = np.nan_to_num(np.asarray(image, dtype=np.float32))
        top = 65535.0 if image.mode[0] == "I" and grey.max() > 255 else max(float(grey.max()), 1.0)
        return np.repeat((np.clip(grey / top, 0, 1) * 255).round().astype(np.uint8)[..., None], 3, 2)
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    return np.ascontiguousarray(np.asarray(image.convert("RGB")))
