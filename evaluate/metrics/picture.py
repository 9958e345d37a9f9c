"""Measures of a single frame: sharpness and saturation."""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

Image = UInt8[np.ndarray, "h w 3"]


def sharpness(image: Image) -> float:
    """Variance of the Laplacian of luma, in grey levels squared (Pech-Pacheco et al. 2000); 0 for a flat picture."""
    import cv2

    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_64F).var())


def saturation(image: Image) -> float:
    """Mean saturation of HSV, in [0, 1]: (largest - smallest channel) / largest, 0 for black."""
    largest, smallest = image.max(2).astype(np.float64), image.min(2)
    return float(((largest - smallest) / np.maximum(largest, 1)).mean())
