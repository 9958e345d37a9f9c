"""Histograms of a measure with its threshold, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
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


def histograms(rules: RuleSection, items: Sequence[tuple[Measures, bool]], what: str) -> str:
    """One plot per threshold, in the order of the rules, as HTML.

    Args:
        rules: the settings.
        items: each item's measures, and whether it was kept.
        what: what the items are called, in the plural.
    """
    plots = "".join(_histogram(limit, rules, items, what) for limit in rules.limits())
    return f'<div class="plots">{plots}</div>'


def _histogram(limit: Limit, rules: RuleSection, items: Iterable[tuple[Measures, bool]], what: str) -> str:
    """Stacked bars of one measure."""
    values = [(float(v), kept) for m, kept in items if isinstance(v := m.get(limit.measure), (int, float))]
    threshold, mode = rules.threshold(limit), getattr(rules, limit.rule).mode
    figures = [value for value, _ in values]
    low = min([*figures, threshold, 0.0])
    high = max(float(np.quantile(figures, 0.98)) if figures else 0.0, threshold * 1.25, low + 1e-6)
    edges = np.linspace(low, high, BINS + 1)
    kept, dropped = (
        np.histogram(np.clip([value for value, k in values if k is side], low, high), edges)[0]
        for side in (True, False)
    )
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
        f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 10}" text-anchor="middle">{len(values)} {escape(what)}</text>',
    ]
    title = f"{limit.measure}: histogram of {len(values)} {what}, threshold {threshold:g}"
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
