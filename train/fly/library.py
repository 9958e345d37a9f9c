"""Flights from Python: ``for frame in ft.fly("photo.jpg", steps=100)``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8


def fly(
    start: Path | str,
    *,
    checkpoint: Path | str | None = None,
    steps: int | None = None,
    plan: str = "autopilot",
    speed: float | None = None,
    size: str = "",
    depth: str = "auto",
    sky: bool | None = None,
    device: str = "auto",
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """Fly into a picture: yields the start, then one frame per step.

    Args:
        start: a picture, one of the page's by its name (``island-9000``, ``rocks``), or a ``.npz`` with ``rgbd``
            ``[h, w, 4]`` in [0, 1] and ``intrinsics`` ``[4]``.
        checkpoint: a checkpoint folder, or the prefix of the authors' TensorFlow one; by default the package's model.
        steps: number of steps; ``None`` flies forever.
        plan: autopilot, straight, orbit, or a camera file to follow.
        speed: distance per step, in distances of the near ground; below 0 is backwards. None: 0.2; 0.011 for orbit; a
            camera file's own.
        size: such as "160x96", multiples of 32; by default the size the model was trained at.
        depth: source of a photo's disparity; see :func:`.depth.photo_disparity`.
        sky: keep the start picture's sky; see :mod:`..model.sky`. None: as the model was trained.
        device: auto, cpu, cuda, mps.

    Raises:
        InputError: no such picture, checkpoint or plan.
        ConfigError: a side of ``size`` is not a multiple of 32, or the device is not available.
    """
    import torch

    from flythrough.networks.device import pick

    from .from_photo import at_size, load_model, plan_flight
    from .page.gallery import read_any
    from .rollout import fly as frames
    from .rollout import to_image
    from .runtime import fast
    from .shipped import shipped_checkpoint

    chosen = Path(checkpoint) if checkpoint is not None else shipped_checkpoint()
    model = fast(at_size(load_model(chosen), size).to(pick(device)))
    begin = read_any(start, model.config.height, model.config.width, depth)
    flight = plan_flight(plan, begin, speed)
    first = torch.from_numpy(begin.rgbd)

    def film() -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        yield to_image(first)
        for rgbd in frames(model, first, begin.intrinsics, flight, steps, sky=sky):
            yield to_image(rgbd)

    return film()
