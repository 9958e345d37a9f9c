"""How natural a picture's texture is, without a reference picture: NIQE's statistics against those of real frames.

Mittal, Soundararajan and Bovik, "Making a completely blind image quality analyzer", 2013; the statistics are those of
BRISQUE (2012). Luma is divided by its local contrast; generalised Gaussians are fitted to that and to the products of
neighbours, in patches, at two scales. Three things are not as published, so this is never called NIQE: the model is
fitted to the protocol's own real frames; all patches count, on both sides; patches are 32 pixels wide, because frames
here are small.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, UInt8

PATCH = 32  # pixels; half of that at the second scale
SIGMA = 7 / 6  # of the local mean and contrast, over 7 x 7 pixels
NEIGHBOURS = ((0, 1), (1, 0), (1, 1), (1, -1))  # (down, right)

Patches = Float[np.ndarray, "patches pixels"]
Fitted = Float[np.ndarray, "patches"]


@dataclass(frozen=True)
class Naturalness:
    """A Gaussian of patch features."""

    mean: Float[np.ndarray, "36"]
    cov: Float[np.ndarray, "36 36"]

    @classmethod
    def of(cls, features: Float[np.ndarray, "patches 36"]) -> Naturalness:
        """Of the patches of one or many frames.

        Raises:
            ValueError: fewer than two patches.
        """
        if len(features) < 2:
            raise ValueError(f"a covariance needs 2 patches, there are {len(features)}")
        return cls(features.mean(0), np.cov(features, rowvar=False))

    def distance(self, other: Naturalness) -> float:
        """NIQE's distance (its equation 10): of the means, in units of the average covariance; 0 for equal ones."""
        gap = self.mean - other.mean
        return float(math.sqrt(max(gap @ np.linalg.pinv((self.cov + other.cov) / 2, hermitian=True) @ gap, 0.0)))


def patch_features(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "patches 36"]:
    """The statistics of every whole patch of a picture, in row order.

    Raises:
        ValueError: the picture is not uint8 RGB, or is smaller than a patch.
    """
    import cv2

    if image.dtype != np.uint8 or image.ndim != 3 or min(image.shape[:2]) < PATCH:
        raise ValueError(
            f"a picture must be uint8 [h, w, 3] of at least {PATCH} pixels, not {image.dtype} {image.shape}"
        )
    rows, columns = image.shape[0] // PATCH, image.shape[1] // PATCH
    luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[: rows * PATCH, : columns * PATCH].astype(np.float64)
    half = cv2.resize(luma, (luma.shape[1] // 2, luma.shape[0] // 2), interpolation=cv2.INTER_AREA)
    return np.concatenate([_scale_features(luma, PATCH), _scale_features(half, PATCH // 2)], 1)


def _scale_features(luma: Float[np.ndarray, "h w"], side: int) -> Float[np.ndarray, "patches 18"]:
    normal = _normalised(luma)
    left, right, alpha = fit_generalised_gaussian(_cut(normal, side))
    found = [alpha, (left + right) / 2]
    for down, across in NEIGHBOURS:
        products = normal * np.roll(normal, (down, across), (0, 1))
        left, right, alpha = fit_generalised_gaussian(_cut(products, side))
        shape = np.array([math.exp(math.lgamma(2 / a) - math.lgamma(1 / a)) for a in alpha])
        found += [alpha, (right - left) * shape, left, right]
    return np.stack(found, 1)


def _normalised(luma: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w"]:
    """Luma less its local mean, divided by its local standard deviation plus one grey level."""
    import cv2

    mean = cv2.GaussianBlur(luma, (7, 7), SIGMA)
    variance = cv2.GaussianBlur(luma**2, (7, 7), SIGMA) - mean**2
    return (luma - mean) / (np.sqrt(np.maximum(variance, 0)) + 1)


def _cut(image: Float[np.ndarray, "h w"], side: int) -> Patches:
    rows, columns = image.shape[0] // side, image.shape[1] // side
    return image.reshape(rows, side, columns, side).swapaxes(1, 2).reshape(rows * columns, side * side)


def fit_generalised_gaussian(values: Patches) -> tuple[Fitted, Fitted, Fitted]:
    """Asymmetric generalised Gaussians by moments (Lasmar et al. 2009), one per row.

    Returns:
        scale below zero, scale above zero, shape (2 for a Gaussian, 1 for a Laplacian; 0.2 to 10). A row without any
        variation has scales of 0 and the smallest shape.
    """
    tiny = np.finfo(np.float64).tiny
    below, above = values < 0, values > 0
    left, right = (np.sqrt((values**2 * part).sum(1) / np.maximum(part.sum(1), 1)) for part in (below, above))
    power = (values**2).mean(1)
    ratio = np.abs(values).mean(1) ** 2 / np.maximum(power, tiny)
    skew = left / np.maximum(right, 1e-9)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes, ratios = _shape_table()
    alpha = np.interp(ratio, ratios, shapes)
    scale = np.array([math.exp((math.lgamma(1 / a) - math.lgamma(3 / a)) / 2) for a in alpha])
    return left * scale, right * scale, alpha


@lru_cache(maxsize=1)
def _shape_table() -> tuple[np.ndarray, np.ndarray]:
    """Shapes and the ratio of moments that each has, which grows with the shape."""
    shapes = np.arange(0.2, 10.0005, 0.001)
    ratios = [math.exp(2 * math.lgamma(2 / a) - math.lgamma(1 / a) - math.lgamma(3 / a)) for a in shapes]
    return shapes, np.array(ratios)
