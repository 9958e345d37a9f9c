"""The sample world: an island with beaches, cliffs, woods and hills, as height and colour maps.

World axes are the package's: +x right, +y down, +z ahead; the sea's surface is the plane y = 0. Maps are indexed
``[z, x]``, their middle is the world's origin, and heights count upwards. One unit is what a training clip calls
one unit: the distance of the near ground under a low flight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numba
import numpy as np
from jaxtyping import Float, Float32, UInt8

from ..errors import InputError
from .biome import BIOMES, NEVER, packed
from .noise import bumps, fbm, gradient_noise, hash_of, ridges, smoothstep, unit

CELLS = 2048  # cells along a side of the map, a power of two
CELL = 0.02  # units
HALF = CELLS * CELL / 2
RADIUS = 13.0  # of the island, about
MAX_SLOPE_SHADE = 40  # steps of the shadow march


@dataclass(frozen=True)
class World:
    """One island, or another landscape.

    Attributes:
        seed: what it was made from.
        biome: the kind of landscape, of :data:`.biome.BIOMES`.
        height: height above the sea at every cell corner; negative under water.
        shore: signed distance to the water's edge, about, at every cell corner; positive on land.
        guide: signed distance to the line that cameras follow; the coastline, or the middle of a channel or valley.
        peaks: highest corner of each cell, then of 2 x 2, 4 x 4, ... cells, flat, one level after the other.
        colors: lit colour of every cell, then averages of 2 x 2, 4 x 4, ..., flat; RGB, gamma-encoded.
        offsets: where each level of ``peaks`` and ``colors`` begins.
        sun: unit vector towards the sun, y down.
        air: haze, sky and water, :class:`.biome.Air` packed.
    """

    seed: int
    biome: str
    height: Float32[np.ndarray, "n+1 n+1"]
    shore: Float32[np.ndarray, "n+1 n+1"]
    guide: Float32[np.ndarray, "n+1 n+1"]
    peaks: Float32[np.ndarray, "m"]
    colors: UInt8[np.ndarray, "m 3"]
    offsets: np.ndarray
    sun: Float[np.ndarray, 3]
    air: np.ndarray

    def ground(self, x: float, z: float) -> float:
        """Height of the ground, or of the sea where that is higher."""
        i = min(max(round((z + HALF) / CELL), 0), CELLS)
        j = min(max(round((x + HALF) / CELL), 0), CELLS)
        return max(float(self.height[i, j]), 0.0)


@lru_cache(maxsize=2)
def make_world(seed: int, biome: str = "coast") -> World:
    """The landscape of a seed; about two seconds.

    Raises:
        InputError: no such biome.
    """
    if biome not in BIOMES:
        raise InputError(f"Unknown biome {biome!r}", remedy=f"Use one of {', '.join(BIOMES)}")
    rng = np.random.default_rng([seed, 1])
    azimuth, elevation = rng.uniform(0, 2 * math.pi), math.radians(rng.uniform(32, 55))
    key = int(rng.integers(1 << 20))
    look = BIOMES[biome]
    if biome != "coast":
        elevation = math.radians(rng.uniform(12, 60))
        look = look.varied(rng, elevation)
    sun = np.array(
        [math.cos(elevation) * math.cos(azimuth), -math.sin(elevation), math.cos(elevation) * math.sin(azimuth)]
    )
    height = np.empty((CELLS + 1, CELLS + 1), np.float32)
    shore, guide = np.empty_like(height), np.empty_like(height)
    _raise_land(height, shore, guide, packed(look.relief), key)
    trees = _plant(height, shore, look.cover.wooded, key)
    colors = _paint(height, shore, trees, sun, packed(look.cover), key)
    levels = int(math.log2(CELLS)) + 1
    sizes = [(CELLS >> level) ** 2 for level in range(levels)]
    offsets = np.cumsum([0, *sizes])[:-1].astype(np.int64)
    peaks, averages = _peaks(height, levels), _averages(colors, levels)
    return World(seed, biome, height, shore, guide, peaks, averages, offsets, sun, packed(look.air))


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _raise_land(height, shore, guide, reliefs, key):  # type: ignore[no-untyped-def]
    """Bare ground: sea bed, beach, cliffs, hills, and rocks that stand in the surf."""
    n = height.shape[0]
    for i in numba.prange(n):
        relief = reliefs[0]
        for j in range(n):
            x, z = j * CELL - HALF, i * CELL - HALF
            wx = x + 5.0 * fbm(x * 0.08, z * 0.08, 3, key + 1)
            wz = z + 5.0 * fbm(x * 0.08, z * 0.08, 3, key + 2)
            s = RADIUS - math.hypot(wx, wz) + 3.2 * fbm(x * 0.22, z * 0.22, 6, key + 3)
            border = HALF - 0.6 - max(abs(x), abs(z))
            s = min(s, border)
            guide[i, j] = s
            s = min((abs(s) if relief.folded > 0.0 else s) + relief.rise, border)
            shore[i, j] = s
            if s < -2.5:
                height[i, j] = max(0.11 * s, -1.5)
                continue
            steep = smoothstep(-0.12, 0.18, fbm(x * 0.13, z * 0.13, 2, key + 4) + relief.cliffs)
            edge = s - 0.3 - 0.45 * fbm(x * 1.1, z * 1.1, 5, key + 5)
            top = 0.55 + 0.5 * fbm(x * 0.4, z * 0.4, 3, key + 6)
            cliff = steep * top * (0.55 * smoothstep(0.0, 0.22, edge) + 0.45 * smoothstep(0.3, 0.6, edge))
            full = smoothstep(relief.hills_from, relief.hills_to, s)
            hills = full * relief.hills * ridges(x * 0.15, z * 0.15, 6, key + 7) ** 2
            swell = relief.rolling[0] + relief.rolling[1] * fbm(x * 0.55, z * 0.55, 4, key + 8)
            rolling = smoothstep(0.3, 2.2, s) * swell
            beach = 0.055 * min(s, 1.2) if s > 0.0 else max(0.11 * s, -1.5)
            h = beach + cliff + hills + rolling
            rough = smoothstep(0.1, 0.9, s)
            h += rough * 0.09 * fbm(x * 3.1, z * 3.1, 5, key + 9)
            if -2.4 < s < 0.5:
                near = smoothstep(-2.4, -0.6, s) * smoothstep(0.5, 0.1, s)
                stack = bumps(x * 0.9, z * 0.9, 0.16, key + 10) - 0.28 - 0.3 * fbm(x * 2.5, z * 2.5, 4, key + 11)
                h += near * 1.25 * smoothstep(0.0, 0.35, stack) * (0.6 + 0.8 * fbm(x * 1.7, z * 1.7, 5, key + 12))
                boulder = bumps(x * 5.0, z * 5.0, 0.10 + 0.25 * steep, key + 13)
                craggy = 0.55 + 1.1 * ridges(x * 4.0, z * 4.0, 5, key + 14)
                h += smoothstep(-0.9, -0.1, s) * smoothstep(0.5, 0.2, s) * 0.10 * boulder * craggy
            height[i, j] = h


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _plant(height, shore, wooded, key):  # type: ignore[no-untyped-def]
    """Add trees and bushes to ``height`` where the ground is not too steep; returns their height."""
    n = height.shape[0]
    cover = np.zeros((n, n), np.float32)
    for i in numba.prange(1, n - 1):
        for j in range(1, n - 1):
            s = shore[i, j]
            if s < 0.35:
                continue
            x, z = j * CELL - HALF, i * CELL - HALF
            slope = math.hypot(height[i, j + 1] - height[i, j - 1], height[i + 1, j] - height[i - 1, j]) / (2 * CELL)
            flat = smoothstep(1.1, 0.5, slope) * smoothstep(0.35, 0.9, s)
            wood = smoothstep(-0.12, 0.2, fbm(x * 0.5, z * 0.5, 5, key + 20) + wooded)
            trees = 0.10 * wood * bumps(x * 7.0, z * 7.0, 0.75, key + 21)
            bushes = 0.05 * bumps(x * 12.0, z * 12.0, 0.22, key + 22) if wooded > -1.0 else 0.0
            cover[i, j] = flat * max(trees, bushes)
    for i in numba.prange(n):
        for j in range(n):
            height[i, j] += cover[i, j]
    return cover


@numba.njit(error_model="numpy")
def _lit(height, i, j, sun):  # type: ignore[no-untyped-def]
    """Share of the sunlight that passes the terrain towards the sun, 0 to 1 with a soft edge."""
    n = height.shape[0]
    across = math.hypot(sun[0], sun[2])
    ux, uz, rise = sun[0] / across, sun[2] / across, -sun[1] / across * CELL
    start, clear, step, d = height[i, j], 1.0, 1.0, 1.0
    for _ in range(MAX_SLOPE_SHADE):
        a, b = int(i + uz * d + 0.5), int(j + ux * d + 0.5)
        if a < 0 or b < 0 or a >= n or b >= n:
            break
        over = start + rise * d + 0.004 - height[a, b]
        clear = min(clear, 0.5 + over / (0.05 * d * CELL + 0.01))
        if clear <= 0.0 or start + rise * d > 3.5:
            break
        d += step
        step *= 1.06
    return max(clear, 0.0)


@numba.njit(parallel=True, cache=True, error_model="numpy")
def _paint(height, shore, trees, sun, covers, key):  # type: ignore[no-untyped-def]
    """Colour of every cell in sun and skylight, gamma-encoded uint8."""
    n = height.shape[0] - 1
    colors = np.empty((n, n, 3), np.uint8)
    for i in numba.prange(n):
        cover = covers[0]
        for j in range(n):
            x, z = j * CELL - HALF, i * CELL - HALF
            h, s, tree = height[i, j], shore[i, j], trees[i, j]
            if h < -0.3:
                colors[i, j] = 0
                continue
            gx = (height[i, j + 1] - h + height[i + 1, j + 1] - height[i + 1, j]) / (2 * CELL)
            gz = (height[i + 1, j] - h + height[i + 1, j + 1] - height[i, j + 1]) / (2 * CELL)
            slope = math.hypot(gx, gz)
            broad = fbm(x * 0.8, z * 0.8, 4, key + 30)
            fine = fbm(x * 5.0, z * 5.0, 4, key + 31)
            grain = gradient_noise(x * 23.0, z * 23.0, key + 32) + 0.7 * gradient_noise(x * 41.0, z * 41.0, key + 33)
            # Sand, darker where waves wet it and where weed lies.
            wet = smoothstep(0.035, 0.008, h)
            weed = smoothstep(0.25, 0.55, fine + 0.5 * broad) * smoothstep(0.0, 0.3, s)
            r, g, b = cover.sand[0], cover.sand[1], cover.sand[2]
            shade = (1.0 + 0.22 * fine + 0.10 * grain) * (1.0 - 0.45 * wet) * (1.0 - 0.35 * weed)
            r, g, b = r * shade, g * shade, b * shade
            # Grass and heath, dry to green.
            grass = smoothstep(0.25, 0.75, s + 0.35 * fine) * smoothstep(0.02, 0.07, h)
            grass *= smoothstep(-0.3, 0.3, broad + 0.5 * fine + cover.grassy)
            dry = smoothstep(-0.25, 0.35, broad + 0.3 * fine)
            vr = cover.grass[0] + cover.dry[0] * dry
            vg = cover.grass[1] + cover.dry[1] * dry
            vb = cover.grass[2] + cover.dry[2] * dry
            shade = 1.0 + 0.55 * fine + 0.28 * grain
            r, g, b = r + (vr * shade - r) * grass, g + (vg * shade - g) * grass, b + (vb * shade - b) * grass
            # Rock where it is steep, in beds, and wherever land rises out of the surf.
            beds = gradient_noise(h * 16.0 + 1.5 * fine, broad * 2.0, key + 34)
            bare = smoothstep(0.55, 1.0, slope + 0.35 * fine) * smoothstep(0.0, 0.04, h)
            bare = max(bare, smoothstep(0.03, 0.06, h - 0.055 * s) * smoothstep(0.45, 0.25, s + 0.2 * fine))
            if tree > 0.012:
                bare = 0.0
            tone = (1.0 + 0.45 * beds + 0.55 * fine + 0.3 * grain) * (1.0 - 0.6 * smoothstep(0.09, 0.0, h))
            warm = smoothstep(-0.4, 0.4, fbm(x * 0.2, z * 0.2, 2, key + 35))
            kr = (cover.rock[0] + cover.warm[0] * warm) * tone
            kg = (cover.rock[1] + cover.warm[1] * warm) * tone
            kb = (cover.rock[2] + cover.warm[2] * warm) * tone
            r, g, b = r + (kr - r) * bare, g + (kg - g) * bare, b + (kb - b) * bare
            # Trees: each its own green.
            leaf = smoothstep(0.004, 0.02, tree)
            own = unit(hash_of(int(math.floor(x * 7.0)), int(math.floor(z * 7.0)), key + 36))
            shade = (0.65 + 0.7 * own) * (1.0 + 0.3 * grain) * (0.45 + 8.0 * tree)
            tr, tg, tb = cover.leaf[0] * shade, cover.leaf[1] * shade, cover.leaf[2] * shade
            r, g, b = r + (tr - r) * leaf, g + (tg - g) * leaf, b + (tb - b) * leaf
            if cover.snow < NEVER:  # thinner on trees, and none where it is steep
                white = smoothstep(0.0, 0.25, h - cover.snow + 0.25 * broad + 0.1 * fine)
                white *= smoothstep(1.3, 0.7, slope + 0.3 * fine) * (1.0 - 0.7 * leaf)
                shade = 0.86 + 0.03 * grain
                r, g, b = r + (shade - r) * white, g + (shade - g) * white, b + (1.03 * shade - b) * white
            # Sun, with shadows, and blue light from the sky.
            length = math.sqrt(1.0 + slope * slope)
            facing = max((-gx * sun[0] - sun[1] - gz * sun[2]) / length, 0.0)
            direct = 2.6 * facing * _lit(height, i, j, sun)
            sky = 0.35 + 0.35 / length
            colors[i, j, 0] = _encode(r * (cover.sunlight[0] * direct + 0.80 * sky))
            colors[i, j, 1] = _encode(g * (cover.sunlight[1] * direct + 0.95 * sky))
            colors[i, j, 2] = _encode(b * (cover.sunlight[2] * direct + 1.20 * sky))
    return colors


@numba.njit(error_model="numpy")
def _encode(light: float) -> int:
    return int(min(max(light, 0.0), 1.0) ** (1.0 / 2.2) * 255.0 + 0.5)


def _peaks(height: np.ndarray, levels: int) -> np.ndarray:
    highest = np.maximum(np.maximum(height[:-1, :-1], height[1:, :-1]), np.maximum(height[:-1, 1:], height[1:, 1:]))
    found = [highest.ravel()]
    for _ in range(levels - 1):
        half = len(highest) // 2
        highest = highest.reshape(half, 2, half, 2).max(axis=(1, 3))
        found.append(highest.ravel())
    return np.concatenate(found)


def _averages(colors: np.ndarray, levels: int) -> np.ndarray:
    found = [colors.reshape(-1, 3)]
    for _ in range(levels - 1):
        wide = colors.astype(np.uint16)
        colors = ((wide[::2, ::2] + wide[1::2, ::2] + wide[::2, 1::2] + wide[1::2, 1::2] + 2) // 4).astype(np.uint8)
        found.append(colors.reshape(-1, 3))
    return np.concatenate(found)
