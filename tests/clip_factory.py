"""Posed clips of a small synthetic world, with exact disparity, for the tests of every stage that reads clips.

The world is a textured ground, textured blocks and a clouded sky, ray-cast, so nearby things really move faster.
It is not symmetric: the blocks of each clip stand where its seed puts them, and the camera curves one way.

    workspace = make_workspace(tmp_path, clips=3, frames=24, height=64, width=96, seed=0)
    clip = load_clips(workspace, "test")[0]
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.clips import CAMERA_FILE, DISPARITY, FRAMES, frame_name
from flythrough.scene.geometry import default_intrinsics, invert, make_pose, pixel_centers
from flythrough.workspace.catalog import Row, Workspace, to_json
from flythrough.workspace.files import sha256_of_folder

SPEED = 0.2  # units per training step, the autopilot's default
CAMERA_HEIGHT = 0.5  # above the ground, units: the nearest ground in view is then about 1 unit away


@dataclass(frozen=True)
class World:
    """Where the blocks stand and what everything is painted with."""

    low: np.ndarray  # [blocks, 3] corners of axis-aligned blocks; +y is down, the ground is y = 0
    high: np.ndarray  # [blocks, 3]
    waves: np.ndarray  # [waves, 3] frequencies of the paint
    phases: np.ndarray  # [waves, 3] one phase per colour channel


def make_world(seed: int, blocks: int = 14) -> World:
    """A world drawn from ``seed``; the blocks leave a lane for the camera along +z."""
    random = np.random.default_rng([seed, 7])
    side = np.where(random.random(blocks) < 0.6, 1.0, -1.0)  # more blocks right than left
    x = side * random.uniform(0.9, 3.0, blocks)
    z = random.uniform(1.5, 11.0, blocks)
    half = random.uniform(0.15, 0.55, (blocks, 2))
    top = -random.uniform(0.3, 1.3, blocks)
    low = np.stack([x - half[:, 0], top, z - half[:, 1]], -1)
    high = np.stack([x + half[:, 0], np.zeros(blocks), z + half[:, 1]], -1)
    waves = random.normal(size=(10, 3)) * np.geomspace(1.5, 12, 10)[:, None]
    return World(low, high, waves, random.uniform(0, 2 * np.pi, (10, 3)))


def view(world: World, pose: np.ndarray, intrinsics: np.ndarray, height: int, width: int) -> tuple[np.ndarray, ...]:
    """Ray-cast one view: image ``[h, w, 3]`` uint8 and disparity ``[h, w]`` float64 (exact; 0 for the sky)."""
    world_from_cam = invert(pose)
    center = world_from_cam[:, 3]
    xy = (pixel_centers(height, width) - intrinsics[2:]) / intrinsics[:2]
    rays = np.concatenate([xy, np.ones((height, width, 1))], -1) @ world_from_cam[:, :3].T  # z-depth 1 along each
    with np.errstate(divide="ignore", invalid="ignore"):
        ground = np.where(rays[..., 1] > 1e-9, -center[1] / rays[..., 1], np.inf)
        first = (world.low - center) / rays[..., None, :]
        last = (world.high - center) / rays[..., None, :]
    enter = np.minimum(first, last).max(-1)
    leave = np.maximum(first, last).min(-1)
    blocks = np.where((enter < leave) & (enter > 1e-6), enter, np.inf)
    depth = np.minimum(ground, blocks.min(-1))
    disparity = np.where(np.isfinite(depth), 1 / np.maximum(depth, 1e-9), 0.0)

    solid = disparity > 0
    where = center + rays * np.where(solid, depth, 1.0)[..., None]
    which = np.where(blocks.min(-1) < ground, blocks.argmin(-1) + 1, 0)
    paint = _paint(world, where, disparity)
    hue = np.stack([0.35 + 0.25 * np.sin(which * k + k) for k in (1.3, 2.1, 3.7)], -1)
    direction = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    cloud = 0.06 * np.sin(9 * direction[..., :1] + 4 * direction[..., 1:2])
    sky = np.array([0.55, 0.7, 0.9]) + cloud + 0.3 * direction[..., 1:2]
    fog = np.exp(-0.06 * np.where(solid, depth, 0.0))[..., None]
    color = np.where(solid[..., None], fog * (hue + 0.35 * paint) + (1 - fog) * sky, sky)
    return np.round(np.clip(color, 0, 1) * 255).astype(np.uint8), disparity


def _paint(world: World, points: np.ndarray, disparity: np.ndarray) -> np.ndarray:
    """Smooth random paint at world points, ``[h, w, 3]`` about in [-1, 1]; waves too fine for the distance fade."""
    total = np.zeros((*points.shape[:-1], 3))
    for wave, phase in zip(world.waves, world.phases, strict=True):
        fade = np.exp(-((np.linalg.norm(wave) * 0.008 / np.maximum(disparity, 1e-3)) ** 2))
        total += fade[..., None] * np.sin((points @ wave)[..., None] + phase)
    return total / 3


def camera_path(frames: int, steps: int, seed: int) -> np.ndarray:
    """Poses ``[frames, 3, 4]``: forward at the training speed when every ``steps``-th frame is taken, curving right."""
    random = np.random.default_rng([seed, 11])
    turn = random.uniform(0.004, 0.012) / steps
    position, poses = np.array([random.uniform(-0.2, 0.2), -CAMERA_HEIGHT, 0.0]), []
    for index in range(frames):
        yaw = turn * index
        pitch = 0.05 + 0.01 * np.sin(0.2 * index / steps + seed)
        look = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
        right = np.array([np.cos(yaw), 0.0, -np.sin(yaw)])
        rotation = np.stack([right, np.cross(look, right), look])
        poses.append(make_pose(rotation, -rotation @ position))
        position = position + SPEED / steps * np.array([np.sin(yaw), 0.0, np.cos(yaw)])
    return np.stack(poses)


def write_clip(
    root: Path, key: str, *, frames: int, height: int, width: int, seed: int, steps: int = 1, split: str = "train"
) -> Row:
    """Write one clip's folder below ``root`` in the layout of ``flythrough.scene.clips``; returns its ``clips`` row."""
    folder = root / "sfm" / key
    (folder / FRAMES).mkdir(parents=True)
    world, poses = make_world(seed), camera_path(frames, steps, seed)
    intrinsics = default_intrinsics(height, width) + np.array([0.0, 0.0, 0.01, -0.02])  # off centre: flips must mind it
    disparities = {}
    for index, pose in enumerate(poses):
        image, disparity = view(world, pose, intrinsics, height, width)
        _write_png(folder / FRAMES / frame_name(index), image)
        disparities[f"{index:06d}"] = disparity.astype(np.float16)
    np.savez(folder / DISPARITY, **disparities)  # type: ignore[arg-type]
    times_us = (np.arange(frames) * 40_000).astype(np.int64)
    write_cameras(folder / CAMERA_FILE, Cameras(f"{key}.mp4", times_us, np.tile(intrinsics, (frames, 1)), poses))
    relative = folder.relative_to(root).as_posix()
    return {
        "id": key,
        "shot_id": f"{key}-shot",
        "video_id": f"{key}-video",
        "split": split,
        "frame_count": frames,
        "camera_file": f"{relative}/{CAMERA_FILE}",
        "folder": relative,
        "width": width,
        "height": height,
        "steps": steps,
        "scale": 1.0,
        "disparity": "exact",
        "sha256": sha256_of_folder(folder),
        "measures": to_json({}),
    }


def make_workspace(
    root: Path,
    clips: int = 3,
    frames: int = 24,
    height: int = 64,
    width: int = 96,
    seed: int = 0,
    splits: tuple[str, ...] = ("train", "train", "test"),
    steps: int = 1,
) -> Workspace:
    """A workspace with a ``clips`` table and its clips' folders; ``splits`` is repeated if too short.

    Same arguments, same bytes. ``steps`` frames make one training step of 0.2 units.
    """
    root.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(root)
    rows = [
        write_clip(
            root,
            f"clip{index}",
            frames=frames,
            height=height,
            width=width,
            seed=seed * 1000 + index,
            steps=steps,
            split=splits[index % len(splits)],
        )
        for index in range(clips)
    ]
    workspace.write("clips", rows)
    return workspace


def _write_png(path: Path, image: np.ndarray) -> None:
    import cv2

    assert cv2.imwrite(str(path), image[..., ::-1])
