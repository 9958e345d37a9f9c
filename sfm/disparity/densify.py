"""From sparse points to a disparity per pixel: edge-aware interpolation guided by the picture."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8
from numba import njit
from scipy.spatial import cKDTree

from flythrough.media.sky import sky_mask

from ..config import DisparityConfig

_ROWS = 192  # disparity is solved at this height
_ROUNDS = 3
_NEIGHBOURS = 10  # that a point is compared with
_BELOW = 0.25  # share of the points that may lie below the ground's plane
_LONELY = 3  # points near each other that count as solid; fewer may be the edge of a cloud
_FADE = 1e-4  # a point's influence below which the plane takes over


def densify(
    image: UInt8[np.ndarray, "h w 3"],
    xy: Float[np.ndarray, "n 2"],
    disparity: Float[np.ndarray, "n"],
    config: DisparityConfig,
    ground: Float[np.ndarray, 3] | None = None,
) -> Float[np.ndarray, "h w"]:
    """Spread the disparity of points over a picture; discontinuities follow colour edges, sky gets zero.

    The ground's plane (its disparity is affine over the picture) gives the trend, and the points' differences from it
    are spread by weighted least squares (fast global smoother, Min et al. 2014). Far from all points, as on open water,
    only the plane remains.

    Args:
        image: RGB.
        xy: where the points are, normalised.
        disparity: of the points, in any unit.
        config: smoothing and edge settings.
        ground: disparity of the ground's or the sea's plane, if known: constant, slope along x, slope along y;
            else the plane under the points of this frame is taken.
    """
    kept = ~strays(xy, disparity)
    xy, disparity = xy[kept], disparity[kept]
    height, width = image.shape[:2]
    rows = min(_ROWS, height)
    size = (round(width * rows / height), rows)
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    plane = fit_ground(xy, disparity) if ground is None else ground
    x, y = np.meshgrid((np.arange(size[0]) + 0.5) / size[0], (np.arange(rows) + 0.5) / rows)
    trend = np.maximum(plane[0] + plane[1] * x + plane[2] * y, 0)
    at = (xy * size).astype(int)
    total = np.zeros((2, rows, size[0]))
    np.add.at(total[0], (at[:, 1], at[:, 0]), disparity - trend[at[:, 1], at[:, 0]])
    np.add.at(total[1], (at[:, 1], at[:, 0]), 1.0)
    spread = _smooth(total, small, config.smoothing**2, config.edge)
    solved = trend + spread[0] / (spread[1] + _FADE)
    limit = np.percentile(disparity, 99.5) * 1.25
    if ground is not None:
        limit = np.maximum(limit, trend)  # open water may be nearer than any point
    solved = np.clip(solved, 0, limit)
    full = cv2.resize(solved.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    full[confirmed_sky(image, xy, disparity, ground)] = 0
    return full


def strays(xy: Float[np.ndarray, "n 2"], disparity: Float[np.ndarray, "n"]) -> Bool[np.ndarray, "n"]:
    """Points unlike nearly all of their neighbours, such as drifting foam or a track that jumped."""
    if len(xy) <= _NEIGHBOURS:
        return np.zeros(len(xy), bool)
    _, near = cKDTree(xy).query(xy, _NEIGHBOURS + 1)
    around = disparity[near[:, 1:]]
    unlike = np.abs(around - disparity[:, None]) > 0.3 * disparity[:, None]
    return unlike.mean(1) > 0.8


def fit_ground(xy: Float[np.ndarray, "n 2"], disparity: Float[np.ndarray, "n"]) -> Float[np.ndarray, 3]:
    """The plane under the points: constant, slope along x, slope along y of its disparity over the picture.

    A quantile regression: whatever stands on the ground or the sea is nearer than it, so most points lie above.
    """
    design = np.concatenate([np.ones_like(xy[:, :1]), xy], -1)
    weight = np.ones(len(xy))
    ridge = np.diag([1e-9, 1e-3, 1e-3]) * len(xy)
    plane = np.zeros(3)
    for _ in range(10):
        weighted = design * weight[:, None]
        plane = np.linalg.solve(design.T @ weighted + ridge, weighted.T @ disparity)
        residual = disparity - design @ plane
        size = np.maximum(np.abs(residual), 0.2 * np.median(np.abs(residual)) + 1e-9)
        weight = np.where(residual > 0, _BELOW, 1 - _BELOW) / size
        weight /= weight.mean()
    return plane


def confirmed_sky(
    image: UInt8[np.ndarray, "h w 3"],
    xy: Float[np.ndarray, "n 2"],
    disparity: Float[np.ndarray, "n"],
    ground: Float[np.ndarray, 3] | None,
) -> Bool[np.ndarray, "h w"]:
    """Pixels that look like sky and are contradicted neither by points nor by the ground's plane.

    If the plane is not known, a picture whose points are all about equally far (a view straight down) has no sky.
    """
    height, width = image.shape[:2]
    sky = sky_mask(image)
    far, near = np.percentile(disparity, [5, 95])
    if not sky.any() or (ground is None and far > 0.6 * near):
        return np.zeros((height, width), bool)
    at = (xy * [width, height]).astype(int)
    points = np.zeros((height, width), np.float32)
    close = disparity > 0.03 * near
    np.add.at(points, (at[close, 1], at[close, 0]), 1.0)
    reach = height // 36 | 1
    company = cv2.boxFilter(points, -1, (4 * reach, 4 * reach), normalize=False, borderType=cv2.BORDER_CONSTANT)
    solid = ((points > 0) & (company > _LONELY - 0.5)).astype(np.uint8)
    solid = cv2.dilate(solid, np.ones((reach, reach), np.uint8))
    sky &= np.maximum.accumulate(solid, axis=0) == 0  # under something solid there is no sky
    if ground is not None:
        x, y = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height)
        sky &= ground[0] + ground[1] * x + ground[2] * y < 0.1 * near
    return sky


def _smooth(values: np.ndarray, guide: Float[np.ndarray, "h w 3"], strength: float, edge: float) -> np.ndarray:
    across = np.exp(-np.abs(np.diff(guide, axis=1)).max(-1) / edge).astype(np.float64)
    down = np.exp(-np.abs(np.diff(guide, axis=0)).max(-1) / edge).astype(np.float64)
    out = np.ascontiguousarray(values, dtype=np.float64)
    for i in range(1, _ROUNDS + 1):
        weight = 1.5 * strength * 4.0 ** (_ROUNDS - i) / (4.0**_ROUNDS - 1)
        _solve_lines(out, across, weight)
        turned = np.ascontiguousarray(out.transpose(0, 2, 1))
        _solve_lines(turned, np.ascontiguousarray(down.T), weight)
        out = np.ascontiguousarray(turned.transpose(0, 2, 1))
    return out


@njit(cache=True)
def _solve_lines(values: np.ndarray, links: np.ndarray, weight: float) -> None:
    """Solve (I + weight x Laplacian) u = v along each row, for every channel, in place (Thomas algorithm)."""
    channels, lines, length = values.shape
    factor = np.empty(length)
    for line in range(lines):
        lower = 0.0
        for i in range(length):
            link = weight * links[line, i] if i < length - 1 else 0.0
            pivot = 1.0 + lower + link
            if i > 0:
                pivot -= lower * factor[i - 1]
            factor[i] = link / pivot
            for c in range(channels):
                value = values[c, line, i]
                if i > 0:
                    value += lower * values[c, line, i - 1]
                values[c, line, i] = value / pivot
            lower = link
        for i in range(length - 2, -1, -1):
            for c in range(channels):
                values[c, line, i] += factor[i] * values[c, line, i + 1]
