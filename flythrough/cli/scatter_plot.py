"""Scatter plots with a logarithmic x axis as inline SVG, such as quality against speed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from .line_plot import BOTTOM, LEFT, TOP, WIDTH, Axis, figure

RIGHT, HEIGHT = WIDTH - 130, 330  # of the axes: a name may stand right of its dot
MOST_NAMED = 12  # dots that the text alternative names


@dataclass(frozen=True)
class Dot:
    """One method: its place, and whether its name is written beside it."""

    name: str
    x: float
    y: float
    named: bool = False


def scatter_plot(dots: Sequence[Dot], x_label: str, y_label: str) -> Markup:
    """Plot dots over a logarithmic x axis.

    Args:
        dots: at least one; ``x`` above 0.
        x_label: what x is.
        y_label: what y is.

    Returns:
        An HTML ``figure``.
    """
    across = Axis(*_ends([math.log10(dot.x) for dot in dots]), LEFT, RIGHT)
    down = Axis(*_ends([dot.y for dot in dots]), BOTTOM, TOP)
    parts = [*_axes(across, down, x_label, y_label)]
    for dot in sorted(dots, key=lambda dot: dot.named):
        x, y = across(math.log10(dot.x)), down(dot.y)
        color = "#1f77b4" if dot.named else "#6b7785"
        said = f"<title>{escape(_said(dot))}</title>"
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{color}" fill-opacity=".75">{said}</circle>')
        if dot.named:
            parts.append(f'<text x="{x + 7:.1f}" y="{y + 4:.1f}">{escape(dot.name)}</text>')
    named = [dot for dot in dots if dot.named][:MOST_NAMED] or list(dots[:MOST_NAMED])
    more = f", and {len(dots) - len(named)} more" if len(dots) > len(named) else ""
    return figure(parts, HEIGHT, f"{y_label} against {x_label}: {', '.join(map(_said, named))}{more}")


def _said(dot: Dot) -> str:
    return f"{dot.name} {dot.y:.4g} at {dot.x:.3g}"


def _ends(values: list[float]) -> tuple[float, float]:
    low, high = min(values), max(values)
    margin = 0.06 * (high - low) or max(abs(low) * 0.05, 0.1)
    return low - margin, high + margin


def _axes(across: Axis, down: Axis, x_label: str, y_label: str) -> Iterator[str]:
    yield f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#555"/>'
    for tick in _log_ticks(across.low, across.high):
        x = across(math.log10(tick))
        yield f'<path d="M{x:.1f} {BOTTOM}v4" stroke="#555"/>'
        yield f'<text x="{x:.1f}" y="{BOTTOM + 17}" text-anchor="middle">{tick:g}</text>'
    for tick in down.ticks(6):
        yield f'<path d="M{LEFT} {down(tick):.1f}h-4" stroke="#555"/>'
        yield f'<text x="{LEFT - 7}" y="{down(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
    middle = (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2
    yield f'<text x="{middle[0]}" y="{BOTTOM + 36}" text-anchor="middle">{escape(x_label)}</text>'
    yield f'<text transform="translate(14 {middle[1]}) rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten between two logarithms; powers alone over more than two decades."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [m * 10.0**power for power in powers for m in ((1, 2, 5) if high - low <= 2 else (1,))]
    return [tick for tick in ticks if low <= math.log10(tick) <= high]
