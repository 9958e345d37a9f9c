"""The authors' TensorFlow checkpoint, read by variable name into our model.

Our own checkpoints, safetensors and JSON, are in :mod:`.native`; both readers are exported here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flythrough.errors import InputError, MissingDependency

from .native import load_checkpoint
from .network import InfiniteNature

__all__ = ["Report", "assemble", "import_tensorflow", "load_checkpoint", "read_tensorflow"]

ENCODER = "generator/spade_encoder"
GENERATOR = "generator/spade_network_noenc/spade_generator"


@dataclass(frozen=True)
class Report:
    """Which variables of a checkpoint were used, skipped or missing, by name, sorted.

    Attributes:
        used: read into the model.
        skipped: in the checkpoint, but not part of the model: optimiser state, discriminators, counters.
        missed: needed by the model, but not in the checkpoint; empty if a model was returned.
    """

    used: tuple[str, ...]
    skipped: tuple[str, ...]
    missed: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{len(self.used)} variables used, {len(self.skipped)} skipped, {len(self.missed)} missed"]
        for what in ("used", "skipped", "missed"):
            lines += [f"  {what:8}{name}" for name in getattr(self, what)]
        return "\n".join(lines)


def import_tensorflow(prefix: Path | str, *, tell: Callable[[str], None] | None = None) -> InfiniteNature:
    """The release's model, from its checkpoint; in evaluation mode.

    Args:
        prefix: of the checkpoint's files, such as ``ckpt/model.ckpt-6935893``.
        tell: called with the report of every variable used, skipped and missed, before anything is refused.

    Raises:
        MissingDependency: tensorflow is not installed.
        InputError: no such checkpoint, damaged, or of another model; the message names what does not fit.
    """
    model, report = read_tensorflow(prefix)
    if tell is not None:
        tell(str(report))
    if model is None:
        raise InputError(
            f"{prefix} is not a checkpoint of Infinite Nature: {len(report.missed)} of its variables are missing, "
            f"such as {_some(report.missed)}",
            remedy="Give the prefix of the release's checkpoint: flythrough weights fetch infinite-nature",
        )
    return model


def read_tensorflow(prefix: Path | str) -> tuple[InfiniteNature | None, Report]:
    """As :func:`import_tensorflow`, with its report; the model is ``None`` if variables are missing.

    Raises:
        MissingDependency, InputError: as there.
    """
    reader, shapes = _open(Path(prefix))
    return assemble(shapes, reader.get_tensor, str(prefix))


def assemble(
    shapes: Mapping[str, list[int]], get: Callable[[str], np.ndarray], origin: str
) -> tuple[InfiniteNature | None, Report]:
    """The release's model from its variables, wherever they are; ``None`` if some are missing.

    Args:
        shapes: of every variable there is, by name.
        get: a variable's value.
        origin: where they are from, for messages.

    Raises:
        InputError: a variable has another shape, or values that are not finite.
    """
    model = InfiniteNature()
    state = model.state_dict()
    wanted = {key: tensorflow_names(key) for key in state}
    names = {name for group in wanted.values() for name in group}
    report = Report(
        used=tuple(sorted(names & shapes.keys())),
        skipped=tuple(sorted(shapes.keys() - names)),
        missed=tuple(sorted(names - shapes.keys())),
    )
    if report.missed:
        return None, report
    wrong = [problem for key, group in wanted.items() for problem in _misfits(group, state[key], shapes)]
    if wrong:
        raise InputError(
            f"{origin} is of another model: {len(wrong)} of its variables have another shape, such as {_some(wrong)}",
            remedy="Give the checkpoint of the 160 x 256 release",
        )
    for key, group in wanted.items():
        values = [np.asarray(get(name)) for name in group]
        broken = [name for name, value in zip(group, values, strict=True) if not _is_number(value)]
        if broken:
            raise InputError(f"{origin}: {broken[0]} has values that are not finite", remedy="Fetch it again")
        state[key] = torch.cat([_to_torch(value, key) for value in values])
    model.load_state_dict(state)
    return model.eval().to(memory_format=torch.channels_last), report


def tensorflow_names(key: str) -> list[str]:
    """The release's names of one of our tensors: one, or two where we joined gamma and beta."""
    network, *path, leaf = key.split(".")
    leaf = {"weight": "kernel"}.get(leaf, leaf)
    if network == "encoder":
        layer = f"conv_{path[1]}" if path[0] == "convs" else f"{path[0]}/dense"
        return [f"{ENCODER}/{layer}/{leaf}"]
    if path == ["linear"]:
        return [f"{GENERATOR}/linear/dense/{leaf}"]
    if path[-1] == "gamma_beta":
        return [f"{GENERATOR}/{'/'.join(path[:-1])}/{each}/conv2d/{leaf}" for each in ("gamma", "beta")]
    inner = "/conv2d" if path[-1] == "conv_cond" else ""
    return [f"{GENERATOR}/{'/'.join(path)}{inner}/{leaf}"]


def _to_torch(value: np.ndarray, key: str) -> Tensor:
    """TensorFlow's layout to ours: kernels [kh, kw, in, out] or [in, out] become [out, in, ...], u loses its row."""
    tensor = torch.from_numpy(np.ascontiguousarray(value, dtype=np.float32))
    if key.endswith(".u"):
        return tensor[0]
    return tensor.permute(3, 2, 0, 1) if tensor.ndim == 4 else tensor.T if tensor.ndim == 2 else tensor


def _misfits(names: list[str], ours: Tensor, shapes: Mapping[str, list[int]]) -> Iterator[str]:
    for name in names:
        shape = list(ours.shape)
        shape[0] //= len(names)
        if name.endswith("/u"):
            shape = [1, *shape]
        elif len(shape) == 4:
            shape = [shape[2], shape[3], shape[1], shape[0]]
        elif len(shape) == 2:
            shape = shape[::-1]
        if shapes[name] != shape:
            yield f"{name} {shapes[name]}, not {shape}"


def _is_number(value: np.ndarray) -> bool:
    return value.dtype.kind == "f" and bool(np.isfinite(value).all())


def _some(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _open(prefix: Path) -> tuple[Any, dict[str, list[int]]]:
    """TensorFlow's reader of a checkpoint, and the shape of every variable in it."""
    if not prefix.with_name(prefix.name + ".index").is_file():
        raise InputError(
            f"There is no TensorFlow checkpoint {prefix}: {prefix.name}.index is missing",
            remedy="Give the path without .index or .data-..., such as ckpt/model.ckpt-6935893",
        )
    try:
        import tensorflow as tf
    except ImportError as error:
        raise MissingDependency(
            "Reading a TensorFlow checkpoint needs tensorflow", remedy="Install it: pip install 'flythrough[tf]'"
        ) from error
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        return _Guarded(reader, prefix), dict(reader.get_variable_to_shape_map())
    except (tf.errors.OpError, ValueError, RuntimeError) as error:
        raise _damaged(prefix, error) from error


class _Guarded:
    """A checkpoint reader whose errors have a remedy."""

    def __init__(self, reader: Any, prefix: Path) -> None:
        self._reader, self._prefix = reader, prefix

    def get_tensor(self, name: str) -> Any:
        try:
            return self._reader.get_tensor(name)
        except Exception as error:  # TensorFlow raises its own kinds, which differ from version to version
            raise _damaged(self._prefix, error) from error


def _damaged(prefix: Path, error: Exception) -> InputError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    return InputError(f"{prefix} cannot be read: {reason}", remedy="Fetch or copy all of its files again")
