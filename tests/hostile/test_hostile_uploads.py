"""A hundred uploads that are broken, odd or hostile: each is flown, or refused with a reason and what to do."""

from __future__ import annotations

import io
import struct
import subprocess
import threading
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from flythrough.errors import InputError
from flythrough.train.fly.page import decode
from flythrough.train.fly.page.server import make_app
from flythrough.train.fly.page.service import Service
from flythrough.train.fly.photo import MAX_SIDE, read_photo
from flythrough.train.model.network import InfiniteNature

HOST = "127.0.0.1:8123"
HEADERS = {"host": HOST, "origin": f"http://{HOST}", "x-token": "t"}
SIZE = (48, 32)
PNG = b"\x89PNG\r\n\x1a\n"


def picture(mode: str = "RGB", kind: str = "JPEG", size: tuple[int, int] = SIZE, **options: object) -> bytes:
    y, x = np.mgrid[: size[1], : size[0]]
    image = Image.fromarray(np.stack([5 * x, 7 * y, 0 * x + 90], -1).astype(np.uint8))
    if mode == "I;16":
        image = Image.fromarray((1000 * x + y).astype(np.uint16))
    elif mode != "RGB":
        image = image.convert(mode)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, depth: int = 8, color: int = 2, data: bytes = b"\0" * 100) -> bytes:
    """A PNG that says it is of that size, whatever it holds."""
    header = struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0)
    return PNG + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return picture(exif=exif)


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("photo.jpg", picture())
    return stream.getvalue()


def good() -> Iterator[tuple[str, bytes]]:
    for orientation in range(10):  # 0 and 9 are none
        yield f"EXIF orientation {orientation}", turned(orientation)
    for mode in ("L", "CMYK", "YCbCr", "RGB"):
        yield f"JPEG {mode}", picture(mode)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield f"PNG {mode}", picture(mode, "PNG")
        if mode != "P":
            yield f"TIFF {mode}", picture(mode, "TIFF")
    for kind in ("GIF", "BMP", "WEBP"):
        yield kind, picture(kind=kind)
    frames = [Image.new("RGB", SIZE, color) for color in ("red", "green", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        yield f"animated {kind}", picture(kind=kind, save_all=True, append_images=frames)
    yield "one long row of columns", picture(size=(3000, 16))
    yield "rubbish behind it", picture() + b"x" * 5000
    yield "a zip behind it", picture(kind="PNG") + zipped()


def bad() -> Iterator[tuple[str, bytes]]:
    yield "nothing", b""
    for size in ((1, 1), (1, 5000), (15, 400)):
        yield f"{size[0]} x {size[1]}", picture(size=size)
    for kind in ("JPEG", "PNG", "WEBP", "BMP"):
        whole = picture(kind=kind)
        for share in (0.02, 0.3, 0.6):
            yield f"{kind} cut at {share}", whole[: int(share * len(whole))]
    for side in (20_000, 100_000, 2**31 - 1):
        yield f"PNG bomb {side}", png(side, side)
    yield "PNG of no width", png(0, 40)
    yield "PNG of 3 bits", png(40, 40, depth=3)
    yield "PNG without rows", png(40, 40, data=b"")
    yield "BMP bomb", b"BM" + struct.pack("<IHHIIiiHHIIiiII", 54, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0)
    yield "GIF bomb", b"GIF89a" + struct.pack("<HHBBB", 65_535, 65_535, 0, 0, 0) + b";"
    yield "SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><image href='file:///etc/passwd'/></svg>"
    yield "XML entities", b"<!DOCTYPE x [<!ENTITY a 'aaaa'>]><svg>&a;</svg>"
    yield "HTML", b"<!doctype html><script>alert(1)</script>"
    yield "HEIC", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500)
    yield "AVIF", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + bytes(500)
    yield "zip", zipped()
    yield "PDF", b"%PDF-1.7\n" + bytes(300)
    yield "EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n"
    yield "program", b"\x7fELF" + bytes(300)
    yield "JPEG 2000", b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(300)
    yield "ICO", b"\0\0\1\0\1\0" + bytes(300)
    yield "huge TIFF directory", b"II*\0\x08\0\0\0" + struct.pack("<H", 65_535) + b"\xff" * 4000
    yield "TIFF that points to itself", b"II*\0\x08\0\0\0" + struct.pack("<HI", 0, 8)
    yield "JPEG of headers only", b"\xff\xd8" + (b"\xff\xe1\xff\xff" + bytes(65_533)) * 30 + b"\xff\xd9"
    random = np.random.default_rng(0)
    for magic in (b"", b"\xff\xd8\xff\xe0", PNG, b"GIF89a", b"RIFF\0\1\0\0WEBPVP8 ", b"BM", b"II*\0", b"MM\0*"):
        for length in (10, 3000):
            yield f"{length} random bytes behind {magic!r}", magic + random.bytes(length)


GOOD, BAD = dict(good()), dict(bad())


def test_there_are_about_a_hundred() -> None:
    assert len(GOOD) + len(BAD) >= 90


def test_odd_photos_are_flown() -> None:
    for name, data in GOOD.items():
        image = read_photo(data).image
        assert image.dtype == np.uint8, name
        assert image.ndim == 3, name
        assert max(image.shape) <= MAX_SIDE, name


def test_orientation_turns_the_picture() -> None:
    assert read_photo(turned(6)).image.shape[:2] == SIZE
    assert read_photo(turned(3)).image.shape[:2] == SIZE[::-1]


def test_what_is_no_photo_is_refused_with_a_reason_and_a_remedy() -> None:
    for name, data in BAD.items():
        with pytest.raises(InputError, match=r"^The file ") as refused:
            read_photo(data, "The file")
        assert refused.value.remedy, name


def test_only_so_many_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, running, most = threading.Lock(), 0, 0
    full = threading.Event()

    def run(*_: object, **__: object) -> subprocess.CompletedProcess[bytes]:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            if running == decode.AT_ONCE:
                full.set()
        full.wait(10)  # none ends before as many run as may
        with lock:
            running -= 1
        return subprocess.CompletedProcess([], 1)

    monkeypatch.setattr(decode.subprocess, "run", run)
    with ThreadPoolExecutor(12) as uploads:
        for upload in [uploads.submit(decode.decode_apart, b"") for _ in range(12)]:
            with pytest.raises(InputError, match="cannot be decoded"):
                upload.result()
    assert most == decode.AT_ONCE


def test_the_server_survives_them() -> None:
    torch.manual_seed(0)
    model = InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6).eval()
    client = TestClient(make_app(Service({"one": model}, depth="rough"), "t", 8123), base_url=f"http://{HOST}")
    for name in ("PNG bomb 20000", "SVG", "huge TIFF directory"):
        answer = client.post("/upload", content=BAD[name], headers=HEADERS)
        assert answer.status_code == 400, name
        assert "The file" in answer.text, name
    assert client.post("/upload", content=GOOD["PNG I;16"], headers=HEADERS).status_code == 200
