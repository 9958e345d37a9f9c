"""Single takes of the sample world with their ground truth, for tests and benchmarks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float16, UInt8

from ..scene.cameras import Cameras
from .paths import FlightPlan, plan_flight
from .raycast import render
from .world import World, make_world


@dataclass(frozen=True)
class Film:
    """A take, in memory.

    Attributes:
        kind: how the camera moved.
        fps: frames a second.
        images: ``[n, h, w, 3]`` RGB.
        poses: cam_from_world, ``[n, 3, 4]``.
        intrinsics: fx fy cx cy normalised, ``[n, 4]``.
        disparity: 1 / depth in the poses' units, 0 in the sky, ``[n, h, w]``.
        surface: ``SKY``, ``LAND`` or ``WATER`` of :mod:`.raycast` for each pixel, ``[n, h, w]``.
    """

    kind: str
    fps: Fraction
    images: UInt8[np.ndarray, "n h w 3"]
    poses: Float[np.ndarray, "n 3 4"]
    intrinsics: Float[np.ndarray, "n 4"]
    disparity: Float16[np.ndarray, "n h w"]
    surface: UInt8[np.ndarray, "n h w"]

    def __len__(self) -> int:
        return len(self.images)

    def cameras(self, url: str = "sample") -> Cameras:
        """The take's cameras, its first frame at time 0."""
        return Cameras(url, frame_times_us(len(self), self.fps), self.intrinsics, self.poses)

    def write_video(self, path: Path, crf: int = 18) -> None:
        """Encode the take as H.264."""
        from ..media.video_writer import VideoWriter

        height, width = self.images.shape[1:3]
        with VideoWriter(path, width=width, height=height, fps=self.fps, crf=crf) as writer:
            for image in self.images:
                writer.write(image)


def frame_times_us(count: int, fps: Fraction | float, start_frame: int = 0) -> np.ndarray:
    """Presentation times ``[count]`` of frames at a constant rate, microseconds, rounded to the nearest."""
    rate = Fraction(fps).limit_denominator(1001)
    return np.array([round(frame * 10**6 / rate) for frame in range(start_frame, start_frame + count)], dtype=np.int64)


def film(
    world_seed: int,
    kind: str = "forward",
    seconds: float = 5.0,
    *,
    width: int = 640,
    height: int = 360,
    fps: float = 30,
    take: int = 0,
    water: bool = False,
    speed: float = 1.5,
    focal: float = 0.8,
    shake_deg: float = 0.0,
    biome: str = "coast",
) -> Film:
    """Film one take; the same arguments give the same pixels.

    Args:
        world_seed: which island.
        kind: ``forward``, ``orbit``, ``sideways``, ``climb``, ``dive``, ``bank`` (leaning into turns) and ``out`` (over
            the shore) move; ``static``, ``rotation`` (a pan), ``zoom`` and ``sea`` (open water, no land) hold no
            geometry.
        seconds: length.
        width: pixels.
        height: pixels.
        fps: frames a second.
        take: each number gives another place on the island.
        water: film where water fills more than half of the picture.
        speed: units per second; the near ground is about one unit away.
        focal: fx, over the width.
        shake_deg: jitter of the view from frame to frame, standard deviation.
        biome: the kind of landscape, of :data:`.biome.BIOMES`.

    Raises:
        InputError: no such kind, or no such biome.
    """
    world = make_world(world_seed, biome)
    plan = plan_flight(
        world, kind, round(seconds * fps), fps=fps, aspect=width / height, take=take, water=water, speed=speed,
        focal=focal, shake_deg=shake_deg,
    )  # fmt: skip
    shot = list(shoot(world, plan, width, height))
    images, disparity, surface = (np.stack(part) for part in zip(*shot, strict=True))
    rate = Fraction(fps).limit_denominator(1001)
    return Film(kind, rate, images, plan.poses, plan.intrinsics, disparity, surface)


def shoot(
    world: World, plan: FlightPlan, width: int, height: int
) -> Iterator[tuple[UInt8[np.ndarray, "h w 3"], Float16[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]]]:
    """Render a plan frame by frame: image, disparity, surface."""
    for pose, intrinsics, time_s in zip(plan.poses, plan.intrinsics, plan.times_s, strict=True):
        yield render(world, pose, intrinsics, height, width, float(time_s))
