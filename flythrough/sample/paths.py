"""Where the sample world's camera flies: along the coast, round a headland, sideways, up, down; or not at all.

A flight is drawn several times at random; each draw is judged by a few tiny renders, and the one whose pictures are
most like footage (some sky, near ground, enough land, nothing in the way) is flown.
"""

from __future__ import annotations

import math
import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from ..errors import InputError
from ..scene.geometry import make_pose
from .raycast import LAND, SKY, WATER, render
from .world import CELL, CELLS, HALF, World

KINDS = ("forward", "orbit", "sideways", "climb", "dive", "bank", "out", "static", "rotation", "zoom", "sea")
_DRAWS = 24
_TICK = 0.1  # seconds between two decisions of the pilot
_CLEARANCE = 0.42  # above the highest ground around, units
_PITCH = math.radians(8.5)  # puts the horizon about 0.3 from the top


@dataclass(frozen=True)
class FlightPlan:
    """One camera per frame.

    Attributes:
        poses: cam_from_world, ``[n, 3, 4]``.
        intrinsics: fx fy cx cy normalised, ``[n, 4]``.
        times_s: the world's time at each frame, from a random start; moves the water and the clouds.
    """

    poses: Float[np.ndarray, "n 3 4"]
    intrinsics: Float[np.ndarray, "n 4"]
    times_s: Float[np.ndarray, "n"]


@dataclass(frozen=True)
class _Track:
    """A camera's position ``[n, 3]``, and yaw, pitch and roll (radians, ``[n]``)."""

    position: np.ndarray
    yaw: np.ndarray
    pitch: np.ndarray
    roll: np.ndarray | None = None


def look(
    position: Float[np.ndarray, "*n 3"],
    yaw: Float[np.ndarray, "*n"],
    pitch: Float[np.ndarray, "*n"],
    roll: Float[np.ndarray, "*n"] | None = None,
) -> Float[np.ndarray, "*n 3 4"]:
    """Cameras, cam_from_world; yaw turns from +z to +x, pitch looks down, roll leans right, all in radians.

    Without ``roll`` they are level.
    """
    zero = np.zeros_like(yaw)
    ahead = np.stack([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)], -1)
    right = np.stack([np.cos(yaw), zero, -np.sin(yaw)], -1)
    down = np.cross(ahead, right)
    if roll is not None:
        cos, sin = np.cos(roll)[..., None], np.sin(roll)[..., None]
        right, down = cos * right + sin * down, cos * down - sin * right
    rotation = np.stack([right, down, ahead], -2)
    return make_pose(rotation, -(rotation @ position[..., None])[..., 0])


def plan_flight(
    world: World,
    kind: str,
    frame_count: int,
    *,
    fps: float,
    aspect: float,
    take: int = 0,
    water: bool = False,
    speed: float = 1.5,
    focal: float = 0.8,
    shake_deg: float = 0.0,
) -> FlightPlan:
    """Plan a take. The same arguments give the same flight.

    Args:
        world: the island.
        kind: how the camera moves.
        frame_count: length.
        fps: frames a second.
        aspect: width over height.
        take: each number gives another place.
        water: choose a place where water fills more than half of the picture.
        speed: units per second.
        focal: fx, over the width.
        shake_deg: standard deviation of a jitter of yaw and pitch from frame to frame.

    Raises:
        InputError: no such kind.
    """
    if kind not in KINDS:
        raise InputError(f"There is no flight called {kind!r}", remedy=f"Use one of {', '.join(KINDS)}")
    rng = np.random.default_rng([world.seed, zlib.crc32(kind.encode()), take])
    times = np.arange(frame_count) / fps
    intrinsics = np.array([focal, focal * aspect, 0.5, 0.5])
    draws = [_draw(world, kind, times, speed, water, rng) for _ in range(2 * _DRAWS if water else _DRAWS)]
    want = "sea" if kind == "sea" else "water" if water else "land"
    track = min(draws, key=lambda draw: _misfit(world, draw, intrinsics, want))
    jitter = np.radians(shake_deg) * rng.standard_normal((2, frame_count))
    poses = look(track.position, track.yaw + jitter[0], track.pitch + jitter[1], track.roll)
    growth = 1 + 0.25 * times if kind == "zoom" else np.ones(frame_count)
    every = np.tile(intrinsics, (frame_count, 1))
    every[:, :2] *= growth[:, None]
    return FlightPlan(poses, every, times + 100.0 * rng.random())


def _draw(world: World, kind: str, times: np.ndarray, speed: float, water: bool, rng: np.random.Generator) -> _Track:
    fps = 1 / (times[1] - times[0]) if len(times) > 1 else 30.0
    if kind == "orbit":
        return _orbit(world, times, speed, rng.uniform(-1.2, 0.2) if water else rng.uniform(-0.6, 0.8), rng)
    if kind == "sea":
        return _out_to_sea(times, speed, rng)
    if kind == "out":
        return _out_over_shore(world, times, speed, rng)
    if kind in ("climb", "dive", "bank"):
        track = _along_coast(world, times, speed, fps, rng.uniform(-0.7, 1.0), rng.uniform(-0.25, 0.25), rng)
        return _banked(track, fps, speed) if kind == "bank" else _climbing(track, down=kind == "dive")
    flown = times if kind in ("forward", "sideways") else times[:1]
    if kind == "sideways":  # over water, look at the land
        aside = rng.uniform(0.9, 1.45) * (1 if water else rng.choice([1, 1, -1]))
        keep = rng.uniform(-2.8, -0.8) if water else rng.uniform(-0.9, 1.0)
    else:
        aside = rng.uniform(0.0, 0.45) if water else rng.uniform(-0.25, 0.25)
        keep = rng.uniform(-1.8, -0.1) if water else rng.uniform(-0.7, 1.0)
    track = _along_coast(world, flown, speed * (0.8 if kind == "sideways" else 1.0), fps, keep, aside, rng)
    if kind in ("forward", "sideways"):
        return track
    still = _Track(*(np.repeat(part[:1], len(times), 0) for part in (track.position, track.yaw, track.pitch)))
    if kind != "rotation":
        return still
    pan = rng.choice([-1, 1]) * math.radians(11) * times
    return _Track(still.position, still.yaw + pan, still.pitch + 0.04 * np.sin(1.2 * times))


def _along_coast(
    world: World, times: np.ndarray, speed: float, fps: float, keep: float, aside: float, rng: np.random.Generator
) -> _Track:
    """Fly along the shore, ``keep`` units inland of it; the view is turned ``aside`` radians towards the land."""
    side = rng.choice([-1.0, 1.0])
    angle = rng.uniform(0, 2 * math.pi)
    place = _shore_point(world, angle, keep)
    heading, path, headings = None, [], []
    for _ in range(math.ceil(times[-1] / _TICK) + 2):
        inland = _inland(world, place)
        off = min(max(0.5 * (keep - _shore(world, *place)), -0.6), 0.6)
        wanted = math.atan2(inland[0], inland[1]) + side * (math.pi / 2 - off)
        turn = 0.0 if heading is None else (wanted - heading + math.pi) % (2 * math.pi) - math.pi
        heading = wanted if heading is None else heading + min(max(turn, -0.5), 0.5) * 1.2 * _TICK
        path.append(place)
        headings.append(heading)
        place = (place[0] + speed * _TICK * math.sin(heading), place[1] + speed * _TICK * math.cos(heading))
    ticks = _TICK * np.arange(len(path))
    across = _smooth(np.stack([np.interp(times, ticks, part) for part in zip(*path, strict=True)], -1), 0.4 * fps)
    up = _smooth(np.interp(times, ticks, _altitude(world, path)), 0.7 * fps) + _CLEARANCE * rng.uniform(0.85, 1.3)
    position = np.stack([across[:, 0], -up, across[:, 1]], -1)
    sway = rng.uniform(0.02, 0.06) * np.sin(rng.uniform(0.5, 1.0) * times + rng.uniform(0, 6))
    yaw = _smooth(np.interp(times, ticks, headings), 0.6 * fps) - side * aside + sway
    pitch = _PITCH + rng.uniform(-0.02, 0.05) + 0.015 * np.sin(0.8 * times + rng.uniform(0, 6))
    return _Track(position, yaw, pitch)


def _orbit(world: World, times: np.ndarray, speed: float, keep: float, rng: np.random.Generator) -> _Track:
    """Circle a place ``keep`` units inland of the shore, looking at it."""
    middle = np.array(_shore_point(world, rng.uniform(0, 2 * math.pi), keep))
    radius = rng.uniform(1.6, 2.6)
    angle = rng.uniform(0, 2 * math.pi) + rng.choice([-1, 1]) * 0.75 * speed / radius * times
    across = middle + radius * np.stack([np.sin(angle), np.cos(angle)], -1)
    up = np.full(len(times), max(_around(world, x, z) for x, z in across[:: max(len(times) // 24, 1)]))
    up += _CLEARANCE * rng.uniform(0.6, 1.2)
    position = np.stack([across[:, 0], -up, across[:, 1]], -1)
    return _Track(position, angle + math.pi, np.full(len(times), _PITCH + rng.uniform(0.0, 0.08)))


def _climbing(track: _Track, *, down: bool) -> _Track:
    """The flight, its camera rising by 1.4 units and looking down more and more; or the other way round."""
    share = np.linspace(0, 1, len(track.yaw))
    share = share * share * (3 - 2 * share)
    share = share[::-1] if down else share
    return _Track(track.position - 1.4 * share[:, None] * [0, 1, 0], track.yaw, track.pitch + 0.2 * share)


def _banked(track: _Track, fps: float, speed: float) -> _Track:
    """The flight, its camera leaning into turns as an aircraft without a gimbal would."""
    turning = _smooth(np.gradient(np.unwrap(track.yaw)) * fps, 0.4 * fps) if len(track.yaw) > 1 else track.yaw * 0
    return _Track(track.position, track.yaw, track.pitch, np.arctan(turning * speed / 3.0))


def _out_over_shore(world: World, times: np.ndarray, speed: float, rng: np.random.Generator) -> _Track:
    """From land in a straight line over the shore and out, above the highest ground of the way."""
    angle = rng.uniform(0, 2 * math.pi)
    x, z = _shore_point(world, angle, rng.uniform(0.8, 2.2))
    ahead = np.array([math.sin(angle), math.cos(angle)])
    across = np.array([x, z]) + speed * times[:, None] * ahead
    up = max(_around(world, *place) for place in across[:: max(len(times) // 24, 1)])
    up += _CLEARANCE * rng.uniform(0.85, 1.3)
    position = np.stack([across[:, 0], np.full(len(times), -up), across[:, 1]], -1)
    return _Track(position, np.full(len(times), angle), np.full(len(times), _PITCH + rng.uniform(0.0, 0.1)))


def _out_to_sea(times: np.ndarray, speed: float, rng: np.random.Generator) -> _Track:
    """Away from the island, low over open water."""
    angle = rng.uniform(0, 2 * math.pi)
    out = np.array([math.sin(angle), 0.0, math.cos(angle)])
    start = HALF * 1.2 * out - np.array([0.0, 0.5, 0.0])
    count = len(times)
    return _Track(start + speed * times[:, None] * out, np.full(count, angle), np.full(count, _PITCH))


def _misfit(world: World, track: _Track, intrinsics: np.ndarray, want: str) -> float:
    """How far a draw's pictures are from what is wanted; 0 is best."""
    cost = 0.0
    picked = np.linspace(0, len(track.yaw) - 1, 5 if len(track.yaw) > 1 else 1).astype(int)
    poses = look(track.position[picked], track.yaw[picked], track.pitch[picked])
    for pose in poses:
        _, disparity, surface = render(world, pose, intrinsics, 27, 48, 0.0)
        sky, land, sea = (float((surface == kind).mean()) for kind in (SKY, LAND, WATER))
        if want == "sea":
            cost += 10 * land
            continue
        near = float(np.percentile(disparity.astype(np.float32), 97))
        cost += _outside(sky, 0.14, 0.34) + _outside(near, 0.7, 1.15) + 3 * max(float(disparity.max()) - 1.8, 0.0)
        low, high = (0.58, 0.74) if want == "water" else (0.10, 0.40)
        cost += (6 if want == "water" else 2) * _outside(sea, low, high) + 5 * max(
            (0.2 if want == "water" else 0.35) - land, 0.0
        )
    return cost


def _outside(value: float, low: float, high: float) -> float:
    return max(low - value, value - high, 0.0)


def _shore(world: World, x: float, z: float) -> float:
    i, j = int((z + HALF) / CELL), int((x + HALF) / CELL)
    return float(world.guide[min(max(i, 0), CELLS), min(max(j, 0), CELLS)])


def _inland(world: World, place: tuple[float, float]) -> tuple[float, float]:
    """Slope of the shore distance along x and z, over a broad base so that coves do not turn it."""
    x, z = place
    base = 1.2
    return (
        _shore(world, x + base, z) - _shore(world, x - base, z),
        _shore(world, x, z + base) - _shore(world, x, z - base),
    )


def _shore_point(world: World, angle: float, keep: float) -> tuple[float, float]:
    """The outermost place (x, z) in a direction from the middle that is ``keep`` from the shore."""
    x, z = math.sin(angle), math.cos(angle)
    distance = HALF - 1
    while distance > 1 and _shore(world, distance * x, distance * z) < keep:
        distance -= 0.05
    return distance * x, distance * z


def _around(world: World, x: float, z: float) -> float:
    """Highest ground within about half a unit."""
    level = 3
    side, cell = CELLS >> level, CELL * (1 << level)
    first = world.offsets[level]
    peaks = world.peaks[first : first + side * side].reshape(side, side)
    i, j = int((z + HALF) / cell), int((x + HALF) / cell)
    near = peaks[max(i - 3, 0) : max(i + 4, 0), max(j - 3, 0) : max(j + 4, 0)]
    return max(float(near.max()), 0.0) if near.size else 0.0


def _altitude(world: World, path: list[tuple[float, float]]) -> np.ndarray:
    """Highest ground around each place of a path and around those shortly before and after it."""
    around = np.array([_around(world, x, z) for x, z in path])
    wide = round(0.8 / _TICK)
    padded = np.pad(around, wide, mode="edge")
    return np.array([padded[k : k + 2 * wide + 1].max() for k in range(len(path))])


def _smooth(values: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter along the first axis; the ends are continued in a straight line."""
    if len(values) < 3:
        return values
    reach = max(round(3 * sigma), 1)
    taps = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    steps = np.arange(1, reach + 1).reshape(-1, *[1] * (values.ndim - 1))
    before = values[0] - steps[::-1] * (values[1] - values[0])
    after = values[-1] + steps * (values[-1] - values[-2])
    padded = np.concatenate([before, values, after])
    return np.apply_along_axis(np.convolve, 0, padded, taps / taps.sum(), mode="valid")
