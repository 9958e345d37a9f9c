"""How time passes in a shot: frames that repeat, and light that flickers as in a time-lapse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SAME = 0.1  # grey levels; frames that differ by less, in the mean, repeat: the next coded frame was empty
LEAST = 8  # frames, below which neither says anything


class Change(NamedTuple):
    """A frame's mean brightness, and its mean difference to the frame before; grey levels."""

    brightness: float
    difference: float


def pace_measures(changes: Sequence[Change]) -> dict[str, float]:
    """Figures of the frames of one shot, in order; none for very short shots.

    Returns:
        ``repeated``: share of frames that repeat the one before. Footage slowed or converted by repetition has it, and
        so have screens and still pictures. ``flicker``: how much the brightness jumps to and fro from frame to frame
        (median of its second difference), over the median difference of frames. Each picture of a time-lapse is
        exposed by itself, so its light flickers more than anything moves.
    """
    if len(changes) < LEAST:
        return {}
    brightness, difference = np.array(changes).T
    inside = difference[1:]  # the first frame's is to the shot before
    jumps = np.median(np.abs(np.diff(brightness, 2)))
    return {"repeated": float((inside < SAME).mean()), "flicker": float(jumps / max(np.median(inside), SAME))}
