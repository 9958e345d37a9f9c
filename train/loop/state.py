"""The whole state of a training run in one safetensors file: networks, running mean, optimisers, random numbers.

The position in the data is not saved: the batch of step n is a function of the seed and n.
Saving replaces the old file once the new one is complete on disk, so a full disk costs only that save.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from flythrough.errors import InputError
from flythrough.workspace.files import JsonObject, publish

from ..data.replay import ReplayMemory

FORMAT = "flythrough training state 1"


@dataclass
class TrainState:
    """All that changes during training."""

    generator: nn.Module
    mean: nn.Module  # the running mean of the generator, which flies
    discriminators: nn.Module
    generator_optimiser: Optimizer
    discriminator_optimiser: Optimizer
    step: int = 0  # optimiser steps taken
    replay: ReplayMemory | None = None  # the model's own last pictures

    def modules(self) -> dict[str, nn.Module]:
        """The networks, by their names in a state file."""
        return {"generator": self.generator, "mean": self.mean, "discriminators": self.discriminators}

    def optimisers(self) -> dict[str, Optimizer]:
        """The optimisers, by their names in a state file."""
        return {"generator_adam": self.generator_optimiser, "discriminator_adam": self.discriminator_optimiser}


def save_state(path: Path, state: TrainState, settings: Mapping[str, object]) -> None:
    """Publish the state at ``path``.

    Raises:
        DiskError: the disk is full or not writable; ``path`` is unchanged.
    """
    from safetensors.torch import save

    tensors: dict[str, Tensor] = {"random/torch": torch.get_rng_state()}
    if torch.cuda.is_available():
        tensors["random/cuda"] = torch.cuda.get_rng_state()
    if state.replay is not None:
        tensors |= {"replay/rgbd": state.replay.rgbd, "replay/courses": state.replay.courses}
    for name, module in state.modules().items():
        tensors |= {f"{name}/{key}": value for key, value in module.state_dict().items()}
    for name, optimiser in state.optimisers().items():
        for index, values in optimiser.state_dict()["state"].items():
            tensors |= {f"{name}/{index}/{key}": value for key, value in values.items()}
    metadata = {"format": FORMAT, "step": str(state.step), "settings": json.dumps(dict(settings), sort_keys=True)}
    data = save({key: value.detach().cpu().contiguous() for key, value in tensors.items()}, metadata)
    with publish(path) as scratch:
        scratch.write_bytes(data)


def load_state(path: Path, state: TrainState, settings: Mapping[str, object]) -> None:
    """Fill ``state`` from a file that :func:`save_state` wrote.

    Raises:
        InputError: not such a file, or of a run with other settings (the message names them).
    """
    metadata, tensors = read_state(path, "Delete it to train from the start")
    _check_settings(path, json.loads(metadata["settings"]), dict(settings))
    for name, module in state.modules().items():
        module.load_state_dict(_below(tensors, name))
    for name, optimiser in state.optimisers().items():
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in _below(tensors, name).items():
            index, _, moment = key.partition("/")
            moments.setdefault(int(index), {})[moment] = value
        optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    if state.replay is not None:
        state.replay.rgbd, state.replay.courses = tensors["replay/rgbd"], tensors["replay/courses"]
    torch.set_rng_state(tensors["random/torch"])
    if "random/cuda" in tensors and torch.cuda.is_available():
        torch.cuda.set_rng_state(tensors["random/cuda"])
    state.step = int(metadata["step"])


def load_discriminators(discriminators: nn.Module, path: Path) -> None:
    """Load another run's discriminators, so that they need not be trained from the start.

    Those that judge feature maps stay as they are if that run had none.

    Args:
        discriminators: to be trained.
        path: the state of that run.

    Raises:
        InputError: it cannot be read, or its discriminators are of another shape.
    """
    remedy = "Name its checkpoint folder, to start with untrained discriminators"
    weights = _below(read_state(path, remedy, "discriminators/")[1], "discriminators")
    fresh = discriminators.state_dict()
    if not any(key.startswith("on_maps.") for key in weights):
        weights |= {key: value for key, value in fresh.items() if key.startswith("on_maps.")}
    wanted = {key: value.shape for key, value in fresh.items()}
    if {key: value.shape for key, value in weights.items()} != wanted:
        raise InputError(
            f"The discriminators of {path} are of another shape",
            remedy="Set train.discriminator_width and two_frames to theirs, or name its checkpoint folder as init",
        )
    discriminators.load_state_dict(weights)


def read_state(path: Path, remedy: str, prefix: str = "") -> tuple[dict[str, str], dict[str, Tensor]]:
    """The metadata of a state file, and those of its tensors whose names begin with ``prefix``.

    Raises:
        InputError: it cannot be read, or is not a training state of this version; ``remedy`` is the advice.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118  # no mapping
            tensors = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path} cannot be read: {error}", remedy=remedy) from error
    if metadata.get("format") != FORMAT:
        raise InputError(f"{path} is not a training state of this version", remedy=remedy)
    return metadata, tensors


def _below(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {key.removeprefix(f"{name}/"): value for key, value in tensors.items() if key.startswith(f"{name}/")}


def _check_settings(path: Path, saved: JsonObject, wanted: JsonObject) -> None:
    different = sorted(key for key in saved | wanted if saved.get(key) != wanted.get(key))
    if different:
        changes = ", ".join(f"{key} was {saved.get(key)}, is {wanted.get(key)}" for key in different)
        raise InputError(
            f"{path} is of a run with other settings: {changes}",
            remedy="Set them back, or delete the file to train from the start",
        )
