"""Depth networks: sizes and device, and the errors if the library or the network is missing."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from flythrough.errors import FlythroughError, MissingDependency, MissingWeights
from flythrough.networks import depth


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A DPT network with a few random weights, as ``save_pretrained`` writes it."""
    transformers = pytest.importorskip("transformers", reason="the extra depth is not installed")
    path = tmp_path_factory.mktemp("dpt")
    settings = transformers.DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8, 8, 8, 8], fusion_hidden_size=8, is_hybrid=False,
    )  # fmt: skip
    transformers.DPTForDepthEstimation(settings).save_pretrained(path)
    transformers.DPTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(path)
    return path


def test_inverse_depth_has_the_size_of_the_picture(folder: Path) -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 72, 3), dtype=np.uint8)
    network = depth.DepthNetwork(folder, "cpu")
    found = network(image)
    assert found.shape == (40, 72)
    assert found.dtype == np.float32
    assert np.array_equal(found, network(image))


def test_a_folder_without_a_network_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FlythroughError, match=tmp_path.name):
        depth.DepthNetwork(tmp_path, "cpu")


def test_without_the_library_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingDependency) as raised:
        depth.DepthNetwork(tmp_path, "cpu")
    assert "flythrough[depth]" in raised.value.remedy


@pytest.mark.parametrize("name", depth.NETWORKS)
def test_without_weights_the_command_that_fetches_them_is_named(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLYTHROUGH_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingWeights) as raised:
        depth.load(name)
    assert f"flythrough weights fetch {name}" in raised.value.remedy
