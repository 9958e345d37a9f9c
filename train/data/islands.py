"""Training clips of the sample world: islands filmed with true poses and disparity, kept as arrays on disk.

Training islands start at seed :data:`FIRST_SEED`; all seeds below it are for demos, tests and evaluation, so that no
island is ever both trained on and scored on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from jaxtyping import Float

from flythrough.errors import InputError
from flythrough.sample.biome import BIOMES
from flythrough.sample.film import film, frame_times_us
from flythrough.scene.cameras import Cameras
from flythrough.scene.clips import Clip
from flythrough.workspace.files import publish
from flythrough.workspace.progress import bar
from flythrough.workspace.worker import end_with

FIRST_SEED = 100_000
TAKES = (("forward", 0), ("forward", 1), ("forward", 2), ("orbit", 0), ("sideways", 0))
FRAMES = 60  # per take; one frame is one step of the method
FPS, SPEED = 7.5, 1.5  # 0.2 scene units per frame
OVERSAMPLING = 2  # filmed at this many times the training size, and averaged


@dataclass(frozen=True)
class Take:
    """One take of one training island, at one size."""

    seed: int
    kind: str
    take: int
    height: int
    width: int
    biome: str = "coast"

    @property
    def id(self) -> str:
        """Unique among takes of one size."""
        where = "island" if self.biome == "coast" else self.biome
        return f"{where}-{self.seed}-{self.kind}-{self.take}"

    def file(self, folder: Path) -> Path:
        """Where the take is kept below a folder."""
        return folder / f"{self.width}x{self.height}" / f"{self.id}.npz"


class IslandClip(Clip):
    """A filmed take, read like any other clip.

    Args:
        take: which one.
        folder: where :func:`film_islands` put it.
    """

    def __init__(self, take: Take, folder: Path) -> None:
        self.take = take
        row = {"id": take.id, "video_id": f"island-{take.seed}", "split": "train", "steps": 1}
        super().__init__(folder, {**row, "height": take.height, "width": take.width})
        self.island = take.seed
        with np.load(take.file(folder)) as archive:
            self._rgbd: Float[np.ndarray, "n 4 h w"] = archive["rgbd"]  # uint8 colours would do; disparity would not
            poses, intrinsics = archive["poses"], archive["intrinsics"]
        self._cameras = Cameras("sample", frame_times_us(len(poses), FPS), intrinsics, poses)

    def rgbd(self, index: int, height: int, width: int) -> Float[np.ndarray, "4 height width"]:
        """One frame, RGB and disparity in [0, 1]."""
        if (height, width) != self._rgbd.shape[2:]:
            raise InputError(
                f"{self.id} was filmed at {self.width} x {self.height}, not {width} x {height}",
                remedy="Film the islands at the training size",
            )
        return self._rgbd[index].astype(np.float32)


def takes(islands: int, height: int, width: int, all_biomes: bool = False) -> Iterator[Take]:
    """The takes of the first ``islands`` training islands.

    With ``all_biomes``, every second island is a coast, and the others are the other biomes in turn.
    """
    others = [name for name in BIOMES if name != "coast"]
    for k in range(islands):
        biome = others[k // 2 % len(others)] if all_biomes and k % 2 else "coast"
        for kind, number in TAKES:
            yield Take(FIRST_SEED + k, kind, number, height, width, biome)


def film_islands(folder: Path, islands: int, height: int, width: int, all_biomes: bool = False) -> list[IslandClip]:
    """The clips of the training islands, filmed if not yet in ``folder`` (about a second per take)."""
    wanted = list(takes(islands, height, width, all_biomes))
    missing: dict[int, list[Take]] = {}
    for take in wanted:
        if not take.file(folder).is_file():
            missing.setdefault(take.seed, []).append(take)
    if missing:
        # Not forked: numba's threads do not survive that.
        pools = ProcessPoolExecutor(os.cpu_count(), get_context("spawn"), _end_with_parent, (os.getpid(),))
        with pools as pool, bar("film islands", len(missing), "island") as advance:
            for _ in pool.map(_film_island, missing.values(), [folder] * len(missing)):
                advance(1)
    return [IslandClip(take, folder) for take in wanted]


def _end_with_parent(parent: int) -> None:
    threading.Thread(target=end_with, args=(parent,), daemon=True).start()


def _film_island(wanted: list[Take], folder: Path) -> None:
    import cv2
    import numba

    numba.set_num_threads(1)
    for take in wanted:
        random = np.random.default_rng([take.seed, take.take, len(take.kind)])
        shot = film(
            take.seed, take.kind, FRAMES / FPS, width=OVERSAMPLING * take.width, height=OVERSAMPLING * take.height,
            fps=FPS, take=take.take, speed=SPEED, focal=float(random.uniform(0.7, 0.95)),
            biome=take.biome,
        )  # fmt: skip
        size = (take.width, take.height)
        color = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) / np.float32(255) for image in shot.images]
        disparity = [cv2.resize(each.astype(np.float32), size, interpolation=cv2.INTER_AREA) for each in shot.disparity]
        channels = np.stack(color).transpose(0, 3, 1, 2), np.clip(np.stack(disparity), 0, 1)[:, None]
        rgbd = np.concatenate(channels, 1).astype(np.float16)
        file = take.file(folder)
        file.parent.mkdir(parents=True, exist_ok=True)
        with publish(file) as scratch, open(scratch, "wb") as stream:
            np.savez(stream, rgbd=rgbd, poses=shot.poses, intrinsics=shot.intrinsics)
