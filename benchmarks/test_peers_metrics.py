"""Distances and features against torch-fidelity, pytorch-fid, clean-fid and lpips, from the same data; values agree."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.side_by_side import QUICK, Peer, Row, side_by_side
from flythrough.evaluate.metrics.features import load_extractor
from flythrough.evaluate.metrics.fid import Reference, kid
from flythrough.evaluate.metrics.images import Lpips, lpips_model

IMAGES, DIMENSION = 2000, 1280 if QUICK else 2048
SUBSETS = 5 if QUICK else 100
ROUNDS = 3


def close(relative: float) -> Any:
    return lambda ours, theirs: ours == pytest.approx(theirs, rel=relative)


@pytest.fixture(scope="module")
def sets() -> list[np.ndarray]:
    random = np.random.default_rng(0)
    mixing = random.normal(size=(DIMENSION, DIMENSION)) / DIMENSION**0.5
    return [(random.normal(size=(IMAGES, DIMENSION)) @ mixing + k / 20).astype(np.float32) for k in (0, 1)]


@pytest.mark.timeout(1200)
def test_frechet_distance(benchmark: Any, sets: list[np.ndarray]) -> None:
    tensors = [torch.from_numpy(each) for each in sets]

    def moments() -> list[np.ndarray]:
        return [value for each in sets for value in (each.mean(0), np.cov(each, rowvar=False))]

    def fidelity() -> float:
        from torch_fidelity.metric_fid import fid_features_to_statistics, fid_statistics_to_metric

        first, second = (fid_features_to_statistics(each) for each in tensors)
        (value,) = fid_statistics_to_metric(first, second, False).values()
        return float(value)

    def pytorch_fid() -> float:
        from pytorch_fid.fid_score import calculate_frechet_distance

        return float(calculate_frechet_distance(*moments()))

    def clean_fid() -> float:
        from cleanfid.fid import frechet_distance

        return float(frechet_distance(*moments()))

    row = Row(f"FID of {IMAGES} and {IMAGES} features, {DIMENSION} numbers each", "the distance, to 0.1 %", close(1e-3))
    peers = [
        Peer("torch-fidelity", fidelity, "torch_fidelity"),
        Peer("pytorch-fid", pytorch_fid, "pytorch_fid"),
        Peer("clean-fid", clean_fid, "cleanfid"),
    ]
    side_by_side(benchmark, row, lambda: Reference.of_features(sets[0]).distance_of(sets[1]), peers, ROUNDS)


@pytest.mark.timeout(1200)
def test_kernel_distance(benchmark: Any, sets: list[np.ndarray]) -> None:
    sets = [each[:1000] for each in sets]
    tensors = [torch.from_numpy(each) for each in sets]

    def fidelity() -> float:
        from torch_fidelity.metric_kid import kid_features_to_metric

        values = kid_features_to_metric(*tensors, kid_subsets=SUBSETS, kid_subset_size=1000, verbose=False)
        return float(values["kernel_inception_distance_mean"])

    def clean_fid() -> float:
        from cleanfid.fid import kernel_distance

        return float(kernel_distance(*sets, num_subsets=SUBSETS, max_subset_size=1000))

    row = Row(
        f"KID of 1000 and 1000 features, {DIMENSION} numbers each, {SUBSETS} subsets of 1000",
        "the distance, to 0.1 %",
        close(1e-3),
        "ours computes in float64, the peers in float32. Each subset is all 1000, so that all draw the same.",
    )
    peers = [Peer("torch-fidelity", fidelity, "torch_fidelity"), Peer("clean-fid", clean_fid, "cleanfid")]
    side_by_side(benchmark, row, lambda: kid(sets[0], sets[1], subsets=SUBSETS).mean, peers, ROUNDS)


@pytest.mark.timeout(1200)
def test_inception_features(benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random weights in the real layout, the same for both: the time is that of the real ones."""
    from torch_fidelity import feature_extractor_inceptionv3 as package

    monkeypatch.setattr(package, "load_state_dict_from_url", lambda *_, **__: {})
    load = package.FeatureExtractorInceptionV3.load_state_dict
    monkeypatch.setattr(package.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
    network = package.FeatureExtractorInceptionV3("x", ["2048"])
    monkeypatch.setattr(package.FeatureExtractorInceptionV3, "load_state_dict", load)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    extractor = load_extractor("inception", weights=tmp_path / "weights.pth")
    images = np.random.default_rng(0).integers(0, 255, (8, 160, 256, 3), dtype=np.uint8)

    def fidelity() -> np.ndarray:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(images).permute(0, 3, 1, 2).contiguous())[0])

    row = Row(
        f"Inception features of {len(images)} pictures, 256 x 160",
        "every feature, to 0.1 % of the largest",
        lambda a, b: bool(np.abs(a - b).max() < 1e-3 * np.abs(b).max()),
        "random weights in the real layout.",
    )
    side_by_side(
        benchmark, row, lambda: extractor(images), [Peer("torch-fidelity", fidelity, "torch_fidelity")], ROUNDS
    )


@pytest.mark.timeout(1200)
def test_lpips(benchmark: Any, tmp_path: Path) -> None:
    """A random trunk, the same for both: the time is that of the real one."""
    import torchvision

    state = torchvision.models.alexnet(weights=None).state_dict()
    torch.save({k: v for k, v in state.items() if k.startswith("features.")}, tmp_path / "trunk.pth")
    ours, theirs = Lpips("alex", tmp_path / "trunk.pth"), lpips_model("alex")
    theirs.net.load_state_dict(ours.model.net.state_dict())
    pictures = np.random.default_rng(0).integers(0, 255, (16, 160, 256, 3), dtype=np.uint8)

    def package() -> list[float]:
        pair = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 255
        with torch.inference_mode():
            return [float(theirs(pair[k : k + 1], pair[k + 1 : k + 2], normalize=True)) for k in range(0, len(pair), 2)]

    row = Row(
        "LPIPS (AlexNet) of 8 pairs, 256 x 160",
        "every distance, to 0.1 %",
        close(1e-3),
        "the package's own network in our wrapper, so 1 is what to expect; random weights in its trunk.",
    )
    peers = [Peer("lpips", package, "lpips")]
    side_by_side(benchmark, row, lambda: [ours(*pictures[k : k + 2]) for k in range(0, 16, 2)], peers, rounds=5)
