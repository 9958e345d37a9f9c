"""Disparity for a bare photo: from a depth network where one is installed with its weights, else a rough guess."""

from __future__ import annotations

import importlib.util

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError, MissingDependency, MissingWeights
from flythrough.networks.weights import locate

NETWORKS = ("depth-anything-v2-small", "midas", "dpt-large")  # in the order they are tried
ROUGH = "rough guess"


def photo_disparity(image: UInt8[np.ndarray, "h w 3"], provider: str = "auto") -> tuple[Float[np.ndarray, "h w"], str]:
    """Disparity in [0, 1] of a photo, and who gave it.

    Args:
        image: RGB.
        provider: a network's name; ``rough`` for the guess; ``auto``: the first network that is here, else the guess.

    Raises:
        InputError: there is no such provider.
        MissingWeights: its weights are not on this machine.
        MissingDependency: the extra ``depth`` is not installed.
    """
    if provider not in ("auto", "rough", *NETWORKS):
        raise InputError(
            f"There is no depth provider {provider!r}", remedy=f"Use one of: auto, rough, {', '.join(NETWORKS)}"
        )
    for name in NETWORKS if provider == "auto" else (provider,) if provider != "rough" else ():
        try:
            return _network_disparity(image, name), name
        except (MissingWeights, MissingDependency):
            if provider != "auto":
                raise
    from .depth_guess import guess_disparity

    return guess_disparity(image).disparity, ROUGH


def _network_disparity(image: np.ndarray, name: str) -> np.ndarray:
    import cv2

    folder = locate(name)
    if importlib.util.find_spec("transformers") is None:
        raise MissingDependency("transformers is not installed", remedy="pip install 'flythrough[depth]'")
    import torch
    from transformers import AutoImageProcessor, AutoModelForDepthEstimation

    processor = AutoImageProcessor.from_pretrained(str(folder))
    network = AutoModelForDepthEstimation.from_pretrained(str(folder)).eval()
    with torch.inference_mode():
        inverse = network(**processor(images=image, return_tensors="pt")).predicted_depth[0].numpy()
    # These networks give inverse depth up to scale and shift: the farthest becomes the sky, the nearest one unit.
    low, high = np.percentile(inverse, [1, 99])
    disparity = np.clip((inverse - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
    return cv2.resize(disparity, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
