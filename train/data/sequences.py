"""Training sequences: pieces of clips, decoded in the background, pictures and cameras mirrored together.

The draw is a function of (seed, step, place in the batch) alone. So a resumed run continues exactly, and several
processes together see the same batch that one large process would.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from flythrough.errors import InputError
from flythrough.scene.autopilot import Autopilot
from flythrough.scene.clips import Clip
from flythrough.scene.geometry import compose, flip_intrinsics, flip_pose, invert

from ..fly.depth_guess import guess_disparity
from .color_jitter import Tint
from .replay import Flight, ReplayMemory, ReplaySchedule

Loaded = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # as Sequences.load returns


@dataclass(frozen=True)
class Pick:
    """One sequence: frames ``start, start + stride, ...`` of a clip."""

    clip: int
    start: int
    stride: int
    flipped: bool
    age: int = 0  # steps flown before; above 0, the sequence continues from the model's own picture
    roams: bool = False  # the autopilot flies it; the frames are recorded ones from its start, not its truth
    tint: Tint | None = None
    guessed: bool = False  # the flight's start has a guessed disparity, as a photo has


@dataclass(frozen=True)
class Batch:
    """Sequences of T + 1 frames. Poses are relative to each sequence's first frame.

    ``start`` is the picture that each sequence flies on from: its first frame, or the model's own. ``takeoff`` is the
    recorded frame that its flight began with, and ``age`` the steps flown since; if that is 0, both are the first
    frame. If ``roams`` is 1, the autopilot flies, continuing from ``courses``, and the frames are not ground truth.
    """

    clips: tuple[str, ...]
    picks: tuple[Pick, ...]
    rgbd: Float[Tensor, "b t 4 h w"]
    start: Float[Tensor, "b 4 h w"]
    poses: Float[Tensor, "b t 3 4"]  # cam_from_first
    intrinsics: Float[Tensor, "b t 4"]
    takeoff: Float[Tensor, "b 4 h w"]
    age: Float[Tensor, "b"]
    roams: Float[Tensor, "b"]
    courses: Float[Tensor, "b 3 3"]

    def __len__(self) -> int:
        return len(self.clips)

    def split(self, size: int) -> list[Batch]:
        """The batch in parts of ``size`` sequences."""
        parts = [slice(k, k + size) for k in range(0, len(self), size)]
        return [Batch(*(getattr(self, field.name)[part] for field in fields(self))) for part in parts]

    def go_on(self, memory: ReplayMemory) -> Batch:
        """The batch with the model's own last pictures and courses as starts of the flights that continue."""
        courses = torch.where((self.age > 0).cpu()[:, None, None], memory.courses, self.courses)
        return replace(self, start=memory.starts(self.start, self.age), courses=courses)

    def to(self, device: torch.device, dtype: torch.dtype = torch.float32) -> Batch:
        """The batch on a device."""

        def moved(x: Tensor) -> Tensor:
            pinned = x.pin_memory() if device.type == "cuda" and x.device.type == "cpu" else x
            return pinned.to(device, dtype, non_blocking=True)

        return replace(
            self,
            rgbd=moved(self.rgbd),
            start=moved(self.start),
            poses=moved(self.poses),
            intrinsics=moved(self.intrinsics),
            takeoff=moved(self.takeoff),
            age=moved(self.age),
            roams=moved(self.roams),
        )


class Sequences:
    """Draws and decodes sequences.

    Args:
        clips: to draw from; all sequences of all clips are equally likely.
        unroll: steps (T) of every sequence.
        height: pixels to resize to.
        width: as ``height``.
        seed: of the draw.
        flip: mirror half of the sequences.
        color_jitter: strength of the random change of a flight's colours; 0 for none.
        guessed: share of the roaming flights that start with a guessed disparity.
        replay: which sequences continue from the model's own pictures; none by default.
        cache_mb: memory for decoded frames.

    A clip too short for T steps at its training speed is flown more slowly (every stride-th frame, the largest
    stride that fits); one of fewer than T + 1 frames is left out: see ``short``.

    Raises:
        InputError: no clip is long enough, or the poses of one are not rigid.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        *,
        unroll: int,
        height: int,
        width: int,
        seed: int = 0,
        flip: bool = True,
        color_jitter: float = 0.0,
        guessed: float = 0.0,
        replay: ReplaySchedule | None = None,
        cache_mb: int = 512,
    ) -> None:
        if not clips:
            raise InputError(
                "There is no clip to train on: the split train is empty",
                remedy="Run flythrough sfm, and see flythrough status for what was dropped",
            )
        self.unroll, self.height, self.width, self.seed, self.flip = unroll, height, width, seed, flip
        self.short = tuple(clip.id for clip in clips if len(clip) < unroll + 1)
        self.clips = [clip for clip in clips if len(clip) >= unroll + 1]
        if not self.clips:
            raise InputError(
                f"No clip has {unroll + 1} frames, as training over {unroll} steps needs: {', '.join(self.short)}",
                remedy="Lower train.unroll, or bring longer clips",
            )
        for clip in self.clips:
            check_cameras(clip)
        self.strides = [max(1, min(clip.steps, (len(clip) - 1) // unroll)) for clip in self.clips]
        starts = [len(clip) - stride * unroll for clip, stride in zip(self.clips, self.strides, strict=True)]
        self._ends = np.cumsum(starts)
        self.color_jitter, self.guessed, self.replay = color_jitter, guessed, replay
        if replay is not None:
            replay.max_age = min(replay.max_age, *(len(clip) - 1 for clip in self.clips))
        self._cache = FrameCache(cache_mb * 2**20)

    def pick(self, step: int, place: int) -> Pick:
        """The sequence at a place of the whole batch (over all processes) of an optimiser step."""
        flight = Flight(step, 0, self.unroll) if self.replay is None else self.replay.flight(step, place)
        random = np.random.default_rng([self.seed, flight.takeoff, place])
        number = int(random.integers(self._ends[-1]))
        clip = int(np.searchsorted(self._ends, number, side="right"))
        start = number - (int(self._ends[clip - 1]) if clip else 0)
        last, length = len(self.clips[clip]) - 1, self.unroll if flight.roams else flight.length
        stride = max(1, min(self.strides[clip], last // length))
        start = min(start, last - stride * length)
        flipped = bool(self.flip and random.random() < 0.5)
        tint = Tint.draw(random, self.color_jitter) if self.color_jitter else None
        guessed = bool(flight.roams and self.guessed and random.random() < self.guessed)
        here = start if flight.roams else start + stride * flight.age
        return Pick(clip, here, stride, flipped, flight.age, flight.roams, tint, guessed)

    def load(self, pick: Pick, unroll: int) -> Loaded:
        """RGBD ``[t, 4, h, w]``, poses ``[t, 3, 4]`` relative to the first, intrinsics ``[t, 4]``, and the RGBD
        ``[4, h, w]`` of the flight's first frame; float32."""
        clip = self.clips[pick.clip]
        indices = [pick.start + pick.stride * k for k in range(unroll + 1)]
        takeoff = pick.start if pick.roams else pick.start - pick.stride * pick.age
        rgbd = np.stack([self._frame(pick.clip, index) for index in (takeoff, *indices)]).astype(np.float32)
        if pick.tint is not None:
            rgbd[:, :3] = pick.tint.apply(rgbd[:, :3])
        if pick.guessed:  # takeoff and start, which are one frame here
            image = (rgbd[0, :3].transpose(1, 2, 0).clip(0, 1) * 255).astype(np.uint8)
            rgbd[:2, 3] = guess_disparity(image).disparity
        poses, intrinsics = clip.cameras.poses[indices], clip.cameras.intrinsics[indices]
        poses = compose(poses, invert(poses[0]))
        if pick.flipped:
            rgbd, poses, intrinsics = rgbd[..., ::-1], flip_pose(poses), flip_intrinsics(intrinsics)
        rgbd = np.ascontiguousarray(rgbd)
        return rgbd[1:], poses.astype(np.float32), intrinsics.astype(np.float32), rgbd[0]

    def _frame(self, clip: int, index: int) -> np.ndarray:
        # Half precision, in the cache and out of it, so that the cache's size changes no result.
        return self._cache.get(
            (clip, index), lambda: self.clips[clip].rgbd(index, self.height, self.width).astype(np.float16)
        )


class FrameCache:
    """The most recently used decoded frames, up to a number of bytes. Threads may share it."""

    def __init__(self, limit: int) -> None:
        self.limit, self.bytes = limit, 0
        self._frames: OrderedDict[tuple[int, int], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: tuple[int, int], decode: Callable[[], np.ndarray]) -> np.ndarray:
        """The frame, decoded if it is not there."""
        with self._lock:
            if key in self._frames:
                self._frames.move_to_end(key)
                return self._frames[key]
        frame = decode()
        with self._lock:
            if key not in self._frames and frame.nbytes <= self.limit:
                self._frames[key] = frame
                self.bytes += frame.nbytes
                while self.bytes > self.limit:
                    self.bytes -= self._frames.popitem(last=False)[1].nbytes
        return frame


class Loader:
    """Batches in order, decoded ahead by threads (the decoders release Python's lock).

    Args:
        sequences: what to draw from.
        batch: sequences per batch, of this process.
        unroll_at: T at an optimiser step.
        workers: threads.
        ahead: batches to hold ready.
        rank: of this process, which chooses its share of the whole batch.
    """

    def __init__(
        self,
        sequences: Sequences,
        *,
        batch: int,
        unroll_at: Callable[[int], int],
        workers: int = 4,
        ahead: int = 3,
        rank: int = 0,
    ) -> None:
        self.sequences, self.batch, self.unroll_at = sequences, batch, unroll_at
        self.workers, self.ahead, self.rank = workers, ahead, rank

    def batches(self, first: int, last: int) -> Iterator[Batch]:
        """The batches of optimiser steps ``first .. last - 1``."""
        with ThreadPoolExecutor(self.workers, thread_name_prefix="decode") as pool:
            waiting: deque[tuple[list[Pick], list[Future[Loaded]]]] = deque()
            try:
                for step in range(first, last + self.ahead):
                    if step < last:
                        picks = [self.sequences.pick(step, self.rank * self.batch + i) for i in range(self.batch)]
                        unroll = self.unroll_at(step)
                        waiting.append((picks, [pool.submit(self.sequences.load, pick, unroll) for pick in picks]))
                    if step - first >= self.ahead and waiting:
                        yield self._collate(*waiting.popleft())
            finally:
                for _, jobs in waiting:
                    for job in jobs:
                        job.cancel()

    def _collate(self, picks: list[Pick], jobs: list[Future[Loaded]]) -> Batch:
        columns = zip(*(job.result() for job in jobs), strict=True)
        rgbd, poses, intrinsics, takeoff = (torch.from_numpy(np.stack(column)) for column in columns)
        clips = tuple(self.sequences.clips[p.clip].id for p in picks)
        age, roams = torch.tensor([[float(p.age), float(p.roams)] for p in picks]).unbind(1)
        courses = torch.from_numpy(Autopilot(intrinsics[0].numpy()[0]).course).expand(len(picks), 3, 3)
        return Batch(clips, tuple(picks), rgbd, rgbd[:, 0], poses, intrinsics, takeoff, age, roams, courses)


def check_cameras(clip: Clip) -> None:
    """Refuse a clip whose poses or intrinsics are invalid.

    Raises:
        InputError: names the clip and what is wrong.
    """
    cameras = clip.cameras
    remedy = "Run flythrough sfm again, or take the clip out"
    if not (np.isfinite(cameras.poses).all() and np.isfinite(cameras.intrinsics).all()):
        raise InputError(f"Clip {clip.id} has cameras that are not finite", remedy=remedy)
    rotations = cameras.poses[:, :, :3]
    drift = np.abs(rotations @ rotations.swapaxes(-1, -2) - np.eye(3)).max()
    if drift > 1e-3 or (np.linalg.det(rotations) < 0).any():
        raise InputError(f"Clip {clip.id} has poses that are not rotations (off by {drift:.3g})", remedy=remedy)
    if (cameras.intrinsics[:, :2] <= 0).any():
        raise InputError(f"Clip {clip.id} has a focal length of zero or less", remedy=remedy)
