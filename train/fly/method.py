"""Our model as a method of perpetual view generation, found by evaluate/ through its entry point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError
from flythrough.results.methods import Setting
from flythrough.scene.autopilot import Flight


class InfiniteNatureMethod:
    """Render, refine, repeat, with the workspace's newest checkpoint."""

    def __init__(self) -> None:
        self._model: Any = None
        self._steps = 0

    def setup(self, setting: Setting) -> None:
        """Load the checkpoint.

        Raises:
            InputError: there is none, or it is not a checkpoint that flythrough wrote.
        """
        from flythrough.networks.device import pick

        from .from_photo import load_model

        self._model = load_model(self._checkpoint(setting)).to(pick(setting.device))
        self._steps = setting.steps

    def _checkpoint(self, setting: Setting) -> Path:
        if setting.checkpoint is None:
            raise InputError("infinite-nature needs a checkpoint", remedy="Train one: flythrough train --workspace W")
        return setting.checkpoint

    def generate(
        self, start_rgbd: Float[np.ndarray, "4 h w"], intrinsics: Float[np.ndarray, 4], flight: Flight, seed: int
    ) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Yield one frame per step. The style is the start picture's mean style, so ``seed`` changes nothing."""
        import torch

        from .rollout import fly, to_image

        start = torch.from_numpy(np.ascontiguousarray(start_rgbd, dtype=np.float32))
        for rgbd in fly(self._model, start, intrinsics, flight, self._steps):
            yield to_image(rgbd)


class ReleaseMethod(InfiniteNatureMethod):
    """The same with the authors' TensorFlow checkpoint, as ``flythrough weights fetch infinite-nature`` unpacks it."""

    def _checkpoint(self, setting: Setting) -> Path:
        remedy = "Run: flythrough weights fetch infinite-nature"
        if setting.checkpoint is None:
            raise InputError("infinite-nature-release needs the authors' checkpoint", remedy=remedy)
        found = sorted(setting.checkpoint.rglob("*.index"))
        if len(found) != 1:
            raise InputError(f"{setting.checkpoint} has {len(found)} TensorFlow checkpoints, not 1", remedy=remedy)
        return found[0].with_suffix("")
