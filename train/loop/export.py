"""A training run's running mean as a small checkpoint to give away: half precision, no optimiser state."""

from __future__ import annotations

import json
from pathlib import Path

import torch

from flythrough.errors import InputError
from flythrough.scene.trained_on import read_trained_on

from ..model.native import save_checkpoint
from ..model.network import InfiniteNature
from .state import FORMAT

MEAN = "mean/"  # prefix of the running mean's tensors in a training state


def export_state(state: Path, folder: Path) -> InfiniteNature:
    """Write the running mean of a saved training state as a float16 checkpoint; returns the model, as written.

    The run may go on meanwhile: a state is replaced as a whole, so what is read is always one save.

    Args:
        state: ``state.safetensors`` of a run.
        folder: checkpoint folder to write.

    Raises:
        InputError: ``state`` is not a training state of this version, or a weight is not finite.
        DiskError: no room, no rights.
    """
    from safetensors import SafetensorError, safe_open

    remedy = "Give the state.safetensors in a run's folder"
    try:
        with safe_open(state, framework="pt") as file:
            metadata = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise InputError(f"{state} is not a training state of this version", remedy=remedy)
            names = [name for name in file.keys() if name.startswith(MEAN)]  # noqa: SIM118  # no mapping
            tensors = {name.removeprefix(MEAN): file.get_tensor(name).half() for name in names}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{state} cannot be read: {error}", remedy=remedy) from error
    broken = sorted(name for name, value in tensors.items() if not torch.isfinite(value).all())
    if broken:
        raise InputError(f"{state}: {broken[0]} is not finite in float16", remedy="Export an earlier state")
    chosen = json.loads(metadata["settings"])
    shape = {name: chosen[name] for name in ("height", "width", "base_width", "style_size", "max_sobel", "keep")}
    model = InfiniteNature(**shape).half()
    model.load_state_dict(tensors)
    record = {"step": int(metadata["step"]), "settings": chosen}
    save_checkpoint(folder, model, record)
    if (history := read_trained_on(state.parent)) is not None:
        history.write(folder)
    return model
