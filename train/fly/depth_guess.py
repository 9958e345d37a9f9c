"""A rough disparity for an outdoor photo, from the photo alone: sky, horizon, and ground below.

Not a depth network: it assumes that the sky is far, that the ground is nearer towards the lower edge, and that depth
changes abruptly where colours do. Good enough to start from; its result is labelled rough.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from flythrough.media.sky import skyline

WORK_WIDTH = 256  # pixels at which the picture is analysed
SKY, SKYLINE = 0.005, 0.1  # disparity of the sky, of what stands on the horizon
NEAR = 0.6  # of a photo's nearest ground: chosen, as a photo has no scale (docs/fly.md)


@dataclass(frozen=True)
class Guess:
    """A guessed disparity ``[h, w]``, and the horizon that it was made from."""

    disparity: Float[np.ndarray, "h w"]
    horizon: float  # row of the horizon, in heights from the top; 0 if no sky was found


def guess_disparity(image: UInt8[np.ndarray, "h w 3"]) -> Guess:
    """Guess the disparity of a photo (RGB)."""
    height, width = image.shape[:2]
    work = (WORK_WIDTH, max(16, round(WORK_WIDTH * height / width)))
    small = cv2.resize(image, work, interpolation=cv2.INTER_AREA)
    border = skyline(small)
    rows = len(small)
    horizon = float(np.percentile(border, 85)) if border.any() else 0.0
    y = np.arange(rows)[:, None] + 0.5
    ground = np.clip((y - horizon) / max(rows - horizon, 1), 0, 1) * NEAR
    disparity = np.maximum(np.broadcast_to(ground, small.shape[:2]), SKYLINE)
    sky = y < border[None]
    disparity = np.where(sky, SKY, disparity).astype(np.float32)
    lightness = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32) / 255
    disparity = np.where(sky, SKY, guided_filter(lightness, disparity, radius=6, epsilon=2e-3))
    full = cv2.resize(disparity.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return Guess(np.clip(full, SKY, 1.0), horizon / rows)


def guided_filter(
    guide: Float[np.ndarray, "h w"], values: Float[np.ndarray, "h w"], *, radius: int, epsilon: float
) -> Float[np.ndarray, "h w"]:
    """Smooth ``values`` except where ``guide`` has edges (He, Sun and Tang 2010)."""

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.blur(x, (2 * radius + 1, 2 * radius + 1))

    mean_guide, mean_values = mean(guide), mean(values)
    slope = (mean(guide * values) - mean_guide * mean_values) / (mean(guide * guide) - mean_guide**2 + epsilon)
    return mean(slope) * guide + mean(mean_values - slope * mean_guide)
