"""A training run's running mean as a small checkpoint to share: half precision, no optimiser state."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from flythrough.errors import InputError
from flythrough.scene.trained_on import read_trained_on
from flythrough.workspace.files import JsonObject

from ..model.native import save_checkpoint
from ..model.network import SHAPE, InfiniteNature
from .state import read_state

MEAN = "mean/"  # prefix of the running mean's tensors in a training state


def export_state(states: Sequence[Path], folder: Path) -> InfiniteNature:
    """Write the running mean of saved training states as a float16 checkpoint; returns the model, as written.

    The run may still be in progress: a state is replaced atomically, so a read always gets one complete save.

    Args:
        states: ``state.safetensors`` of a run; of several states of one run, the mean of their weights is written.
        folder: checkpoint folder to write.

    Raises:
        InputError: one is not a training state of this version, they are of different runs, or a weight is not finite.
        DiskError: the disk is full or not writable.
    """
    saved = [_read(state) for state in states]
    first = saved[0]
    for state, other in zip(states, saved, strict=True):
        if other.settings != first.settings:
            raise InputError(f"{state} is not of the run of {states[0]}", remedy="Give states of one run")
    tensors = {name: torch.stack([s.mean[name] for s in saved]).mean(0).half() for name in first.mean}
    broken = sorted(name for name, value in tensors.items() if not torch.isfinite(value).all())
    if broken:
        raise InputError(f"{states[0]}: {broken[0]} is not finite in float16", remedy="Export an earlier state")
    # A run from before a setting existed lacks it.
    shape = {name: first.settings[name] for name in SHAPE if name in first.settings}
    model = InfiniteNature(**shape).half()
    model.load_state_dict(tensors)
    steps = [each.step for each in saved]
    more = {"mean_of_steps": steps} if len(steps) > 1 else {}
    save_checkpoint(folder, model, {"step": max(steps), "settings": first.settings, **more})
    if (history := read_trained_on(states[0].parent)) is not None:
        history.write(folder)
    return model


@dataclass(frozen=True)
class _Saved:
    """Parts of a training state: the step, the run's settings, and the running mean's tensors, float32."""

    step: int
    settings: JsonObject
    mean: dict[str, Tensor]


def _read(state: Path) -> _Saved:
    metadata, tensors = read_state(state, "Give the state.safetensors in a run's folder", MEAN)
    mean = {name.removeprefix(MEAN): value.float() for name, value in tensors.items()}
    return _Saved(int(metadata["step"]), json.loads(metadata["settings"]), mean)
