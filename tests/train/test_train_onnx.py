"""The exported ONNX files against PyTorch: the shipped model, other sizes, odd sides, float16 weights."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from flythrough.scene.autopilot import Autopilot
from flythrough.train.cli import onnx as write_onnx
from flythrough.train.fly.onnx_model import ENCODER, GENERATOR, export_onnx
from flythrough.train.fly.page.gallery import read_still
from flythrough.train.fly.rollout import fly
from flythrough.train.fly.runtime import fast
from flythrough.train.fly.shipped import NAME, shipped_checkpoint
from flythrough.train.model.native import load_checkpoint
from flythrough.train.model.network import InfiniteNature, ground

pytest.importorskip("onnx", reason="onnx is not installed: pip install 'flythrough[train]'")


def answer(file: Path, **inputs: torch.Tensor) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    return session.run(None, {name: value.numpy() for name, value in inputs.items()})


def furthest(model: InfiniteNature, folder: Path, rgbd: torch.Tensor, capsys: Any) -> tuple[float, float]:
    """The largest differences of the style's figures, and of the refined pictures, on a half-seen render.

    To PyTorch in float64: in float32 its own rounding, which depends on the processor, is often the larger part.
    """
    mask = (torch.rand(len(rgbd), 1, *rgbd.shape[2:], generator=torch.Generator().manual_seed(1)) > 0.3).float()
    exact = copy.deepcopy(model).double()
    with torch.inference_mode():
        style, log_variance = exact.encode(rgbd.double())
        style = style.float()  # what the file is given
        seen = (rgbd * mask).double()
        wanted = ground(exact.refine(seen, mask.double(), style.double()), seen, mask.double())
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
    rgbd = torch.from_numpy(np.stack([read_still(name, height, width).rgbd for name in ("island-9000", "island-9001")]))
    for name, half, tolerance in (("float32", False, 1e-5), ("float16", True, 2e-3)):
        write_onnx(tmp_path / name, None, "", half)
        assert max(furthest(model, tmp_path / name, rgbd, capsys)) < tolerance
        session = onnxruntime.InferenceSession(tmp_path / name / GENERATOR, providers=["CPUExecutionProvider"])
        about = session.get_modelmeta().custom_metadata_map
        assert about["name"] == NAME
        assert about["weights"] == name
        assert (int(about["width"]), int(about["height"])) == (width, height)
        assert float(about["max_sobel"]) == model.config.max_sobel
    sizes = [(tmp_path / name / GENERATOR).stat().st_size for name in ("float16", "float32")]
    assert sizes[0] < 0.51 * sizes[1]


@pytest.mark.parametrize(("size", "keep", "batch"), [((32, 64), 0.0, 1), ((96, 64), 0.4, 3)])
@pytest.mark.parametrize(("narrow", "bilinear"), [(True, True), (False, False)])
def test_another_size_and_a_model_that_keeps(
    tmp_path: Path, capsys: Any, size: tuple[int, int], keep: float, batch: int, narrow: bool, bilinear: bool
) -> None:
    torch.manual_seed(3)
    small = InfiniteNature(32, 64, base_width=4, style_size=8, keep=keep, narrow=narrow, bilinear=bilinear)
    model = small.eval().at_size(*size)
    export_onnx(model, tmp_path, "small")
    assert max(furthest(model, tmp_path, torch.rand(batch, 4, *size), capsys)) < 1e-4


def flown(model: InfiniteNature, steps: int) -> np.ndarray:
    start = read_still("island-9000", model.config.height, model.config.width)
    pilot = Autopilot(start.intrinsics)
    flight = fly(model, torch.from_numpy(start.rgbd), start.intrinsics, pilot, steps)
    return np.stack([rgbd.numpy() for rgbd in flight])


def test_a_flight_on_the_runtime_shows_what_pytorch_shows() -> None:
    model = load_checkpoint(shipped_checkpoint())
    faster = fast(model)
    assert faster.finish is not None
    assert model.finish is None
    assert fast(faster) is faster
    off = np.sqrt(((flown(faster, 4) - flown(model, 4)) ** 2).mean((1, 2, 3)))
    assert off[0] < 1e-5
    assert off.max() < 5e-3  # a triangle at an edge of depth may fall to the other side, and change single pixels


def test_the_runtime_at_another_size_and_where_it_has_no_say() -> None:
    torch.manual_seed(3)
    model = InfiniteNature(32, 64, base_width=4, style_size=8, keep=0.4).eval()
    faster = fast(model)
    assert faster.at_size(64, 64).finish is None, "it was made for one size"
    larger = model.at_size(64, 96)
    assert np.abs(flown(fast(larger), 1) - flown(larger, 1)).max() < 1e-4
    double = InfiniteNature(32, 64, base_width=4, style_size=8).double().eval()
    assert fast(double) is double


def test_without_the_package_onnx_pytorch_flies(monkeypatch: pytest.MonkeyPatch) -> None:
    model = InfiniteNature(32, 64, base_width=4, style_size=8).eval()
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert fast(model) is model
