"""Times of evaluate (``pytest benchmarks/test_evaluate_speed.py -s``): prints them; asserts ratios and memory.

Wall-clock times need a quiet machine. CPU seconds, printed beside them, say the same on a busy one: two quiet cores
take between half of them and all of them.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flythrough.evaluate.metrics.fid import Moments, Reference
from flythrough.evaluate.metrics.windows import sliding_distances

DIMENSION = 2048


def timed(call: Callable[[], Any]) -> tuple[float, float, Any]:
    """(wall-clock seconds, CPU seconds, what the call returned)."""
    wall, cpu = time.perf_counter(), time.process_time()
    found = call()
    return time.perf_counter() - wall, time.process_time() - cpu, found


def forget_peak() -> None:
    """Begin the peak again at what is held now, whatever was measured before in this process (Linux)."""
    Path("/proc/self/clear_refs").write_text("5")


def peak_gb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@pytest.fixture(scope="module")
def reference() -> Reference:
    random = np.random.default_rng(0)
    return Reference.of_features(random.normal(size=(5000, DIMENSION)).astype(np.float32))


def test_frechet_distance_at_2048_with_the_real_side_cached(reference: Reference) -> None:
    made = Moments.of(np.random.default_rng(1).normal(size=(4000, DIMENSION)).astype(np.float32))
    wall, cpu, _ = min(timed(lambda: reference.distance(made.mean, made.cov)) for _ in range(3))
    print(f"\nFrechet distance at {DIMENSION}: {wall:.2f} s, CPU {cpu:.2f} s")


@pytest.mark.timeout(1200)  # a busy machine takes long
def test_81_windows_of_100_steps_of_700_flights(reference: Reference) -> None:
    def steps() -> Iterator[np.ndarray]:
        for step in range(100):
            yield np.random.default_rng(step).standard_normal((700, DIMENSION), dtype=np.float32)

    forget_peak()
    wall, cpu, found = timed(lambda: list(sliding_distances(reference, steps(), 20)))
    print(f"\n{len(found)} windows: {wall:.0f} s, CPU {cpu:.0f} s, at most {peak_gb():.2f} GB")
    assert len(found) == 81
    assert peak_gb() < 4


def test_memory_is_flat_in_the_number_of_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from flythrough.evaluate.metrics.cache import cached_features
    from flythrough.evaluate.metrics.features import load_extractor

    monkeypatch.setenv("FLYTHROUGH_CACHE", str(tmp_path))
    extractor = load_extractor("lite0")
    images = np.random.default_rng(0).integers(0, 255, (32, 160, 256, 3), dtype=np.uint8)
    peaks = []
    for count in (512, 2048):  # the first fills what is read ahead
        forget_peak()
        cached_features(extractor, f"{count}", lambda index: images[index % len(images)], count)
        peaks.append(peak_gb())
    print(f"\nfeatures of 512 images: at most {peaks[0]:.3f} GB; of 2048: {peaks[1]:.3f} GB")
    assert peaks[1] < peaks[0] + 0.05  # 1536 more images at the input size are 0.9 GB in float32


def test_inception_against_torch_fidelity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as theirs

    from flythrough.evaluate.metrics.features import extract, load_extractor

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
    times = [(timed(their_loop)[0], timed(our_loop)[0]) for _ in range(3)]
    their, our = (min(column) for column in zip(*times, strict=True))
    print(f"\nInception, 32 images: torch-fidelity {their:.2f} s, ours {our:.2f} s, ratio {their / our:.2f}")
    assert their / our > 1
