"""EfficientNet-Lite0 gives the same without torch as with it."""

from __future__ import annotations

import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from flythrough.networks import lite0, lite0_convert, lite0_onnx


def pictures() -> np.ndarray:
    """Two smooth pictures ``[2, 224, 224, 3]``."""
    small = torch.rand(2, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    large = torch.nn.functional.interpolate(small, (224, 224), mode="bicubic").clamp(0, 1)
    return (large * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()


def test_onnx_runtime_agrees_with_torch() -> None:
    images = pictures()
    with torch.inference_mode():
        expected = lite0.load()(lite0.prepare(torch.from_numpy(images).permute(0, 3, 1, 2).float())).softmax(-1)
    found = lite0_onnx.probabilities(images)
    np.testing.assert_allclose(found, expected.numpy(), atol=0.005)  # weights are stored as float16
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    assert abs(found[0] - found[1]).max() > 0.01  # each picture its own


def test_it_does_not_load_torch() -> None:
    code = (
        "import sys, numpy as np\nfrom flythrough.networks.lite0_onnx import probabilities\n"
        "probabilities(np.zeros((2, 224, 224, 3), np.uint8))\nprint('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


def test_a_weight_file_that_holds_code_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "evil.pth"
    torch.save({"weight": Path("/")}, file, _use_new_zipfile_serialization=False)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        lite0_convert.read_pth(file)


def test_the_file_is_what_its_script_makes() -> None:
    pytest.importorskip("onnx", reason="the extra export is not installed")
    made = lite0_convert.onnx_bytes(lite0_onnx.weights_file())
    assert abs(len(made) - lite0_onnx.FILE.stat().st_size) < 1000  # but for the words of another version of onnx


@pytest.mark.usefixtures("unchecked")
def test_other_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="uint8"):
        lite0_onnx.probabilities(np.zeros((1, 224, 224, 3), np.uint8))
