"""A frame of the sample world: rays through the height map, moving water, clouds, haze.

A ray steps through the cells of a pyramid of highest points (K. Tevs, I. Ihrke, H.-P. Seidel: Maximum mipmaps,
I3D 2008): a block that lies wholly below the ray is crossed in one step.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from jaxtyping import Float, Float16, UInt8

from .geometry import camera_center
from .sample_noise import fbm, smoothstep, solid_noise, value_noise
from .sample_world import CELL, CELLS, HALF, World

SKY, LAND, WATER = 0, 1, 2  # values of a surface map
_FAR = 1e5
_HAZE = 1.0 / 55.0  # a unit
_CLOUDS = 40.0  # height of the clouds, units


def render(
    world: World,
    pose: Float[np.ndarray, "3 4"],
    intrinsics: Float[np.ndarray, 4],
    height: int,
    width: int,
    time_s: float,
) -> tuple[UInt8[np.ndarray, "h w 3"], Float16[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]]:
    """What a camera sees.

    Args:
        world: the island.
        pose: cam_from_world.
        intrinsics: fx fy cx cy, normalised.
        height: pixels.
        width: pixels.
        time_s: moves waves and clouds.

    Returns:
        RGB, disparity (1 / depth along the optical axis at each pixel's centre; 0 is the sky), and the surface
        each pixel shows (``SKY``, ``LAND``, ``WATER``).
    """
    image = np.empty((height, width, 3), np.uint8)
    disparity = np.empty((height, width), np.float32)
    surface = np.empty((height, width), np.uint8)
    camera = np.concatenate([camera_center(pose), pose[:, :3].ravel(), intrinsics]).astype(np.float64)
    _render(
        world.height, world.shore, world.peaks, world.colors, world.offsets, world.sun, camera, time_s,
        world.seed * 7919 % 65521, image, disparity, surface,
    )  # fmt: skip
    return image, disparity.astype(np.float16), surface


@numba.njit(parallel=True, cache=True)
def _render(height, shore, peaks, colors, offsets, sun, camera, time_s, key, image, disparity, surface):  # type: ignore[no-untyped-def]
    rows, columns = surface.shape
    ox, oy, oz = camera[0], camera[1], camera[2]
    fx, fy, cx, cy = camera[12], camera[13], camera[14], camera[15]
    for i in numba.prange(rows):
        for j in range(columns):
            u, v = ((j + 0.5) / columns - cx) / fx, ((i + 0.5) / rows - cy) / fy
            dx = camera[3] * u + camera[6] * v + camera[9]
            dy = camera[4] * u + camera[7] * v + camera[10]
            dz = camera[5] * u + camera[8] * v + camera[11]
            length = math.sqrt(1.0 + u * u + v * v)
            sea = -oy / dy if dy > 1e-6 else _FAR
            t = _hit(height, peaks, offsets, ox, oy, oz, dx, dy, dz, min(sea, 120.0))
            pixel = 1.0 / (fx * columns)  # size of a pixel at depth 1
            if t > 0.0:
                surface[i, j] = LAND
                r, g, b = _land(height, colors, offsets, ox + t * dx, oz + t * dz, dx, dy, dz, t * pixel, key)
            elif sea < _FAR:
                t = sea
                surface[i, j] = WATER
                r, g, b = _water(height, shore, sun, ox + t * dx, oz + t * dz, dx, dy, dz, t * pixel, time_s, key)
            else:
                surface[i, j] = SKY
                r, g, b = _sky(dx / length, dy / length, dz / length, sun, time_s, key)
            if t > 0.0 or surface[i, j] == WATER:
                clear = math.exp(-t * length * _HAZE)
                r, g, b = 0.74 + (r - 0.74) * clear, 0.82 + (g - 0.82) * clear, 0.89 + (b - 0.89) * clear
                disparity[i, j] = 1.0 / t
            else:
                disparity[i, j] = 0.0
            image[i, j, 0] = int(min(max(r, 0.0), 1.0) * 255.0 + 0.5)
            image[i, j, 1] = int(min(max(g, 0.0), 1.0) * 255.0 + 0.5)
            image[i, j, 2] = int(min(max(b, 0.0), 1.0) * 255.0 + 0.5)


@numba.njit
def _hit(height, peaks, offsets, ox, oy, oz, dx, dy, dz, limit):  # type: ignore[no-untyped-def]
    """Distance along the ray to the land, in multiples of its direction; -1 where it meets none before ``limit``."""
    px, pz = (ox + HALF) / CELL, (oz + HALF) / CELL  # in cells
    qx, qz = dx / CELL, dz / CELL
    start, end = 1e-3, limit
    # Clip to the map.
    for p, q in ((px, qx), (pz, qz)):
        if abs(q) < 1e-12:
            if p <= 0.0 or p >= CELLS:
                return -1.0
        else:
            a, b = (0.0 - p) / q, (CELLS - p) / q
            start, end = max(start, min(a, b) + 1e-6), min(end, max(a, b) - 1e-6)
    t, level = start, 4
    top = len(offsets) - 1
    nudge = 1e-4 / (abs(qx) + abs(qz) + 1e-12)
    while t < end:
        x, z = px + t * qx, pz + t * qz
        size = 1 << level
        i, j = min(max(int(z), 0), CELLS - 1) >> level, min(max(int(x), 0), CELLS - 1) >> level
        edge_x = (j + 1) * size if qx > 0 else j * size
        edge_z = (i + 1) * size if qz > 0 else i * size
        leave = end
        if abs(qx) > 1e-12:
            leave = min(leave, (edge_x - px) / qx)
        if abs(qz) > 1e-12:
            leave = min(leave, (edge_z - pz) / qz)
        leave = max(leave, t)
        low = -oy - max(t * dy, leave * dy)
        if low > peaks[offsets[level] + i * (CELLS >> level) + j]:
            t = leave + nudge
            if level < top:
                level += 1
        elif level > 0:
            level -= 1
        else:
            if _above(height, i, j, px + leave * qx, pz + leave * qz, -oy - leave * dy) <= 0.0:
                a, b = t, leave
                for _ in range(8):
                    mid = 0.5 * (a + b)
                    if _above(height, i, j, px + mid * qx, pz + mid * qz, -oy - mid * dy) > 0.0:
                        a = mid
                    else:
                        b = mid
                return b
            t = leave + nudge
    return -1.0


@numba.njit
def _above(height, i, j, x, z, h):  # type: ignore[no-untyped-def]
    """How far ``h`` is above the ground of cell (i, j) at (x, z), in units; bilinear."""
    u, v = x - j, z - i
    near = height[i, j] + (height[i, j + 1] - height[i, j]) * u
    far = height[i + 1, j] + (height[i + 1, j + 1] - height[i + 1, j]) * u
    return h - near - (far - near) * v


@numba.njit
def _at(field, x, z):  # type: ignore[no-untyped-def]
    """A corner map's value at a world position, bilinear; the border's value outside."""
    x = min(max((x + HALF) / CELL, 0.0), CELLS - 1e-3)
    z = min(max((z + HALF) / CELL, 0.0), CELLS - 1e-3)
    return -_above(field, int(z), int(x), x, z, 0.0)


@numba.njit
def _texel(colors, offsets, level, x, z):  # type: ignore[no-untyped-def]
    """A level of the colour pyramid at cell coordinates (x, z), bilinear, in [0, 1]."""
    n = CELLS >> level
    x, z = x / (1 << level) - 0.5, z / (1 << level) - 0.5
    x, z = min(max(x, 0.0), n - 1.001), min(max(z, 0.0), n - 1.001)
    i, j = int(z), int(x)
    u, v = x - j, z - i
    k = offsets[level] + i * n + j
    a, b, c, d = (1 - u) * (1 - v) / 255.0, u * (1 - v) / 255.0, (1 - u) * v / 255.0, u * v / 255.0
    r = a * colors[k, 0] + b * colors[k + 1, 0] + c * colors[k + n, 0] + d * colors[k + n + 1, 0]
    g = a * colors[k, 1] + b * colors[k + 1, 1] + c * colors[k + n, 1] + d * colors[k + n + 1, 1]
    b = a * colors[k, 2] + b * colors[k + 1, 2] + c * colors[k + n, 2] + d * colors[k + n + 1, 2]
    return r, g, b


@numba.njit
def _land(height, colors, offsets, x, z, dx, dy, dz, footprint, key):  # type: ignore[no-untyped-def]
    """Colour of the ground: the map, filtered to the pixel's footprint, and finer grain than the map holds."""
    gx = (_at(height, x + CELL, z) - _at(height, x - CELL, z)) / (2 * CELL)
    gz = (_at(height, x, z + CELL) - _at(height, x, z - CELL)) / (2 * CELL)
    facing = -(dx * gx + dy + dz * gz) / math.sqrt((1.0 + gx * gx + gz * gz) * (dx * dx + dy * dy + dz * dz))
    footprint /= math.sqrt(min(max(abs(facing), 0.08), 1.0))
    level = max(math.log2(footprint / CELL), 0.0)
    low = min(int(level), len(offsets) - 2)
    cx, cz = (x + HALF) / CELL, (z + HALF) / CELL
    r, g, b = _texel(colors, offsets, low, cx, cz)
    if level > 0.0:
        share = min(level - low, 1.0)
        r1, g1, b1 = _texel(colors, offsets, low + 1, cx, cz)
        r, g, b = r + (r1 - r) * share, g + (g1 - g) * share, b + (b1 - b) * share
    grain, size, weight = 0.0, 0.028, 0.16
    h = _at(height, x, z)
    for k in range(4):
        if footprint > 0.8 * size:
            break
        keep = weight * smoothstep(0.8, 0.3, footprint / size)
        grain += keep * solid_noise(x / size, z / size, h / size, key + 50 + k)
        size *= 0.45
    shade = 1.0 + grain
    return r * shade, g * shade, b * shade


@numba.njit
def _water(height, shore, sun, x, z, dx, dy, dz, footprint, time_s, key):  # type: ignore[no-untyped-def]
    """Colour of the sea: depth, sky mirrored in moving waves, glitter, and foam that runs up the shore."""
    depth = max(-_at(height, x, z), 0.0)
    s = _at(shore, x, z)
    length = math.sqrt(dx * dx + dy * dy + dz * dz)
    dx, dy, dz = dx / length, dy / length, dz / length
    stretch = footprint / max(dy, 0.05)
    nx, nz, size, drift = 0.0, 0.0, 0.55, 0.12
    for k in range(5):
        keep = smoothstep(1.0, 0.25, stretch / size * 0.5)
        if keep > 0.0:
            a = x / size + time_s * drift / size * (1.0 if k % 2 else -0.6)
            b = z / size + time_s * drift / size * (0.7 if k % 3 else -0.8)
            nx += keep * 0.09 * value_noise(a, b, key + 60 + k)
            nz += keep * 0.09 * value_noise(a + 31.7, b + 17.3, key + 60 + k)
        size *= 0.5
        drift *= 0.8
    facing = max(dy - nx * dx - nz * dz, 0.02)
    mirror = 0.03 + 0.85 * (1.0 - min(facing, 1.0)) ** 4
    shallow = math.exp(-depth * 6.0)
    mid = math.exp(-depth * 2.0)
    patch = fbm(x * 0.6, z * 0.6, 3, key + 70)
    r = 0.03 + 0.10 * mid + 0.42 * shallow
    g = 0.20 + 0.28 * mid + 0.20 * shallow + 0.03 * patch
    b = 0.33 + 0.22 * mid + 0.05 * shallow + 0.02 * patch
    up = max(dy - 2.0 * (nx * dx + nz * dz), 0.0)
    r, g, b = (
        r + (0.70 - 0.35 * up - r) * mirror,
        g + (0.80 - 0.22 * up - g) * mirror,
        b + (0.90 - 0.1 * up - b) * mirror,
    )
    # The sun in the waves.
    rx, rz = dx + 2.0 * nx * dy, dz + 2.0 * nz * dy
    shine = (rx * sun[0] - dy * sun[1] + rz * sun[2]) / math.sqrt(rx * rx + dy * dy + rz * rz)
    glitter = 0.9 * smoothstep(0.965, 1.0, shine) + 0.12 * smoothstep(0.8, 1.0, shine)
    # Foam: lines that run towards the shore and break up, and a fringe where water meets land.
    broken = fbm(x * 6.0 + 0.3 * time_s, z * 6.0 - 0.2 * time_s, 4, key + 75)
    wave = math.sin(7.5 * s - 1.5 * time_s + 2.5 * fbm(x * 0.9, z * 0.9, 3, key + 76))
    line = smoothstep(0.72, 0.97, wave + 0.5 * broken) * smoothstep(-1.5, -0.25, s)
    fringe = smoothstep(0.032, 0.004, depth + 0.03 * broken + 0.006 * math.sin(1.3 * time_s + 3.0 * patch))
    foam = min(max(0.85 * line, fringe) * (0.85 + 0.3 * broken), 1.0)
    r, g, b = r + glitter, g + 0.97 * glitter, b + 0.9 * glitter
    return r + (0.93 - r) * foam, g + (0.95 - g) * foam, b + (0.96 - b) * foam


@numba.njit
def _sky(dx, dy, dz, sun, time_s, key):  # type: ignore[no-untyped-def]
    """Colour of the sky: blue above, pale at the horizon, clouds on a plane far up."""
    rise = max(-dy, 0.0)
    blue = 1.0 - (1.0 - min(rise, 1.0)) ** 3
    r, g, b = 0.76 - 0.50 * blue, 0.84 - 0.36 * blue, 0.91 - 0.12 * blue
    glow = max(dx * sun[0] + dy * sun[1] + dz * sun[2], 0.0) ** 24
    r, g, b = r + 0.3 * glow, g + 0.25 * glow, b + 0.15 * glow
    if rise > 0.012:
        x = dx / rise * _CLOUDS + 0.6 * time_s
        z = dz / rise * _CLOUDS + 0.25 * time_s
        cover = fbm(x * 0.012, z * 0.012, 6, key + 80)
        cloud = smoothstep(0.0, 0.42, cover) * smoothstep(0.012, 0.10, rise)
        thick = smoothstep(0.2, 0.7, cover)
        r += (0.97 - 0.20 * thick - r) * 0.9 * cloud
        g += (0.97 - 0.18 * thick - g) * 0.9 * cloud
        b += (0.98 - 0.14 * thick - b) * 0.9 * cloud
    return r, g, b
