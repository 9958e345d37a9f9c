"""Our own checkpoints: a folder with ``model.safetensors`` and ``model.json``. Nothing in it runs code when read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import torch

from flythrough.errors import ConfigError, InputError
from flythrough.workspace.files import JsonObject, publish, read_json, write_json

from .network import InfiniteNature

WEIGHTS, RECORD = "model.safetensors", "model.json"
FORMAT = "flythrough model 1"


def save_checkpoint(folder: Path, model: InfiniteNature, record: Mapping[str, object]) -> None:
    """Write a model and the record of its training into ``folder``; each file is replaced atomically.

    Raises:
        DiskError: the disk is full or not writable.
    """
    from safetensors.torch import save

    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    folder.mkdir(parents=True, exist_ok=True)
    with publish(folder / WEIGHTS) as scratch:
        scratch.write_bytes(save(tensors))
    write_json(folder / RECORD, {"format": FORMAT, "model": dataclasses.asdict(model.trained), **record})


def load_checkpoint(folder: Path) -> InfiniteNature:
    """Read a model, ready to fly: in evaluation mode, on the CPU, channels last (a fifth faster in bf16).

    Raises:
        InputError: the folder is not a checkpoint of ours, or its weights do not fit its record.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    folder = Path(folder)
    record = read_record(folder)
    remedy = "Give the checkpoint folder that flythrough train wrote"
    try:
        with torch.device("meta"):  # no memory yet: the record may say anything
            model = InfiniteNature(**record["model"])
        tensors = load_file(folder / WEIGHTS)
    except (LookupError, TypeError, ValueError, RuntimeError, ConfigError, OSError, SafetensorError) as error:
        raise InputError(f"{folder} cannot be read as a checkpoint: {error}", remedy=remedy) from error
    wanted = model.state_dict()
    wrong = sorted(n for n in wanted.keys() | tensors.keys() if _shape(wanted, n) != _shape(tensors, n))
    if wrong:
        raise InputError(
            f"{folder / WEIGHTS} is of another model than {RECORD} says: {len(wrong)} tensors differ, first {wrong[0]} "
            f"({_shape(tensors, wrong[0])}, not {_shape(wanted, wrong[0])})",
            remedy="Keep the two files of a checkpoint together",
        )
    model.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, assign=True)
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def read_record(folder: Path) -> JsonObject:
    """A checkpoint's record, ``model.json``.

    Raises:
        InputError: the folder is not a checkpoint of ours.
    """
    remedy = "Give the checkpoint folder that flythrough train wrote"
    path = Path(folder) / RECORD
    if not path.is_file():
        raise InputError(f"{folder} is not a checkpoint: it has no {RECORD}", remedy=remedy)
    try:
        record = read_json(path)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}", remedy=remedy) from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise InputError(f"{path} is not of this format ({FORMAT})", remedy=remedy)
    return record


def _shape(tensors: Mapping[str, torch.Tensor], name: str) -> list[int] | None:
    return list(tensors[name].shape) if name in tensors else None
