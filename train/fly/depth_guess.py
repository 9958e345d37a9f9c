"""A rough disparity for a bare outdoor photo, from nothing but the photo: sky, horizon, and ground below.

Not a depth network: it knows that the sky is far, that the ground comes nearer towards the lower edge, and that
depth jumps where colours do. Good enough to take off from; what it makes is labelled rough.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float, UInt8

WORK_WIDTH = 256  # pixels at which the picture is looked at
SKY, SKYLINE, NEAR = 0.005, 0.1, 0.95  # disparity of the sky, of what stands on the horizon, of the lower edge


@dataclass(frozen=True)
class Guess:
    """A guessed disparity ``[h, w]`` and what it rests on."""

    disparity: Float[np.ndarray, "h w"]
    horizon: float  # row of the horizon, in heights from the top; 0 if no sky was found
    sky: float  # share of the picture that was taken for sky


def guess_disparity(image: UInt8[np.ndarray, "h w 3"]) -> Guess:
    """Guess the disparity of a photo (RGB)."""
    height, width = image.shape[:2]
    work = (WORK_WIDTH, max(16, round(WORK_WIDTH * height / width)))
    small = cv2.resize(image, work, interpolation=cv2.INTER_AREA)
    border = skyline(small)
    rows = len(small)
    horizon = float(np.percentile(border, 85)) if border.any() else 0.0
    y = np.arange(rows)[:, None] + 0.5
    ground = np.clip((y - horizon) / (rows - horizon), 0, 1) * NEAR
    disparity = np.maximum(np.broadcast_to(ground, small.shape[:2]), SKYLINE)
    sky = y < border[None]
    disparity = np.where(sky, SKY, disparity).astype(np.float32)
    lightness = cv2.cvtColor(small, cv2.COLOR_RGB2LAB)[..., 0].astype(np.float32) / 255
    disparity = np.where(sky, SKY, guided_filter(lightness, disparity, radius=6, epsilon=2e-3))
    full = cv2.resize(disparity.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return Guess(np.clip(full, SKY, 1.0), horizon / rows, float(sky.mean()))


def skyline(image: UInt8[np.ndarray, "h w 3"]) -> Float[np.ndarray, "w"]:
    """First row below the sky, a column; all zero if there is no sky.

    For each gradient threshold the sky is what lies above the first strong edge of every column; the threshold is
    taken whose sky and ground each have the most uniform colours (Shen and Wang 2013).
    """
    gray = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32), (0, 0), 1.0)
    gradient = np.hypot(cv2.Sobel(gray, cv2.CV_32F, 1, 0), cv2.Sobel(gray, cv2.CV_32F, 0, 1))
    best, border = 0.0, np.zeros(image.shape[1])
    for threshold in np.geomspace(6, 400, 40):
        strong = gradient > threshold
        rows = np.where(strong.any(0), strong.argmax(0), len(image)).astype(float)
        score = _separation(image, rows)
        if score > best:
            best, border = score, rows
    if not _looks_like_sky(image, border):
        return np.zeros(image.shape[1])
    wide = np.pad(border, 20, mode="edge")
    around = np.median(np.lib.stride_tricks.sliding_window_view(wide, 41), -1)
    return np.minimum(border, around + 0.01 * len(image))  # the sky does not drip


def guided_filter(
    guide: Float[np.ndarray, "h w"], values: Float[np.ndarray, "h w"], *, radius: int, epsilon: float
) -> Float[np.ndarray, "h w"]:
    """Smooth ``values`` but where ``guide`` has edges (He, Sun and Tang 2010)."""

    def mean(x: np.ndarray) -> np.ndarray:
        return cv2.blur(x, (2 * radius + 1, 2 * radius + 1))

    mean_guide, mean_values = mean(guide), mean(values)
    slope = (mean(guide * values) - mean_guide * mean_values) / (mean(guide * guide) - mean_guide**2 + epsilon)
    return mean(slope) * guide + mean(mean_values - slope * mean_guide)


def _separation(image: np.ndarray, border: np.ndarray) -> float:
    """How uniform the colours above and below a border are; 0 if either side is nearly nothing."""
    sky = np.arange(len(image))[:, None] < border[None]
    if not 0.04 < sky.mean() < 0.98:
        return 0.0
    spread = 0.0
    for pixels, weight in ((image[sky], 2.0), (image[~sky], 1.0)):
        covariance = np.cov(pixels.reshape(-1, 3).astype(np.float64).T)
        spread += weight * (abs(np.linalg.det(covariance)) + np.linalg.eigvalsh(covariance)[-1])
    return 1.0 / (spread + 1e-6)


def _looks_like_sky(image: np.ndarray, border: np.ndarray) -> bool:
    """Sky is smoother than what lies below it, and no darker by much."""
    sky = np.arange(len(image))[:, None] < border[None]
    if not 0.04 < sky.mean() < 0.98:
        return False
    gray = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    texture = np.abs(gray - cv2.GaussianBlur(gray, (0, 0), 2.0))
    return bool(texture[sky].mean() < 0.7 * texture[~sky].mean() and gray[sky].mean() > 0.8 * gray[~sky].mean())
