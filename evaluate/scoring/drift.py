"""Drift over a flight: naturalness, sharpness and saturation of its last steps against its first."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from flythrough.results.schema import Value

from ..metrics.images import Image
from ..metrics.naturalness import Naturalness, patch_features
from ..metrics.picture import saturation, sharpness
from ..metrics.windows import ends
from ..protocols.source import Source
from .per_flight import Flight, Load
from .tally import Tally

MODEL_FRAMES = 100  # most real frames used for the model of naturalness
KEPT = {"sharpness": sharpness, "saturation": saturation}

Curve = Float[np.ndarray, "steps"]


def measure_drift(source: Source, flights: list[Load], tally: Tally) -> None:
    """Add the drift of each flight, and sharpness and saturation over steps.

    Metrics: ``nss_drift``, ``sharpness_kept``, ``saturation_kept``; flights of one step have none.
    """
    real = _real_model(source)
    window = source.protocol.header.generation.window
    curves: dict[str, list[Curve]] = {name: [] for name in KEPT}
    drifts: list[float] = []
    for load in flights:
        flight = load()
        if len(flight.frames) < 3:
            continue
        drifts.append(_naturalness_drift(flight, real, window))
        tally.note_start(flight.start.id, "nss_drift", drifts[-1])
        for name, measure in KEPT.items():
            curves[name].append(_along(flight, measure))
            tally.note_start(flight.start.id, f"{name}_kept", _kept(curves[name][-1], window))
    if not drifts:
        return
    shortest = min(map(len, curves["sharpness"]))
    note = f"{ends(shortest, window)[0].stop} steps at either end"
    tally.add_mean("nss_drift", None, drifts, note=note)
    for name, found in curves.items():
        _add_kept(f"{name}_kept", [_kept(each, window) for each in found], note, tally)
        mean = np.mean([each[:shortest] for each in found], 0)
        tally.curves[name] = tuple((step, float(value)) for step, value in enumerate(mean, start=1))


def _real_model(source: Source) -> Naturalness:
    frames = source.real_sets()[0]
    chosen = np.linspace(0, len(frames) - 1, min(len(frames), MODEL_FRAMES)).round().astype(int)
    return Naturalness.of(np.concatenate([patch_features(source.frame(frames[index])) for index in chosen]))


def _naturalness_drift(flight: Flight, real: Naturalness, window: int) -> float:
    made = flight.frames[1:]
    first, last = (
        real.distance(Naturalness.of(np.concatenate([patch_features(frame) for frame in made[part]])))
        for part in ends(len(made), window)
    )
    return last - first


def _along(flight: Flight, measure: Callable[[Image], float]) -> Curve:
    return np.array([measure(frame) for frame in flight.frames[1:]])


def _kept(curve: Curve, window: int) -> float | None:
    """The mean of the last steps over that of the first; None if the first have none of it."""
    first, last = (float(curve[part].mean()) for part in ends(len(curve), window))
    return last / first if first > 0 else None


def _add_kept(metric: str, shares: list[float | None], note: str, tally: Tally) -> None:
    known = [share for share in shares if share is not None]
    if len(known) == len(shares):
        tally.add_mean(metric, None, known, note=note)
    else:
        without = f"{len(shares) - len(known)} of {len(shares)} flights have none of it in their first steps"
        tally.values.append(Value(metric=metric, n=len(shares), note=without))
