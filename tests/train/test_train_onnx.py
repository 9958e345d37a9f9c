"""The exported ONNX files against PyTorch: the shipped model, other sizes, odd sides, float16 weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from flythrough.train.cli import onnx as write_onnx
from flythrough.train.fly.onnx_model import ENCODER, GENERATOR, export_onnx, read_metadata
from flythrough.train.fly.page.gallery import read_island
from flythrough.train.fly.shipped import NAME, shipped_checkpoint
from flythrough.train.model.native import load_checkpoint
from flythrough.train.model.network import InfiniteNature, ground

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'flythrough[export]'")
runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed: pip install onnxruntime")


def answer(file: Path, **inputs: torch.Tensor) -> list[np.ndarray]:
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: value.numpy() for name, value in inputs.items()})


def furthest(model: InfiniteNature, folder: Path, rgbd: torch.Tensor, capsys: Any) -> tuple[float, float]:
    """The largest differences of the style's figures, and of the refined pictures, on a half-seen render."""
    mask = (torch.rand(len(rgbd), 1, *rgbd.shape[2:], generator=torch.Generator().manual_seed(1)) > 0.3).float()
    with torch.inference_mode():
        style, log_variance = model.encode(rgbd)
        wanted = ground(model.refine(rgbd * mask, mask, style), rgbd * mask, mask)
    mean, spread = answer(folder / ENCODER, rgbd=rgbd)
    (got,) = answer(folder / GENERATOR, rendered=rgbd * mask, mask=mask, style=style)
    assert got.shape == wanted.shape
    off = max(np.abs(mean - style.numpy()).max(), np.abs(spread - log_variance.numpy()).max())
    far = np.abs(got - wanted.numpy()).max()
    with capsys.disabled():
        print(f"\n  {folder.name}: style differs by up to {off:.1e}, pictures by up to {far:.1e}")
    return float(off), float(far)


def test_the_shipped_model_by_the_command(tmp_path: Path, capsys: Any) -> None:
    model = load_checkpoint(shipped_checkpoint())
    height, width = model.config.height, model.config.width
    rgbd = torch.from_numpy(np.stack([read_island(seed, height, width).rgbd for seed in (9000, 9001)]))
    for name, half, tolerance in (("float32", False, 1e-5), ("float16", True, 2e-3)):
        write_onnx(tmp_path / name, None, "", half)
        assert max(furthest(model, tmp_path / name, rgbd, capsys)) < tolerance
        about = read_metadata(tmp_path / name / GENERATOR)
        assert about["name"] == NAME
        assert about["weights"] == name
        assert (int(about["width"]), int(about["height"])) == (width, height)
        assert float(about["max_sobel"]) == model.config.max_sobel
    sizes = [(tmp_path / name / GENERATOR).stat().st_size for name in ("float16", "float32")]
    assert sizes[0] < 0.51 * sizes[1]


@pytest.mark.parametrize(("size", "keep", "batch"), [((32, 64), 0.0, 1), ((96, 64), 0.4, 3)])
def test_another_size_and_a_model_that_keeps(
    tmp_path: Path, capsys: Any, size: tuple[int, int], keep: float, batch: int
) -> None:
    torch.manual_seed(3)
    model = InfiniteNature(32, 64, base_width=4, style_size=8, keep=keep).eval().at_size(*size)
    export_onnx(model, tmp_path, "small")
    assert max(furthest(model, tmp_path, torch.rand(batch, 4, *size), capsys)) < 1e-4
