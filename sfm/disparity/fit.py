"""Fitting predicted disparity to points: scale and shift, robustly."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float

from ..config import DisparityConfig

Disparities = Iterator[Float[np.ndarray, "h w"]]
MIN_POINTS = 8  # that a frame's disparity can be made from or fitted to


@dataclass(frozen=True)
class Fit:
    """``scale x predicted + shift`` is disparity; ``error`` is the median relative error at the points."""

    scale: float
    shift: float
    error: float


def fit_scale_and_shift(predicted: Float[np.ndarray, "n"], disparity: Float[np.ndarray, "n"]) -> Fit:
    """Robust line from predicted to true disparity: the best of many pairs of points, then least absolute residuals."""
    if len(predicted) < MIN_POINTS or np.ptp(predicted) < 1e-6:
        return Fit(0.0, 0.0, np.inf)
    random = np.random.default_rng(0)
    a, b = random.integers(0, len(predicted), (2, 200))
    apart = np.abs(predicted[a] - predicted[b]) > 0.05 * np.ptp(predicted)
    a, b = a[apart], b[apart]
    scale, shift = 0.0, float(np.median(disparity))
    if len(a):
        scales = (disparity[a] - disparity[b]) / (predicted[a] - predicted[b])
        shifts = disparity[a] - scales * predicted[a]
        residuals = np.abs(scales[:, None] * predicted + shifts[:, None] - disparity)
        best = np.median(residuals, axis=1).argmin()
        scale, shift = float(scales[best]), float(shifts[best])
    design = np.stack([predicted, np.ones_like(predicted)], -1)
    for _ in range(10):
        residual = np.abs(scale * predicted + shift - disparity)
        weight = 1 / np.maximum(residual, 0.3 * np.median(residual) + 1e-9)
        weight[residual > 4 * np.median(residual) + 1e-9] = 0
        weighted = design * (weight / weight.max())[:, None]
        scale, shift = np.linalg.solve(design.T @ weighted + 1e-12 * np.eye(2), weighted.T @ disparity)
    error = np.abs(scale * predicted + shift - disparity) / np.maximum(disparity, 1e-3)
    return Fit(float(scale), float(shift), float(np.median(error)))


def reject_fit(fit: Fit, config: DisparityConfig) -> str | None:
    """Reason to refuse a fit, or None."""
    if not np.isfinite(fit.error):
        return "too few points"
    if fit.scale <= 0:
        return "non-positive scale"
    return "poor fit" if fit.error > config.max_fit_error else None


def sample(image: Float[np.ndarray, "h w"], xy: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
    """Values of a map at normalised places, bilinear."""
    at = (xy * image.shape[::-1] - 0.5).astype(np.float32)[None]
    values = cv2.remap(image.astype(np.float32), at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return values[0].astype(np.float64)
