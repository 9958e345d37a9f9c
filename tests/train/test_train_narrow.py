"""Models made narrow: exact where the wide one has no more directions, close where it has, and refused twice."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from flythrough.errors import InputError
from flythrough.scene.trained_on import TrainedOn, read_trained_on
from flythrough.train.cli import narrow
from flythrough.train.fly.shipped import shipped_checkpoint
from flythrough.train.loop import narrow as narrowing
from flythrough.train.loop.narrow import narrowed
from flythrough.train.model.layers import Spade
from flythrough.train.model.native import WEIGHTS, load_checkpoint, save_checkpoint
from flythrough.train.model.network import InfiniteNature

SIZE = 32, 64


def wide_model(*, narrow: bool = False) -> InfiniteNature:
    torch.manual_seed(4)
    return InfiniteNature(*SIZE, base_width=4, style_size=8, narrow=narrow).eval().requires_grad_(False)


def widened(model: InfiniteNature) -> InfiniteNature:
    """A wide model that is the same function as a narrow one."""
    result = InfiniteNature(**asdict(replace(model.trained, narrow=False))).eval().requires_grad_(False)
    mine = {name: value for name, value in model.state_dict().items() if ".gamma_beta.w" not in name}
    result.load_state_dict(mine, strict=False)
    for name, layer in model.named_modules():
        if isinstance(layer, Spade):
            assert layer.squeeze is not None
            both = torch.einsum("of,fihw->oihw", layer.gamma_beta.weight[..., 0, 0], layer.squeeze.weight)
            result.get_submodule(name).gamma_beta.weight.copy_(both)
    return result


def pictures(model: InfiniteNature, seed: int, count: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    rgbd = torch.rand(count, 4, *SIZE, generator=generator)
    mask = (torch.rand(count, 1, *SIZE, generator=generator) > 0.3).float()
    return model.refine(rgbd * mask, mask, torch.randn(count, 8, generator=generator))


def test_what_has_few_directions_anyway_stays_the_same() -> None:
    model = widened(wide_model(narrow=True))
    before = {name: value.clone() for name, value in model.state_dict().items()}

    def fly() -> None:
        for seed in range(3):
            pictures(model, seed, 4)

    result = narrowed(model, fly)
    assert result.trained == replace(model.trained, narrow=True)
    torch.testing.assert_close(pictures(result, 9), pictures(model, 9), atol=1e-4, rtol=0)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_directions_kept_are_those_that_vary() -> None:
    """Random ones, as many, change the pictures far more."""
    model = wide_model()

    def fly() -> None:
        pictures(model, 1, 8)

    result, wanted = narrowed(model, fly), pictures(model, 1, 8)
    off = float((pictures(result, 1, 8) - wanted).square().mean())
    torch.manual_seed(0)
    for layer in result.modules():
        if isinstance(layer, Spade):
            assert layer.squeeze is not None
            basis = torch.linalg.qr(torch.randn(2 * layer.channels, layer.squeeze.out_channels)).Q
            full = torch.einsum("of,fihw->oihw", layer.gamma_beta.weight[..., 0, 0], layer.squeeze.weight)
            layer.squeeze.weight.copy_(torch.einsum("of,oihw->fihw", basis, full))
            layer.gamma_beta.weight.copy_(basis[..., None, None])
    assert off < 0.2 * float((pictures(result, 1, 8) - wanted).square().mean())


def test_a_flight_that_fails_leaves_the_model_as_it_was() -> None:
    model = wide_model()

    def fails() -> None:
        raise RuntimeError("no fuel")

    with pytest.raises(RuntimeError, match="no fuel"):
        narrowed(model, fails)
    assert not any(layer.gamma_beta._forward_hooks for layer in model.modules() if isinstance(layer, Spade))


def test_the_command_writes_a_checkpoint_with_its_record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(narrowing, "ISLANDS", 1)
    monkeypatch.setattr(narrowing, "STEPS", 2)
    save_checkpoint(tmp_path / "wide", wide_model(), {"step": 5, "settings": {"seed": 1}})
    TrainedOn({}, frozenset(), frozenset([100_007])).write(tmp_path / "wide")
    narrow(tmp_path / "wide", tmp_path / "narrow")
    record = json.loads((tmp_path / "narrow" / "model.json").read_text())
    assert (record["step"], record["settings"], record["model"]["narrow"]) == (5, {"seed": 1}, True)
    assert record["narrowed"] == {"islands": 1, "steps": 2}
    assert read_trained_on(tmp_path / "narrow") == read_trained_on(tmp_path / "wide")
    assert np.isfinite(pictures(load_checkpoint(tmp_path / "narrow"), 0).numpy()).all()
    size = [(tmp_path / name / WEIGHTS).stat().st_size for name in ("narrow", "wide")]
    assert size[0] < 0.5 * size[1]
    with pytest.raises(InputError, match="narrow already"):
        narrow(tmp_path / "narrow", tmp_path / "again")
    with pytest.raises(InputError, match="is not a checkpoint"):
        narrow(tmp_path, tmp_path / "again")


def test_the_packages_model_is_narrow() -> None:
    assert load_checkpoint(shipped_checkpoint()).trained.narrow
