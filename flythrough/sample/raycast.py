"""A frame of the sample world: rays through the height map, moving water, clouds, haze.

A ray steps through the cells of a pyramid of highest points (K. Tevs, I. Ihrke, H.-P. Seidel: Maximum mipmaps,
I3D 2008): a block that lies wholly below the ray is crossed in one step.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from jaxtyping import Float, Float16, UInt8

from ..scene.geometry import camera_center
from .noise import fbm, jit, smoothstep, solid_noise
from .world import CELL, CELLS, HALF, World

SKY, LAND, WATER = 0, 1, 2  # values of a surface map
_FAR = 1e5  # depth of the horizon
_LAND_END = 120.0  # depth beyond which there is no land
_TILE = 8  # pixels
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
        world.height, world.shore, world.peaks, world.colors, world.offsets, world.sun, world.air, camera,
        time_s, world.seed * 7919 % 65521, image, disparity, surface,
    )  # fmt: skip
    return image, disparity.astype(np.float16), surface


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _render(height, shore, peaks, colors, offsets, sun, airs, camera, time_s, key, image, disparity, surface):  # type: ignore[no-untyped-def]
    rows, columns = surface.shape
    position = camera[:3]
    pixel = 1.0 / (camera[12] * columns)  # size of a pixel at depth 1
    bands = (columns + _TILE - 1) // _TILE
    for band in numba.prange(bands):  # bands of columns, since each has its share of sky
        air, left = airs[0], band * _TILE
        for top in range(0, rows, _TILE):
            bottom, right = min(top + _TILE, rows), min(left + _TILE, columns)
            start = _clear_until(peaks, offsets, camera, rows, columns, top, bottom, left, right)
            for i in range(top, bottom):
                for j in range(left, right):
                    ray = _ray(camera, (i + 0.5) / rows, (j + 0.5) / columns)
                    sea = -position[1] / ray[1] if ray[1] > 1e-6 else _FAR
                    t = _hit(height, peaks, offsets, position, ray, start, min(sea, _LAND_END))
                    if t > 0.0:
                        surface[i, j] = LAND
                        color = _land(height, colors, offsets, position, ray, t, t * pixel, key)
                    elif sea < _FAR:
                        t = sea
                        surface[i, j] = WATER
                        color = _water(height, shore, sun, air, position, ray, t, t * pixel, time_s, key)
                    else:
                        surface[i, j] = SKY
                        color = _sky(ray, sun, air, time_s, key)
                    disparity[i, j] = 1.0 / t if t > 0.0 else 0.0
                    clear = math.exp(-t * ray[3] * air.density) if t > 0.0 else 1.0
                    image[i, j, 0] = _level(air.haze[0] + (color[0] - air.haze[0]) * clear)
                    image[i, j, 1] = _level(air.haze[1] + (color[1] - air.haze[1]) * clear)
                    image[i, j, 2] = _level(air.haze[2] + (color[2] - air.haze[2]) * clear)


@jit
def _level(light: float) -> int:
    return int(min(max(light, 0.0), 1.0) * 255.0 + 0.5)


@jit
def _ray(camera, v, u):  # type: ignore[no-untyped-def]
    """Direction in the world, of depth 1, of a point of the picture; and the direction's length."""
    u, v = (u - camera[14]) / camera[12], (v - camera[15]) / camera[13]
    dx = camera[3] * u + camera[6] * v + camera[9]
    dy = camera[4] * u + camera[7] * v + camera[10]
    dz = camera[5] * u + camera[8] * v + camera[11]
    return dx, dy, dz, math.sqrt(1.0 + u * u + v * v)


@numba.njit(error_model="numpy")
def _clear_until(peaks, offsets, camera, rows, columns, top, bottom, left, right):  # type: ignore[no-untyped-def]
    """Depth up to which no ray of a tile meets land: the bundle of rays goes through the pyramid in growing steps."""
    n = len(offsets)
    t = 1e-3
    while t < _LAND_END:
        ahead = t * 1.07 + 0.01
        low, x0, x1, z0, z1 = 1e9, 1e9, -1e9, 1e9, -1e9
        for corner in range(4):
            v = (top if corner & 1 else bottom) / rows
            u = (left if corner & 2 else right) / columns
            ray = _ray(camera, v, u)
            for depth in (t, ahead):
                x, z = camera[0] + depth * ray[0], camera[2] + depth * ray[2]
                x0, x1, z0, z1 = min(x0, x), max(x1, x), min(z0, z), max(z1, z)
                low = min(low, -camera[1] - depth * ray[1])
        size = max(x1 - x0, z1 - z0) / CELL
        level = min(max(int(math.ceil(math.log2(max(size, 1.0)))), 0), n - 1)
        side = CELLS >> level
        step = CELL * (1 << level)
        for i in range(int(math.floor((z0 + HALF) / step)), int(math.floor((z1 + HALF) / step)) + 1):
            for j in range(int(math.floor((x0 + HALF) / step)), int(math.floor((x1 + HALF) / step)) + 1):
                if 0 <= i < side and 0 <= j < side and peaks[offsets[level] + i * side + j] >= low:
                    return t
        if low < 0.0:
            return t
        t = ahead
    return t


@numba.njit(error_model="numpy")
def _hit(height, peaks, offsets, position, ray, start, end):  # type: ignore[no-untyped-def]
    """Depth at which a ray meets land between two depths; -1 where it meets none."""
    px, pz = (position[0] + HALF) / CELL, (position[2] + HALF) / CELL  # in cells
    qx, qz = ray[0] / CELL, ray[2] / CELL
    if abs(qx) < 1e-9:
        qx = 1e-9
    if abs(qz) < 1e-9:
        qz = 1e-9
    ix, iz = 1.0 / qx, 1.0 / qz
    a, b = -px * ix, (CELLS - px) * ix
    start, end = max(start, min(a, b) + 1e-6), min(end, max(a, b) - 1e-6)
    a, b = -pz * iz, (CELLS - pz) * iz
    start, end = max(start, min(a, b) + 1e-6), min(end, max(a, b) - 1e-6)
    up, dy = -position[1], ray[1]
    ahead_x, ahead_z = 1 if qx > 0 else 0, 1 if qz > 0 else 0
    nudge = 1e-4 / (abs(qx) + abs(qz))
    t, level, top = start, 1, len(offsets) - 1
    while t < end:
        i, j = min(int(pz + t * qz), CELLS - 1) >> level, min(int(px + t * qx), CELLS - 1) >> level
        leave_x = (((j + ahead_x) << level) - px) * ix
        leave_z = (((i + ahead_z) << level) - pz) * iz
        leave = max(min(leave_x, leave_z, end), t)
        if up - max(t * dy, leave * dy) > peaks[offsets[level] + i * (CELLS >> level) + j]:
            t = leave + nudge
            side = j + ahead_x if leave_x < leave_z else i + ahead_z
            if side & 1 == 0 and level < top:  # out of the block of four as well
                level += 1
        elif level > 0:
            level -= 1
        else:
            if _above(height, i, j, px + leave * qx, pz + leave * qz, up - leave * dy) <= 0.0:
                for _ in range(8):
                    middle = 0.5 * (t + leave)
                    if _above(height, i, j, px + middle * qx, pz + middle * qz, up - middle * dy) > 0.0:
                        t = middle
                    else:
                        leave = middle
                return leave
            t = leave + nudge
    return -1.0


@numba.njit(error_model="numpy")
def _above(height, i, j, x, z, h):  # type: ignore[no-untyped-def]
    """How far ``h`` is above the ground of cell (i, j) at (x, z), in units; bilinear."""
    u, v = x - j, z - i
    near = height[i, j] + (height[i, j + 1] - height[i, j]) * u
    far = height[i + 1, j] + (height[i + 1, j + 1] - height[i + 1, j]) * u
    return h - near - (far - near) * v


@numba.njit(error_model="numpy")
def _at(field, x, z):  # type: ignore[no-untyped-def]
    """A corner map's value at a world position, bilinear; the border's value outside."""
    x = min(max((x + HALF) / CELL, 0.0), CELLS - 1e-3)
    z = min(max((z + HALF) / CELL, 0.0), CELLS - 1e-3)
    return -_above(field, int(z), int(x), x, z, 0.0)


@numba.njit(error_model="numpy")
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


@numba.njit(error_model="numpy")
def _land(height, colors, offsets, position, ray, t, footprint, key):  # type: ignore[no-untyped-def]
    """Colour of the ground: the map, filtered to the pixel's footprint, and finer grain than the map holds."""
    dx, dy, dz, length = ray
    x, z = position[0] + t * dx, position[2] + t * dz
    gx = (_at(height, x + CELL, z) - _at(height, x - CELL, z)) / (2 * CELL)
    gz = (_at(height, x, z + CELL) - _at(height, x, z - CELL)) / (2 * CELL)
    facing = -(dx * gx + dy + dz * gz) / (length * math.sqrt(1.0 + gx * gx + gz * gz))
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
    steep = smoothstep(0.6, 1.6, math.sqrt(gx * gx + gz * gz))
    if steep > 0.0:  # the map is stretched on cliffs: beds and cracks of rock
        crack = solid_noise(x * 5.0, z * 5.0, h * 9.0, key + 55)
        if footprint < 0.1:
            bed = solid_noise(x * 1.5, z * 1.5, h * 38.0 + 2.0 * crack, key + 56)
            crack += smoothstep(0.1, 0.03, footprint) * (
                0.8 * bed + 0.9 * solid_noise(x * 17.0, z * 17.0, h * 12.0, key + 57)
            )
        grain = 1.6 * grain + 0.17 * steep * crack
    shade = 1.0 + grain
    return r * shade, g * shade, b * shade


@numba.njit(error_model="numpy")
def _water(height, shore, sun, air, position, ray, t, footprint, time_s, key):  # type: ignore[no-untyped-def]
    """Colour of the sea: depth, sky mirrored in moving waves, glitter, and foam that runs up the shore."""
    dx, dy, dz, length = ray
    x, z = position[0] + t * dx, position[2] + t * dz
    depth = max(-_at(height, x, z), 0.0)
    s = _at(shore, x, z)
    dx, dy, dz = dx / length, dy / length, dz / length
    stretch = footprint / max(dy, 0.05)
    nx, nz, size, pace = 0.0, 0.0, 0.5, 1.4
    for k in range(4):  # short waves change faster
        keep = 0.11 * smoothstep(1.0, 0.25, stretch / size * 0.5)
        if keep > 0.0:
            a, b, age = x / size - 0.4 * time_s, z / size + 0.3 * time_s, pace * time_s
            nx += keep * solid_noise(a, b, age, key + 60 + k)
            nz += keep * solid_noise(a + 31.7, b + 17.3, age, key + 60 + k)
        size *= 0.42
        pace *= 1.5
    facing = max(dy - nx * dx - nz * dz, 0.02)
    mirror = 0.03 + 0.85 * (1.0 - min(facing, 1.0)) ** 4
    shallow = math.exp(-depth * 6.0)
    mid = math.exp(-depth * 2.0)
    patch = fbm(x * 0.6, z * 0.6, 3, key + 70)
    r = air.deep[0] + air.medium[0] * mid + air.shallow[0] * shallow
    g = air.deep[1] + air.medium[1] * mid + air.shallow[1] * shallow + 0.03 * patch
    b = air.deep[2] + air.medium[2] * mid + air.shallow[2] * shallow + 0.02 * patch
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
    foam = 0.0
    if s > -1.6:
        broken = fbm(x * 6.0 + 0.9 * time_s, z * 6.0 - 0.7 * time_s, 4, key + 75)
        wave = math.sin(7.5 * s - 2.2 * time_s + 2.5 * fbm(x * 0.9, z * 0.9, 3, key + 76))
        line = smoothstep(0.72, 0.97, wave + 0.5 * broken) * smoothstep(-1.5, -0.25, s)
        fringe = smoothstep(0.032, 0.004, depth + 0.03 * broken + 0.006 * math.sin(1.3 * time_s + 3.0 * patch))
        foam = min(max(0.85 * line, fringe) * (0.85 + 0.3 * broken), 1.0)
    r, g, b = r + glitter, g + 0.97 * glitter, b + 0.9 * glitter
    return r + (0.93 - r) * foam, g + (0.95 - g) * foam, b + (0.96 - b) * foam


@numba.njit(error_model="numpy")
def _sky(ray, sun, air, time_s, key):  # type: ignore[no-untyped-def]
    """Colour of the sky: blue above, pale at the horizon, clouds on a plane far up."""
    dx, dy, dz = ray[0] / ray[3], ray[1] / ray[3], ray[2] / ray[3]
    rise = max(-dy, 0.0)
    blue = 1.0 - (1.0 - min(rise, 1.0)) ** 3
    r = air.horizon[0] + air.zenith[0] * blue
    g = air.horizon[1] + air.zenith[1] * blue
    b = air.horizon[2] + air.zenith[2] * blue
    glow = max(dx * sun[0] + dy * sun[1] + dz * sun[2], 0.0) ** 24
    r, g, b = r + 0.3 * glow, g + 0.25 * glow, b + 0.15 * glow
    if rise > 0.012:
        x = dx / rise * _CLOUDS + 0.6 * time_s
        z = dz / rise * _CLOUDS + 0.25 * time_s
        cover = fbm(x * 0.012, z * 0.012, 6, key + 80) + air.clouds
        cloud = smoothstep(0.0, 0.42, cover) * smoothstep(0.012, 0.10, rise)
        thick = smoothstep(0.2, 0.7, cover)
        r += (0.97 - 0.20 * thick - r) * 0.9 * cloud
        g += (0.97 - 0.18 * thick - g) * 0.9 * cloud
        b += (0.98 - 0.14 * thick - b) * 0.9 * cloud
    return r, g, b
