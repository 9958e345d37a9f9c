"""Noise for the sample world: hashed lattices, so it never repeats and needs no table.

All of it is compiled by numba and called from the kernels of :mod:`.world` and :mod:`.raycast`. Integer hashes and IEEE
arithmetic without fast-math give the same numbers on every run.
"""

from __future__ import annotations

import math

import numba

jit = numba.njit(inline="always", error_model="numpy")


@jit
def smoothstep(low: float, high: float, x: float) -> float:
    """0 below ``low``, 1 above ``high``, a cubic between."""
    t = min(max((x - low) / (high - low), 0.0), 1.0)
    return t * t * (3.0 - 2.0 * t)


@jit
def hash_of(i: int, j: int, seed: int) -> int:
    """A 32-bit hash of a lattice point."""
    h = (i * 374761393 + j * 668265263 + seed * 362437) & 0xFFFFFFFF
    h = ((h ^ (h >> 15)) * 739982445) & 0xFFFFFFFF
    h = ((h ^ (h >> 12)) * 695872825) & 0xFFFFFFFF
    return h ^ (h >> 15)


@jit
def unit(h: int) -> float:
    """A hash as a number in [0, 1)."""
    return h * (1.0 / 4294967296.0)


@numba.njit(error_model="numpy")
def solid_noise(x: float, y: float, z: float, seed: int) -> float:
    """Smooth value noise in [-1, 1], one feature a unit; in three dimensions, so that it does not stretch on slopes."""
    fx, fy, fz = math.floor(x), math.floor(y), math.floor(z)
    i, j, k = int(fx), int(fy), int(fz)
    u, v, w = x - fx, y - fy, z - fz
    u, v, w = u * u * (3.0 - 2.0 * u), v * v * (3.0 - 2.0 * v), w * w * (3.0 - 2.0 * w)
    total = 0.0
    for dk in range(2):
        key = seed + 8191 * (k + dk)
        a, b = unit(hash_of(i, j, key)), unit(hash_of(i + 1, j, key))
        c, d = unit(hash_of(i, j + 1, key)), unit(hash_of(i + 1, j + 1, key))
        top = a + (b - a) * u
        total += (w if dk else 1.0 - w) * (top + (c + (d - c) * u - top) * v)
    return 2.0 * total - 1.0


@jit
def _slope(h: int, x: float, y: float) -> float:
    """Height at (x, y) of a plane whose slope the two halves of a hash give."""
    return ((h & 0xFFFF) * (1.0 / 32768.0) - 1.0) * x + ((h >> 16) * (1.0 / 32768.0) - 1.0) * y


@numba.njit(error_model="numpy")
def gradient_noise(x: float, y: float, seed: int) -> float:
    """Perlin's noise, about [-1, 1]; zero at the lattice points."""
    fx, fy = math.floor(x), math.floor(y)
    i, j = int(fx), int(fy)
    p, q = x - fx, y - fy
    u, v = p * p * p * (p * (p * 6.0 - 15.0) + 10.0), q * q * q * (q * (q * 6.0 - 15.0) + 10.0)
    a = _slope(hash_of(i, j, seed), p, q)
    b = _slope(hash_of(i + 1, j, seed), p - 1.0, q)
    c = _slope(hash_of(i, j + 1, seed), p, q - 1.0)
    d = _slope(hash_of(i + 1, j + 1, seed), p - 1.0, q - 1.0)
    top = a + (b - a) * u
    return 1.7 * (top + (c + (d - c) * u - top) * v)


@numba.njit(error_model="numpy")
def fbm(x: float, y: float, octaves: int, seed: int) -> float:
    """Fractal sum of gradient noise, about [-1, 1]; each octave is turned, so no grid shows."""
    total, weight = 0.0, 0.5
    for k in range(octaves):
        total += weight * gradient_noise(x, y, seed + 17 * k)
        x, y = 1.6 * x + 1.2 * y + 3.1, 1.6 * y - 1.2 * x + 7.7
        weight *= 0.5
    return total


@numba.njit(error_model="numpy")
def ridges(x: float, y: float, octaves: int, seed: int) -> float:
    """Fractal sum with sharp crests, in [0, 1]."""
    total, weight = 0.0, 0.5
    for k in range(octaves):
        crest = 1.0 - abs(gradient_noise(x, y, seed + 29 * k))
        total += weight * max(crest, 0.0) ** 2
        x, y = 1.6 * x + 1.2 * y + 1.7, 1.6 * y - 1.2 * x + 9.2
        weight *= 0.5
    return total


@numba.njit(error_model="numpy")
def bumps(x: float, y: float, density: float, seed: int) -> float:
    """Height of round bumps (trees, boulders), one at most a unit cell, in [0, 1]; ``density`` in [0, 1]."""
    i, j = int(math.floor(x)), int(math.floor(y))
    best = 0.0
    for di in range(-1, 2):
        for dj in range(-1, 2):
            h = hash_of(i + di, j + dj, seed)
            if unit(h) >= density:
                continue
            h = hash_of(h & 0xFFFF, h >> 16, seed + 1)
            radius = 0.35 + 0.45 * unit(h)
            h = hash_of(h & 0xFFFF, h >> 16, seed + 2)
            cx = i + di + (h & 0xFFFF) / 65536.0
            cy = j + dj + (h >> 16) / 65536.0
            d2 = ((x - cx) ** 2 + (y - cy) ** 2) / (radius * radius)
            if d2 < 1.0:
                best = max(best, radius * math.sqrt(1.0 - d2))
    return best
