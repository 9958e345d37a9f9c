"""Disparity of a photo: from a depth network if one is installed with its weights, else a rough guess."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError, MissingDependency, MissingWeights
from flythrough.networks import depth

from .depth_guess import NEAR, guess_disparity

ROUGH = "rough guess"


def photo_disparity(image: UInt8[np.ndarray, "h w 3"], provider: str = "auto") -> tuple[Float[np.ndarray, "h w"], str]:
    """Disparity in [0, 1] of a photo, and its source.

    Args:
        image: RGB.
        provider: a network's name; ``rough`` for the guess; ``auto`` for the first network on this machine, else the
            guess.

    Raises:
        InputError: there is no such provider.
        MissingWeights: its weights are not on this machine.
        MissingDependency: the extra ``depth`` is not installed.
    """
    if provider not in ("auto", "rough", *depth.NETWORKS):
        raise InputError(
            f"There is no depth provider {provider!r}", remedy=f"Use one of: auto, rough, {', '.join(depth.NETWORKS)}"
        )
    for name in depth.NETWORKS if provider == "auto" else (provider,) if provider != "rough" else ():
        try:
            return _network_disparity(image, name), name
        except (MissingWeights, MissingDependency):
            if provider != "auto":
                raise
    return guess_disparity(image).disparity, ROUGH


def _network_disparity(image: np.ndarray, name: str) -> np.ndarray:
    inverse = depth.load(name, "cpu")(image)
    # These networks give inverse depth up to scale and shift: the farthest becomes the sky, the nearest NEAR.
    low, high = np.percentile(inverse, [1, 99])
    return NEAR * np.clip((inverse - low) / max(high - low, 1e-6), 0, 1).astype(np.float32)
