"""Pictures of a shot for people: first, middle and last frame, and a strip of frames for the review page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

STRIP_FRAMES, STRIP_WIDTH = 12, 200


def write_pictures(folder: Path, stem: str, pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> None:
    """Write ``STEM.0.jpg .1.jpg .2.jpg`` and ``STEM.strip.jpg`` (frames side by side)."""
    import cv2

    for number, index in enumerate((0, len(pictures) // 2, len(pictures) - 1)):
        _save(folder / f"{stem}.{number}.jpg", pictures[index])
    chosen = np.linspace(0, len(pictures) - 1, STRIP_FRAMES).round().astype(int)
    height, width = pictures[0].shape[:2]
    size = (STRIP_WIDTH, max(8, round(STRIP_WIDTH * height / width)))
    small = [cv2.resize(pictures[i], size, interpolation=cv2.INTER_AREA) for i in chosen]
    _save(folder / f"{stem}.strip.jpg", np.concatenate(small, axis=1))


def _save(path: Path, image: UInt8[np.ndarray, "h w 3"]) -> None:
    import cv2

    written, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 82])
    assert written
    path.write_bytes(data.tobytes())
