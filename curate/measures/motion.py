"""Camera motion: speed, zoom, roll, shake, parallax."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np

from .geometry import geometry, movers
from .tracker import Step, Window

LEAST_FIRM = 12  # firm points that show geometry
LEAST_SHIFT = 0.008  # picture widths; below, tracking noise hides geometry
MOST_WINDOWS = 12  # that geometry is fitted to; spread over the shot
DRIFT_S = 0.5  # on either side, over which the picture's direction of motion is taken
FILMED_FRAME_S = 1 / 24  # the slowest film, the longest frame
MOVERS_SHIFT = 0.09  # picture widths at which independent motion shows best


def motion_measures(steps: Iterable[Step], windows: Sequence[Window]) -> dict[str, float]:
    """Figures of one shot. Those that need tracked points are absent if none could be tracked.

    Returns:
        ``tracked`` (share of points that could be tracked), ``firm`` (share that keep their look for half a second),
        ``speed_widths_s``, ``zoom_per_s``, ``roll_deg_s``, ``shake_widths_s2``, ``travel_widths``, ``shift_widths``
        (largest motion of the firm points between two frames), ``windows`` (number of pairs of frames with geometry),
        ``translation``, ``parallax``, ``depth_gain``, ``moving_area``, ``small_movers``.
    """
    steps = list(steps)
    measures = {"tracked": float(np.median([s.share for s in steps])) if steps else 0.0}
    sound = [s for s in steps if s.share >= 0.25]
    if not sound:
        return measures
    measures["firm"] = _firm(windows, measures["tracked"])
    spans = np.array([s.after_s - s.before_s for s in sound])
    measures["speed_widths_s"] = float(np.median([s.flow for s in sound] / spans))
    measures["zoom_per_s"] = float(np.median([s.zoom for s in sound] / spans))
    measures["roll_deg_s"] = float(np.degrees(np.median(np.abs([s.roll for s in sound]) / spans)))
    measures["shake_widths_s2"] = _shake(sound)
    measures["travel_widths"] = measures["speed_widths_s"] * (steps[-1].after_s - steps[0].before_s)
    return measures | _geometry(windows) | _movers(windows)


def _firm(windows: Sequence[Window], otherwise: float) -> float:
    """Share of a window's points that look the same at its first read, weighted by the window's length."""
    opened = {w.before_s: w for w in reversed(windows)}  # the first read of each
    closed = {w.before_s: w.after_s for w in windows}
    shares = [w.firm.sum() / max(w.set_out, 1) for w in opened.values()]
    lengths = [closed[before_s] - before_s for before_s in opened]
    return min(1.0, float(np.average(shares, weights=lengths))) if opened else otherwise


def _geometry(windows: Sequence[Window]) -> dict[str, float]:
    """Depth, from the firm points of the windows that moved furthest."""
    seen = [w for w in windows if w.firm.sum() >= LEAST_FIRM]
    longest = max((w.firm_shift for w in seen), default=0.0)
    telling = [w for w in seen if w.firm_shift >= max(longest / 2, LEAST_SHIFT)]
    furthest = max((w.firm_way for w in seen), default=0.0)
    measures = {"shift_widths": furthest, "windows": float(len(telling))}
    if telling:
        found = [geometry(w.anchor[w.firm], w.points[w.firm], w.shape) for w in _spread(telling)]
        for name, values in zip(found[0]._fields, zip(*found, strict=True), strict=True):
            measures[name] = float(np.median(values))
    return measures


def _movers(windows: Sequence[Window]) -> dict[str, float]:
    """Independent motion among all points, those on water too; from one read of each window."""
    nearest: dict[float, Window] = {}
    for window in windows:
        so_far = nearest.get(window.before_s)
        if len(window.points) < LEAST_FIRM:
            continue
        if so_far is None or abs(window.shift - MOVERS_SHIFT) < abs(so_far.shift - MOVERS_SHIFT):
            nearest[window.before_s] = window
    longest = max((w.shift for w in nearest.values()), default=0.0)
    telling = [w for w in nearest.values() if w.shift >= min(longest, MOVERS_SHIFT) / 2]
    if not telling:
        return {}
    found = [movers(w.anchor, w.points, w.shape) for w in _spread(telling)]
    shares, alone = zip(*found, strict=True)
    return {"moving_area": float(np.median(shares)), "small_movers": float(np.mean(alone))}


def _spread(windows: Sequence[Window]) -> list[Window]:
    """At most ``MOST_WINDOWS`` of them, evenly chosen."""
    chosen = np.linspace(0, len(windows) - 1, min(len(windows), MOST_WINDOWS)).round().astype(int)
    return [windows[i] for i in chosen]


def _shake(steps: list[Step]) -> float:
    """Median acceleration of the picture's centre, widths / s^2; at 15 Hz this is dominated by shaking.

    A video whose frame rate is not the one it was filmed at repeats or misses frames: two steps of the same length in
    time then differ by up to one filmed frame. That much acceleration is ignored along the picture's direction of
    motion.
    """
    spans = np.array([s.after_s - s.before_s for s in steps])
    ways = np.array([(s.dx, s.dy) for s in steps])
    times = np.array([s.before_s for s in steps])
    jolts = []
    for i, (one, two) in enumerate(pairwise(steps)):
        if one.after_s != two.before_s:
            continue
        near = np.abs(times - two.before_s) <= DRIFT_S
        drift = ways[near].sum(0) / spans[near].sum()
        step_s = (spans[i] + spans[i + 1]) / 2
        jolt = (ways[i + 1] / spans[i + 1] - ways[i] / spans[i]) / step_s
        speed = float(np.hypot(*drift))
        along = float(jolt @ drift) / max(speed, 1e-9)
        across = np.sqrt(max(0.0, float(jolt @ jolt) - along**2))
        jolts.append(np.hypot(across, max(0.0, abs(along) - speed * FILMED_FRAME_S / step_s**2)))
    return float(np.median(jolts)) if jolts else 0.0
