"""pixelSplat / MVSplat chunks: ``{train,test}/000000.torch`` and ``index.json``, frames of 360 x 640 as JPEG."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError
from flythrough.scene.clips import Clip
from flythrough.scene.geometry import crop_intrinsics
from flythrough.workspace.files import JsonObject, write_json

from .door import ExportClip, require_frames

HEIGHT, WIDTH = 360, 640  # the only size that their loader accepts
CHUNK_BYTES = 100_000_000
JPEG_QUALITY = 95


def write(clips: Iterable[ExportClip], folder: Path, frames: bool) -> None:
    """Chunks of about :data:`CHUNK_BYTES`, each split with its own index of key -> chunk file."""
    chunks: dict[str, _Chunks] = {}
    for clip in clips:
        pictures = require_frames(clip, "pixelsplat")
        if clip.split not in chunks:
            chunks[clip.split] = _Chunks(folder / clip.split)
        chunks[clip.split].add(example(clip, pictures))
    for each in chunks.values():
        each.close()


class _Chunks:
    """The chunks of one split, while they are written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.index: dict[str, str] = {}
        self._examples: list[JsonObject] = []
        self._bytes = self._count = 0
        folder.mkdir(parents=True)

    def add(self, found: JsonObject) -> None:
        self._examples.append(found)
        self.index[found["key"]] = f"{self._count:06d}.torch"
        self._bytes += sum(image.numel() for image in found["images"])
        if self._bytes >= CHUNK_BYTES:
            self._flush()

    def close(self) -> None:
        if self._examples:
            self._flush()
        write_json(self.folder / "index.json", self.index)

    def _flush(self) -> None:
        import torch

        torch.save(self._examples, self.folder / f"{self._count:06d}.torch")
        self._examples, self._bytes, self._count = [], 0, self._count + 1


def example(clip: ExportClip, pictures: Clip) -> JsonObject:
    """One entry of a chunk."""
    import torch

    cameras = clip.cameras
    left, top, width, height = cover_box(clip.row["width"], clip.row["height"])
    intrinsics = crop_intrinsics(cameras.intrinsics, left=left, top=top, width=width, height=height)
    zeros = np.zeros((len(cameras), 2))
    table = np.concatenate([intrinsics, zeros, cameras.poses.reshape(-1, 12)], 1)
    images = [_jpeg(fit(pictures.frame(frame))) for frame in range(len(cameras))]
    return {
        "key": clip.id,
        "url": cameras.url,
        "timestamps": torch.from_numpy(cameras.timestamps_us.astype(np.int64)),
        "cameras": torch.from_numpy(table.astype(np.float32)),
        "images": [torch.from_numpy(np.frombuffer(data, np.uint8).copy()) for data in images],
    }


def cover_box(width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, width and height, as fractions, of the largest centred box of a frame with pixelSplat's aspect."""
    share = WIDTH / HEIGHT / (width / height)  # of the width
    across, down = min(share, 1.0), min(1 / share, 1.0)
    return (1 - across) / 2, (1 - down) / 2, across, down


def fit(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "360 640 3"]:
    """The centred box of an image (:func:`cover_box`), resampled to 360 x 640 with sub-pixel accuracy."""
    import cv2

    rows, columns = image.shape[:2]
    left, top, width, height = cover_box(columns, rows)
    scale = np.array([width * columns / WIDTH, height * rows / HEIGHT])
    if max(scale) > 1:  # smooth first, so that the resampling below does not alias
        image = cv2.GaussianBlur(image, (0, 0), sigmaX=0.5 * max(scale[0], 0.1), sigmaY=0.5 * max(scale[1], 0.1))
    # Pixel (i, j) of the output has its centre at the matching point of the box.
    map_: Float[np.ndarray, "2 3"] = np.array(
        [
            [scale[0], 0, left * columns + 0.5 * scale[0] - 0.5],
            [0, scale[1], top * rows + 0.5 * scale[1] - 0.5],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, map_, (WIDTH, HEIGHT), flags=flags, borderMode=cv2.BORDER_REPLICATE)


def _jpeg(image: np.ndarray) -> bytes:
    import cv2

    written, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not written:
        raise InputError("A frame could not be encoded", remedy="Run flythrough sfm again")
    return bytes(data.tobytes())
