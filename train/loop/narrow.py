"""A trained model made narrow: SPADE's scale and shift from fewer channels, for about half the work and size."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from flythrough.errors import InputError
from flythrough.scene.autopilot import Autopilot
from flythrough.scene.trained_on import read_trained_on

from ..data.islands import FIRST_SEED
from ..fly.page.gallery import film_island, read_island
from ..fly.rollout import fly
from ..model.layers import Spade
from ..model.native import load_checkpoint, read_record, save_checkpoint
from ..model.network import InfiniteNature

ISLANDS, STEPS = 12, 25  # flights to measure a model's layers on, and the length of each


def narrow_checkpoint(checkpoint: Path, folder: Path) -> InfiniteNature:
    """Write a checkpoint's model, made narrow, as a float16 checkpoint; returns the model, as written.

    To measure its layers, the model flies :data:`STEPS` steps on each of the first :data:`ISLANDS` training islands.

    Args:
        checkpoint: folder of a checkpoint that is not narrow.
        folder: checkpoint folder to write.

    Raises:
        InputError: ``checkpoint`` is none of ours, or is narrow already.
        DiskError: the disk is full or not writable.
    """
    model = load_checkpoint(checkpoint)
    record = {name: value for name, value in read_record(checkpoint).items() if name not in ("format", "model")}
    result = narrowed(model, partial(fly_over_islands, model)).half()
    save_checkpoint(folder, result, record | {"narrowed": {"islands": ISLANDS, "steps": STEPS}})
    if (history := read_trained_on(checkpoint)) is not None:
        history.write(folder)
    return result


def fly_over_islands(model: InfiniteNature) -> None:
    """Fly from each of the first training islands by autopilot."""
    height, width = model.config.height, model.config.width
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(FIRST_SEED, FIRST_SEED + ISLANDS):
            film_island(seed, Path(folder))
            start = read_island(seed, height, width, Path(folder))
            pilot = Autopilot.from_start(start.rgbd[3], start.intrinsics)
            for _ in fly(model, torch.from_numpy(start.rgbd), start.intrinsics, pilot, STEPS):
                pass


def narrowed(model: InfiniteNature, fly: Callable[[], None]) -> InfiniteNature:
    """A narrow model whose pictures are close to those of ``model``, which stays as it is.

    Each layer's scale and shift are projected to the few directions in which they vary most while ``model`` flies: the
    principal components of its outputs, over all pixels. Nothing is trained.

    Args:
        model: in evaluation mode, not narrow.
        fly: flies ``model`` over pictures of the kind that it is for; a few hundred steps suffice.

    Raises:
        InputError: ``model`` is narrow already.
    """
    if model.trained.narrow:
        raise InputError("The model is narrow already", remedy="Give the one it was made of")
    wide = {name: layer for name, layer in model.named_modules() if isinstance(layer, Spade)}
    seen = {name: _Moments() for name in wide}
    hooks = [layer.gamma_beta.register_forward_hook(partial(_note, seen[name])) for name, layer in wide.items()]
    try:
        fly()
    finally:
        for hook in hooks:
            hook.remove()
    result = InfiniteNature(**asdict(replace(model.trained, narrow=True))).eval().requires_grad_(False)
    kept = {name: value for name, value in model.state_dict().items() if ".gamma_beta." not in name}
    result.load_state_dict(kept, strict=False)
    for name, layer in wide.items():
        _project(layer, result.get_submodule(name), seen[name])
    return result


class _Moments:
    """Sums over pixels of a layer's outputs and of their products."""

    def __init__(self) -> None:
        self.pixels = 0
        self.total: Tensor | float = 0.0
        self.products: Tensor | float = 0.0

    def principal(self) -> tuple[Tensor, Tensor]:
        """Mean ``[channels]``, and the directions of largest variance first, as columns ``[channels, channels]``."""
        mean = torch.as_tensor(self.total / self.pixels)
        variance = self.products / self.pixels - torch.outer(mean, mean)
        return mean, torch.linalg.eigh(variance).eigenvectors.flip(1)


def _note(moments: _Moments, layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    pixels = output.detach().double().movedim(1, -1).flatten(0, -2)
    moments.pixels += len(pixels)
    moments.total = moments.total + pixels.sum(0)
    moments.products = moments.products + pixels.T @ pixels


def _project(wide: Spade, narrow: nn.Module, moments: _Moments) -> None:
    """Give a narrow layer the weights with which it makes the projection of what ``wide`` makes."""
    assert isinstance(narrow, Spade)
    assert narrow.squeeze is not None
    assert narrow.gamma_beta.bias is not None
    assert wide.gamma_beta.bias is not None
    mean, directions = moments.principal()
    basis = directions[:, : narrow.squeeze.out_channels]
    weight, bias = wide.gamma_beta.weight.double(), wide.gamma_beta.bias.double()
    with torch.no_grad():
        narrow.squeeze.weight.copy_(torch.einsum("of,oihw->fihw", basis, weight))
        narrow.gamma_beta.weight.copy_(basis[..., None, None])
        narrow.gamma_beta.bias.copy_(mean + basis @ (basis.T @ (bias - mean)))
