"""Any photo is read upright with its lens, or refused with a reason."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flythrough.errors import InputError
from flythrough.train.fly.from_photo import read_start
from flythrough.train.fly.photo import MAX_SIDE, read_photo

ORIENTATION, EXIF, FOCAL_35MM = 0x0112, 0x8769, 0xA405


def picture(width: int = 120, height: int = 80) -> Image.Image:
    """Red on the left, blue on the right, brighter towards the top."""
    y, x = np.mgrid[:height, :width]
    shade = 1 - 0.5 * y / height
    image = np.stack([255 * (x < width / 2) * shade, 0 * x, 255 * (x >= width / 2) * shade], -1)
    return Image.fromarray(image.astype(np.uint8))


def encoded(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def with_exif(image: Image.Image, orientation: int, equivalent: int) -> bytes:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(EXIF)[FOCAL_35MM] = equivalent
    return encoded(image, "JPEG", exif=exif, quality=95)


@pytest.mark.parametrize(
    "data",
    [
        encoded(picture()),
        encoded(picture(), "JPEG"),
        encoded(picture().convert("CMYK"), "JPEG"),
        encoded(picture().convert("P")),
        encoded(picture().convert("RGBA")),
        encoded(picture(), "WEBP"),
        encoded(picture(), "TIFF"),
        encoded(picture(), "BMP"),
        encoded(picture(), "GIF", save_all=True, append_images=[picture().rotate(180)]),
    ],
)
def test_common_files_are_read(data: bytes) -> None:
    image = read_photo(data).image
    assert image.shape == (80, 120, 3)
    assert image[20, 20, 0] > 150 > 90 > image[20, 20, 2]
    assert image[20, 100, 2] > 150 > 90 > image[20, 100, 0]


def test_sixteen_bits_are_scaled_and_what_is_clear_is_white() -> None:
    grey = Image.fromarray((np.linspace(0, 65535, 64 * 32).reshape(32, 64)).astype(np.uint16))
    image = read_photo(encoded(grey)).image
    assert (image[0, 0, 0], image[-1, -1, 0]) == (0, 255)
    assert abs(int(image[16, 0, 0]) - 128) < 3
    assert (read_photo(encoded(Image.new("RGBA", (32, 32), (9, 9, 9, 0)))).image == 255).all()


def test_a_sideways_photo_is_turned_and_keeps_its_lens() -> None:
    upright = read_photo(with_exif(picture(), 1, 35))
    turned = read_photo(with_exif(picture().transpose(Image.Transpose.ROTATE_90), 6, 35))
    assert turned.image.shape == upright.image.shape
    assert np.abs(turned.image.astype(int) - upright.image).mean() < 3
    assert upright.focal == turned.focal == 1.0
    tall = read_photo(with_exif(picture(), 6, 35))
    assert tall.image.shape == (120, 80, 3)
    assert tall.focal == 1.5  # of the longer side, in widths
    np.testing.assert_allclose(tall.intrinsics, [1.5, 1.0, 0.5, 0.5])


def test_a_lens_out_of_reason_is_not_believed() -> None:
    for equivalent in (0, 5, 800):
        assert read_photo(with_exif(picture(), 1, equivalent)).focal is None


def test_the_flight_sees_through_the_photos_lens(tmp_path: Path) -> None:
    file = tmp_path / "photo.jpg"
    file.write_bytes(with_exif(picture(320, 160), 1, 70))
    start = read_start(file, 32, 32, "rough")
    np.testing.assert_allclose(start.intrinsics, [4.0, 4.0, 0.5, 0.5])  # 2 widths, and half of the width is left


def test_a_large_photo_is_shrunk() -> None:
    assert max(read_photo(encoded(picture(3000, 1000), "JPEG")).image.shape) == MAX_SIDE


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not a picture"),
        (b"PK\x03\x04" + bytes(100), "not a picture"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture"),
        (b"\x00\x00\x00\x18ftypheic" + bytes(64), "not a picture"),
        (encoded(picture(1, 1)), "1 x 1"),
        (encoded(picture(4000, 8)), "4000 x 8"),
        (encoded(picture(), "JPEG")[:-200], "damaged"),
        (encoded(picture())[:-200], "damaged"),
        (encoded(Image.new("1", (20_000, 20_000))), "million pixels"),
        (encoded(Image.new("1", (10_000, 9_000))), "million pixels"),
    ],
)
def test_what_is_no_photo_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why):
        read_photo(data, "it")
