"""Times of evaluate (``pytest benchmarks/test_evaluate_speed.py -s``): prints them; asserts ratios and memory."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from flythrough.evaluate.fid import Moments, Reference
from flythrough.evaluate.windows import sliding_distances

DIMENSION = 2048


def seconds(call) -> tuple[float, object]:  # type: ignore[no-untyped-def]
    began = time.perf_counter()
    found = call()
    return time.perf_counter() - began, found


@pytest.fixture(scope="module")
def reference() -> Reference:
    random = np.random.default_rng(0)
    return Reference.of_features(random.normal(size=(5000, DIMENSION)).astype(np.float32))


def test_frechet_distance_at_2048_with_the_real_side_cached(reference: Reference) -> None:
    made = Moments.of(np.random.default_rng(1).normal(size=(4000, DIMENSION)).astype(np.float32))
    took, _ = seconds(lambda: reference.distance(made.mean, made.cov))
    print(f"\nFrechet distance at {DIMENSION}: {took:.2f} s")


def test_81_windows_of_100_steps_of_700_flights(reference: Reference) -> None:
    def steps() -> Iterator[np.ndarray]:
        for step in range(100):
            yield np.random.default_rng(step).standard_normal((700, DIMENSION), dtype=np.float32)

    took, found = seconds(lambda: list(sliding_distances(reference, steps(), 20)))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\n{len(found)} windows: {took:.0f} s, at most {memory:.2f} GB")  # type: ignore[arg-type]
    assert len(found) == 81  # type: ignore[arg-type]
    assert memory < 4


def test_inception_against_torch_fidelity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from flythrough.evaluate.features import extract, load_extractor
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    monkeypatch.setattr(theirs, "load_state_dict_from_url", lambda *_, **__: {})
    load = theirs.FeatureExtractorInceptionV3.load_state_dict
    monkeypatch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
    network = theirs.FeatureExtractorInceptionV3("x", ["2048"])
    monkeypatch.setattr(theirs.FeatureExtractorInceptionV3, "load_state_dict", load)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    ours = load_extractor("inception", weights=tmp_path / "weights.pth")
    images = np.random.default_rng(0).integers(0, 255, (32, 128, 128, 3), dtype=np.uint8)

    def their_loop() -> None:
        with torch.inference_mode():
            for batch in torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().split(16):
                network(batch)

    def our_loop() -> None:
        for _ in extract(ours, images.__getitem__, len(images), 16):
            pass

    their_loop(), our_loop()
    times = [(seconds(their_loop)[0], seconds(our_loop)[0]) for _ in range(3)]
    their, our = (min(column) for column in zip(*times, strict=True))
    print(f"\nInception, 32 images: torch-fidelity {their:.2f} s, ours {our:.2f} s, ratio {their / our:.2f}")
    assert their / our > 1
