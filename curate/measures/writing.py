"""Writing in a picture: titles, captions and watermarks, moving or not.

The network is PP-OCRv4's mobile text detector (PaddlePaddle, Apache-2.0; differentiable binarisation, Liao et al.
2020) from the package rapidocr-onnxruntime 1.4.4. It gives the probability that a pixel is in the core of a line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from flythrough.networks.onnx_runtime import run

FILE = Path(__file__).with_name("text.onnx")
LONG = 384  # pixels of the longer side that the network sees; at 320 it misses small logos
CORE = 0.3  # probability of a pixel
SURE = 0.6  # mean probability of a line; waves and rocks reach 0.5
GROWS = 1.6  # how much a line is larger than its core: area over outline, as in the network's training
LEAST_PIXELS = 12


def writing(pictures: Sequence[UInt8[np.ndarray, "h w 3"]]) -> Bool[np.ndarray, "n h w"]:
    """Where there is writing, in each of several RGB pictures of one size."""
    return np.stack([_lines(picture) for picture in pictures])


def _lines(picture: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """Upright rectangles round the lines of one picture."""
    import cv2

    height, width = picture.shape[:2]
    found = _probability(picture)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((found > CORE).astype(np.uint8))
    mask = np.zeros((height, width), bool)
    y, x = height / found.shape[0], width / found.shape[1]
    for label in range(1, count):
        left, top, wide, high, pixels = (int(v) for v in stats[label])
        if pixels < LEAST_PIXELS or found[labels == label].mean() < SURE:
            continue
        grown = GROWS * wide * high / (2 * (wide + high))
        rows = slice(max(0, round((top - grown) * y)), round((top + high + grown) * y))
        columns = slice(max(0, round((left - grown) * x)), round((left + wide + grown) * x))
        mask[rows, columns] = True
    return mask


def _probability(picture: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "H W"]:
    import cv2

    height, width = picture.shape[:2]
    scale = LONG / max(height, width)
    size = tuple(max(32, round(side * scale / 32) * 32) for side in (width, height))  # the network halves five times
    blue_first = cv2.resize(picture, size)[..., ::-1].transpose(2, 0, 1).astype(np.float32)
    return run(FILE, x=blue_first[None] / 127.5 - 1)[0, 0]
