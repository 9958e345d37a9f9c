"""The release's checkpoint, written by TensorFlow itself, comes into our model variable by variable."""

from __future__ import annotations

import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch

import tests.golden.recipe as recipe
from flythrough.errors import InputError, MissingDependency
from flythrough.train.model.native import load_checkpoint, save_checkpoint
from flythrough.train.model.network import InfiniteNature
from flythrough.train.model.release import import_tensorflow, read_tensorflow, tensorflow_names

EXTRAS = {
    "global_step": np.array(6935893, np.int64),
    "generator/spade_encoder/conv_0/kernel/Adam": np.zeros((3, 3, 4, 16), np.float32),
    "discriminator/d_0/conv_0/kernel": np.ones((4, 4, 4, 64), np.float32),
}


def write(prefix: Path, variables: dict[str, np.ndarray]) -> Path:
    tf = pytest.importorskip("tensorflow", reason="tensorflow (extra tf) is not installed")
    names = sorted(variables)
    tf.raw_ops.SaveV2(
        prefix=str(prefix),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[variables[n] for n in names],
    )
    return prefix


@pytest.fixture(scope="module")
def release() -> dict[str, np.ndarray]:
    return {name: recipe.weight(name, shape) for name, shape in recipe.variables().items()}


@pytest.fixture(scope="module")
def checkpoint(release: dict[str, np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("release") / "model.ckpt-7", release | EXTRAS)


def test_every_variable_is_used_and_the_rest_named(checkpoint: Path, release: dict[str, np.ndarray]) -> None:
    told: list[str] = []
    model = import_tensorflow(checkpoint, tell=told.append)
    _, report = read_tensorflow(checkpoint)
    assert set(report.used) == set(release)
    assert set(report.skipped) == set(EXTRAS)
    assert report.missed == ()
    assert all(name in told[0] for name in [*release, *EXTRAS])
    assert sum(p.numel() for p in model.parameters()) == 35_852_596
    with torch.no_grad():
        mu, _ = model.encode(recipe.tensor(recipe.rgbd(0)))
    np.testing.assert_allclose(mu, recipe.golden("network")["mu"], atol=1e-4)


def test_each_tensor_lands_in_its_own_place(checkpoint: Path, release: dict[str, np.ndarray]) -> None:
    model = import_tensorflow(checkpoint)
    kernel = release["generator/spade_encoder/conv_2/kernel"]  # [3, 3, 32, 64]
    assert model.encoder.convs[2].weight[5, 7, 0, 2] == kernel[0, 2, 7, 5]
    beta = release["generator/spade_network_noenc/spade_generator/up_1/spade_1/beta/conv2d/kernel"]
    assert model.generator.up_1.spade_1.gamma_beta.weight[128 + 9, 3, 1, 0] == beta[1, 0, 3, 9]
    u = release["generator/spade_network_noenc/spade_generator/up_3/shortcut_conv/u"]
    assert torch.equal(model.generator.up_3.shortcut_conv.u, torch.from_numpy(u[0]))


def test_our_names_cover_the_release_once() -> None:
    names = [name for key in InfiniteNature().state_dict() for name in tensorflow_names(key)]
    assert sorted(names) == sorted(recipe.variables())


def test_a_wrong_checkpoint_is_refused_by_name(tmp_path: Path, release: dict[str, np.ndarray]) -> None:
    lost = "generator/spade_network_noenc/spade_generator/up_2/conv_1/bias"
    with pytest.raises(InputError, match=lost):
        import_tensorflow(write(tmp_path / "a", {k: v for k, v in release.items() if k != lost}))
    other = release | {lost: np.zeros(7, np.float32)}
    with pytest.raises(InputError, match=r"up_2/conv_1/bias \[7\], not \[64\]"):
        import_tensorflow(write(tmp_path / "b", other))
    with pytest.raises(InputError, match="not finite"):
        import_tensorflow(write(tmp_path / "c", release | {lost: np.full(64, np.nan, np.float32)}))
    with pytest.raises(InputError, match="missing"):
        import_tensorflow(write(tmp_path / "d", {"resnet/kernel": np.ones(3, np.float32)}))


def test_a_damaged_checkpoint_is_refused(tmp_path: Path, checkpoint: Path) -> None:
    for file in checkpoint.parent.iterdir():
        shutil.copy(file, tmp_path / file.name)
    (data,) = tmp_path.glob("*.data-*")
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(InputError, match="cannot be read"):
        import_tensorflow(tmp_path / checkpoint.name)
    with pytest.raises(InputError, match="no TensorFlow checkpoint"):
        import_tensorflow(tmp_path / "model.ckpt-8")


def test_without_tensorflow_the_extra_is_named(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingDependency, match=r"flythrough\[tf\]"):
        import_tensorflow(checkpoint)


def test_our_own_checkpoint_comes_back_and_another_is_refused(tmp_path: Path) -> None:
    model = InfiniteNature(64, 96, 4).eval()
    save_checkpoint(tmp_path / "a", model, {"step": 3})
    back = load_checkpoint(tmp_path / "a")
    assert back.config == model.config
    assert all(torch.equal(v, back.state_dict()[k]) for k, v in model.state_dict().items())
    assert not list(tmp_path.rglob("*.pkl")) + list(tmp_path.rglob("*.pt"))

    save_checkpoint(tmp_path / "b", InfiniteNature(64, 96, 8), {})
    shutil.copy(tmp_path / "b" / "model.safetensors", tmp_path / "a" / "model.safetensors")
    with pytest.raises(InputError, match="another model"):
        load_checkpoint(tmp_path / "a")


def test_reading_a_checkpoint_does_not_import_torchs_compiler(tmp_path: Path) -> None:
    """Which takes longer than the first picture."""
    save_checkpoint(tmp_path, InfiniteNature(64, 96, 4), {})
    code = f"""
        import pathlib, sys
        from flythrough.train.model.native import load_checkpoint
        load_checkpoint(pathlib.Path({str(tmp_path)!r}))
        sys.exit("torch._dynamo" in sys.modules)
    """
    assert subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False).returncode == 0
