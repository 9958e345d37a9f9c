"""Distances between the frames of all flights and a set of real frames."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from flythrough.results.schema import Value
from flythrough.workspace.files import content_key

from ..protocols.protocol import Header
from ..protocols.real_frames import RealFrame
from ..protocols.source import Source
from .bootstrap import Drawn, centred_interval, set_replicates
from .cache import Rows, cached_features
from .features import Extractor, Image
from .fid import Kernels, Reference, kid, mmd
from .monge import Axes
from .windows import ends, sliding_distances

NAMES = {
    "inception": ("fid", "kid", "md_inception"),
    "lite0": ("fd_lite0", "kd_lite0", "md_lite0"),
}  # never "fid" for other features
REAL_CHUNK = 256  # real frames per cached file
KERNEL_ROWS = 2000  # most images on each side for the interval of a kernel distance


@dataclass(frozen=True)
class RealSide:
    """The real frames of a protocol as one network sees them."""

    extractor: Extractor
    features: Rows
    reference: Reference
    floor_features: Rows

    @classmethod
    def of(cls, source: Source, extractor: Extractor) -> RealSide:
        """The real frames of a protocol, seen by a network."""
        frames, others = source.real_sets()
        features, floor = real_features(source, extractor, frames), real_features(source, extractor, others)
        return cls(extractor, features, Reference.of_features(features), floor)  # type: ignore[arg-type]


def real_features(source: Source, extractor: Extractor, frames: list[RealFrame]) -> Rows:
    """Features of recorded frames, cached in chunks."""
    parts = []
    for first in range(0, len(frames), REAL_CHUNK):
        chunk = frames[first : first + REAL_CHUNK]
        named = [(source.clip_sha256(real.clip), real.frame) for real in chunk]
        key = content_key("real", named, source.height, source.width, source.protocol.header.resize)
        parts.append(cached_features(extractor, key, _reader(source, chunk), len(chunk)))
    return Rows(parts)


def _reader(source: Source, frames: list[RealFrame]) -> Callable[[int], Image]:
    return lambda index: source.frame(frames[index])


@dataclass(frozen=True)
class Distances:
    """The distances of one method's frames to the real side.

    Attributes:
        values: Frechet, kernel and Monge distance.
        frechet: name of the first, which ranks.
        drawn: its replicates over flights; empty if there are too few flights.
    """

    values: list[Value]
    frechet: str
    drawn: Drawn


def distances(real: RealSide, made: Rows, header: Header, replicates: int) -> Distances:
    """Frechet, kernel and Monge distance of all frames to the real side, with floors and intervals over flights."""
    frechet, kernel, monge = names = NAMES[real.extractor.name]
    if len(made) < 2:
        values = [Value(metric=name, n=len(made), note="a distance needs two frames") for name in names]
        return Distances(values, frechet, np.empty(0))
    flight = made.flight_of_row()
    value = real.reference.distance_of(made)  # type: ignore[arg-type]
    drawn = frechet_replicates(real.reference, made, replicates, header.seed)
    floor = real.reference.distance_of(real.floor_features)  # type: ignore[arg-type]
    values = [
        _value(frechet, value, drawn, len(made), floor),
        _kernel(kernel, real, made, flight, header, replicates),
        _monge(monge, real, made, flight, header, replicates),
    ]
    return Distances(values, frechet, drawn)


def frechet_replicates(reference: Reference, made: Rows, replicates: int, seed: int) -> Drawn:
    """Replicates of the Frechet distance, drawing whole flights; none for fewer than two flights or draws."""
    flight = made.flight_of_row()

    def replicate(draw: np.ndarray) -> float:
        return reference.distance_of(made, draw[flight].astype(np.float64))  # type: ignore[arg-type]

    return _drawn(made, replicate, replicates, seed)


def _drawn(made: Rows, replicate: Callable[[np.ndarray], float], replicates: int, seed: int) -> Drawn:
    """Replicates over whole flights; none for fewer than two flights or draws."""
    flights = len(made.parts)
    if flights < 2 or replicates < 2:
        return np.empty(0)
    return set_replicates(flights, replicate, replicates=replicates, seed=seed)


def _kernel(
    metric: str, real: RealSide, made: Rows, flight: Int[np.ndarray, "n"], header: Header, replicates: int
) -> Value:
    size = min(header.sets.kid_subset_size, len(made), len(real.features), len(real.floor_features))
    choices = {"subsets": header.sets.kid_subsets, "subset_size": size, "seed": header.sets.kid_seed}
    value = kid(made, real.features, **choices).mean  # type: ignore[arg-type]
    floor = kid(real.floor_features, real.features, **choices).mean  # type: ignore[arg-type]
    random = np.random.default_rng([header.seed, 5])
    some, others = (np.sort(random.permutation(len(rows))[:KERNEL_ROWS]) for rows in (made, real.features))
    kernels = Kernels.of(made[some], real.features[others])
    drawn = _drawn(made, lambda draw: mmd(kernels, draw[flight[some]]), replicates, header.seed)
    if not np.isfinite(drawn).all():  # of few flights of one step, a draw may be one image only
        drawn = np.empty(0)
    return _value(metric, value, drawn, len(made), floor)


def _monge(
    metric: str, real: RealSide, made: Rows, flight: Int[np.ndarray, "n"], header: Header, replicates: int
) -> Value:
    axes = Axes.of(real.features, real.reference)  # type: ignore[arg-type]
    projected = axes.project(made)  # type: ignore[arg-type]
    value = axes.distance(projected)
    floor = axes.distance(axes.project(real.floor_features))  # type: ignore[arg-type]
    drawn = _drawn(made, lambda draw: axes.distance(projected, draw[flight]), replicates, header.seed)
    return _value(metric, value, drawn, len(made), floor)


def _value(metric: str, value: float, drawn: Drawn, n: int, floor: float | None) -> Value:
    low, high = centred_interval(value, drawn) if len(drawn) else (None, None)
    return Value(metric=metric, value=value, low=low, high=high, n=n, floor=floor)


def feature_drift(real: RealSide, made: Rows, header: Header, replicates: int) -> Value:
    """Frechet distance of all flights' last steps less that of their first steps (``fd_lite0_drift``)."""
    steps = min(len(part) for part in made.parts)
    first, last = (Rows([part[chosen] for part in made.parts]) for chosen in ends(steps, header.generation.window))
    metric = f"{NAMES[real.extractor.name][0]}_drift"
    if len(first) < 2:
        return Value(metric=metric, n=len(first), note="a distance needs two frames at either end")
    distance = real.reference.distance_of
    value = distance(last) - distance(first)  # type: ignore[arg-type]
    of_first, of_last = (frechet_replicates(real.reference, each, replicates, header.seed) for each in (first, last))
    found = _value(metric, value, of_last - of_first, len(first), None)
    return found.model_copy(update={"note": f"{len(first) // len(made.parts)} steps at either end"})


def over_steps(real: RealSide, made: Rows, window: int) -> list[tuple[int, float]]:
    """(last step, Frechet distance) of every sliding window of ``window`` steps; flights of one length only."""
    steps = min(len(part) for part in made.parts)
    window = min(window, steps)
    features = (np.stack([part[step] for part in made.parts]) for step in range(steps))
    found = sliding_distances(real.reference, features, window)
    return [(window + index, value) for index, value in enumerate(found)]
