"""Revisits: does a method that flies out and back on one path show its start frame again?"""

from __future__ import annotations

from collections.abc import Callable

from flythrough.results.metrics import names

from ..generation.frames import Frames
from ..generation.generate import REVISIT
from ..metrics.images import Image
from ..protocols.source import Source
from .tally import Tally

Measure = Callable[[Image, Image], float]


def measure_revisits(source: Source, frames: dict[str, Frames], metrics: dict[str, Measure], tally: Tally) -> None:
    """Add the ``revisit_`` metrics: the last frame of each flight out and back against the start frame.

    Args:
        source: the protocol's data.
        frames: of all flights.
        metrics: of a frame against another, by name.
        tally: added to; metrics that lack their weights are noted here as not measured.
    """
    starts = [start for start in source.protocol.starts if f"{REVISIT}/{start.id}" in frames]
    if not starts:
        return
    steps = source.protocol.header.view_synthesis.revisit
    found: dict[str, list[float]] = {}
    for start in starts:
        back = frames[f"{REVISIT}/{start.id}"][-1]
        first = source.start_frame(start)
        for metric in names("revisit"):
            if (measure := metrics.get(metric.removeprefix("revisit_"))) is not None:
                found.setdefault(metric, []).append(measure(back, first))
                tally.note_start(start.id, metric, found[metric][-1])
    for metric in names("revisit"):
        if metric in found:
            tally.add_mean(metric, None, found[metric], note=f"{steps} steps out and {steps} back")
        elif why := tally.not_measured.get(metric.removeprefix("revisit_")):
            tally.not_measured[metric] = why
