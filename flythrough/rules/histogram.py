"""Histograms of a measure with its threshold, as SVG."""

from __future__ import annotations

from array import array
from collections.abc import Iterable

import numpy as np
from jaxtyping import Float
from markupsafe import escape

from .rule import Limit, Measures
from .section import RuleSection

BINS = 40
_WIDTH, _HEIGHT, _BASE, _TALLEST = 320, 130, 104, 74
STYLE = """.plots { display: grid; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
.plots svg { width: 100%; height: auto; background: var(--card); border: 1px solid var(--line); border-radius: 6px; }
svg text { fill: var(--soft); font: 11px system-ui, "Liberation Sans", sans-serif; }
svg .kept { fill: var(--accent); } svg .dropped { fill: #d08770; } svg .limit { stroke: #b23a2e; stroke-width: 1.5; }
"""
NOTE = (
    "Blue: kept; orange: dropped, for any reason; red line: threshold, with the side that is dropped. "
    "A measure is missing where an earlier rule dropped the item before it was measured."
)


def histograms(rules: RuleSection, items: Iterable[tuple[Measures, bool]], what: str) -> str:
    """One plot per threshold, in the order of the rules, as HTML.

    Args:
        rules: the settings.
        items: each item's measures, and whether it was kept; read once, and only the figures plotted are held.
        what: what the items are called, in the plural.
    """
    found = {limit.measure: (array("d"), array("d")) for limit in rules.limits()}  # of those dropped, and kept
    for measures, kept in items:
        for name, sides in found.items():
            if isinstance(value := measures.get(name), (int, float)):
                sides[kept].append(value)
    plots = []
    for limit in rules.limits():
        of_dropped, of_kept = found[limit.measure]
        plots.append(_histogram(limit, rules, np.array(of_dropped), np.array(of_kept), what))
    return f'<div class="plots">{"".join(plots)}</div>'


def _histogram(
    limit: Limit, rules: RuleSection, of_dropped: Float[np.ndarray, "n"], of_kept: Float[np.ndarray, "m"], what: str
) -> str:
    """Stacked bars of one measure."""
    threshold, mode = rules.threshold(limit), getattr(rules, limit.rule).mode
    figures = np.concatenate([of_dropped, of_kept])
    low = float(min(figures.min(initial=0.0), threshold))
    high = max(float(np.quantile(figures, 0.98)) if len(figures) else 0.0, threshold * 1.25, low + 1e-6)
    edges = np.linspace(low, high, BINS + 1)
    kept, dropped = (np.histogram(np.clip(side, low, high), edges)[0] for side in (of_kept, of_dropped))
    at = 10 + (threshold - low) / (high - low) * (_WIDTH - 20)
    arrow = f"&#8592; {threshold:g} " if limit.least else f" {threshold:g} &#8594;"
    anchor = "start" if at < 90 or (not limit.least and at < 230) else "end"
    unit = f", {limit.unit}" if limit.unit else ""
    parts = [
        *_bars(kept, dropped),
        f'<line class="limit" x1="{at:.1f}" y1="24" x2="{at:.1f}" y2="{_BASE}"/>',
        f'<text x="{at:.1f}" y="34" text-anchor="{anchor}">{arrow}</text>',
        f'<text x="10" y="14">{escape(limit.measure + unit)} ({escape(limit.rule)}: {escape(mode)})</text>',
        f'<text x="10" y="{_HEIGHT - 10}">{low:.3g}</text>',
        f'<text x="{_WIDTH - 10}" y="{_HEIGHT - 10}" text-anchor="end">{high:.3g}</text>',
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{len(figures)} {escape(what)}</text>',
    ]
    title = f"{limit.measure}: histogram of {len(figures)} {what}, threshold {threshold:g}"
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _bars(kept: np.ndarray, dropped: np.ndarray) -> Iterable[str]:
    tallest = max(1, int((kept + dropped).max()))
    step = (_WIDTH - 20) / BINS
    for i, counts in enumerate(zip(kept.tolist(), dropped.tolist(), strict=True)):
        x, y = 10 + i * step, float(_BASE)
        for count, css in zip(counts, ("kept", "dropped"), strict=True):
            size = _TALLEST * count / tallest
            y -= size
            if count:
                yield f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{step - 1:.1f}" height="{size:.1f}"/>'
