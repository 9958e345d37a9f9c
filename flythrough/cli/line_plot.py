"""Line plots over steps and strip plots of single starts, as inline SVG.

Drawn here because matplotlib (80 MB installed) is not in the base installation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from markupsafe import Markup, escape

WIDTH, HEIGHT = 800, 330  # of the picture, in its own units
LEFT, RIGHT, TOP, BOTTOM = 70, 590, 12, 286  # of the axes; names stand right of them
ROW, ROW_LEFT = 24, 190  # of a strip plot: height of a row, where its axis begins
COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f", "#bcbd22", "#17becf")


@dataclass(frozen=True)
class Line:
    """One method's line.

    Attributes:
        name: what it is called.
        points: (step, value), in order of step.
        dotted: whether it is drawn dotted.
    """

    name: str
    points: Sequence[tuple[int, float]]
    dotted: bool = False


def line_plot(lines: Sequence[Line], x_label: str, y_label: str, floor: tuple[float, str] | None = None) -> Markup:
    """Plot lines with their names at the right; the value axis includes 0. Without any point the axes stay empty.

    Args:
        lines: at least one.
        x_label: what the steps are.
        y_label: what the values are.
        floor: a value to mark by a horizontal line, and its label.

    Returns:
        An HTML ``figure``.
    """
    extents = [_extent(tuple(line.points)) for line in lines if line.points] or [(0, 1, 0.0, 1.0)]
    firsts, lasts, lows, highs = zip(*extents, strict=True)
    values = [0.0, *lows, *highs, *([floor[0]] if floor else [])]
    x = Axis(*_range(min(firsts), max(lasts)), LEFT, RIGHT)
    y = Axis(*_range(min(values), max(values)), BOTTOM, TOP)
    parts = [*_frame(x, y, x_label, y_label)]
    if floor is not None:
        at = y(floor[0])
        parts.append(f'<path d="M{LEFT} {at:.1f}H{RIGHT}" stroke="#888"/>')
        parts.append(f'<text x="{LEFT + 5}" y="{at - 4:.1f}" font-size="11">{_html(floor[1])}</text>')
    for place, line in enumerate(lines):
        parts += _drawn(line, x, y, COLORS[place % len(COLORS)], TOP + 14 + 18 * place)
    says = f"{y_label} over {x_label}: {', '.join(_ends(line) for line in lines)}"
    return figure(parts, max(HEIGHT, TOP + 14 + 18 * len(lines)), says)


def strip_plot(rows: Sequence[tuple[str, Sequence[float]]], label: str) -> Markup:
    """Plot one dot per value, one row per method; the first row is highlighted.

    Args:
        rows: name and values of each, at least one value in all.
        label: what the values are.

    Returns:
        An HTML ``figure``.
    """
    named = [name for name, row in rows if row]
    ends = [_ends_of(tuple(row)) for _, row in rows if row]
    axis = Axis(*_spread(min(low for low, _ in ends), max(high for _, high in ends)), ROW_LEFT, WIDTH - 20)
    bottom, origin, scale = TOP + ROW * len(rows), axis.origin, axis.scale
    parts = [f'<path d="M{ROW_LEFT} {bottom}H{WIDTH - 20}" stroke="#555"/>']
    for tick in axis.ticks(8):
        parts.append(f'<path d="M{axis(tick):.1f} {bottom}v4" stroke="#555"/>')
        parts.append(f'<text x="{axis(tick):.1f}" y="{bottom + 17}" text-anchor="middle">{tick:.4g}</text>')
    for place, (name, row) in enumerate(rows):
        y, color = TOP + ROW * (place + 0.5), COLORS[0] if place == 0 else "#6b7785"
        parts.append(f'<text x="{ROW_LEFT - 10}" y="{y + 4:.1f}" text-anchor="end">{_html(name)}</text>')
        parts.append(f'<path d="M{_dots(tuple(row))} 0h0" transform="matrix({scale:.6g} 0 0 1 {origin:.6g} {y:.0f})"')
        parts.append(f' vector-effect="non-scaling-stroke" stroke="{color}" stroke-opacity=".55" stroke-width="9"')
        parts.append(' stroke-linecap="round"/>')
    parts.append(f'<text x="{ROW_LEFT}" y="{bottom + 36}">{_html(label)}</text>')
    spans = [f"{name} {low:.4g} to {high:.4g}" for name, (low, high) in zip(named, ends, strict=True)]
    return figure(parts, bottom + 44, f"{label}: {', '.join(spans)}")


def figure(parts: Iterable[str], height: int, says: str) -> Markup:
    """An HTML ``figure`` of SVG elements; ``says`` is its text alternative, plain text."""
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
    head = f'<svg {size} font-family="sans-serif" font-size="12" fill="#1c2733" role="img"'
    head += f' aria-label="{escape(says)}">'
    return Markup(f'<figure class="plot">{head}{"".join(parts)}</svg></figure>')


@lru_cache(maxsize=10_000)
def _html(text: str) -> str:
    return str(escape(text))


def _spread(low: float, high: float) -> tuple[float, float]:
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


@dataclass(frozen=True)
class Axis:
    """Maps values to coordinates of the picture: ``low`` to ``first``, ``high`` to ``last``."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        return self.first + (value - self.low) * self.scale

    @property
    def scale(self) -> float:
        """Coordinate units per unit of value."""
        return (self.last - self.first) / (self.high - self.low)

    @property
    def origin(self) -> float:
        """Coordinate of 0; ``origin + scale * value`` places many values without a call for each."""
        return self.first - self.low * self.scale

    def ticks(self, most: int) -> list[float]:
        """Round values on the axis, about ``most`` of them at most."""
        rough = (self.high - self.low) / most
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough * (1 - 1e-9))
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [k * step for k in range(first, last + 1)]


def _range(low: float, high: float) -> tuple[float, float]:
    """Ends of an axis, a little beyond what is shown on it."""
    if high == low:
        return low - 1, high + 1
    return low if low >= 0 else low - 0.05 * (high - low), high + 0.05 * (high - low)


def _frame(x: Axis, y: Axis, x_label: str, y_label: str) -> Iterator[str]:
    yield f'<path d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}" fill="none" stroke="#555"/>'
    for tick in x.ticks(8):
        yield f'<path d="M{x(tick):.1f} {BOTTOM}v4" stroke="#555"/>'
        yield f'<text x="{x(tick):.1f}" y="{BOTTOM + 17}" text-anchor="middle">{tick:g}</text>'
    for tick in y.ticks(6):
        yield f'<path d="M{LEFT} {y(tick):.1f}h-4" stroke="#555"/>'
        yield f'<text x="{LEFT - 7}" y="{y(tick) + 4:.1f}" text-anchor="end">{tick:.4g}</text>'
    across, down = (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2
    yield f'<text x="{across}" y="{BOTTOM + 36}" text-anchor="middle">{_html(x_label)}</text>'
    yield f'<text transform="translate(14 {down}) rotate(-90)" text-anchor="middle">{_html(y_label)}</text>'


def _ends(line: Line) -> str:
    return f"{line.name} {line.points[0][1]:.4g} to {line.points[-1][1]:.4g}" if line.points else line.name


@lru_cache(maxsize=10_000)
def _extent(points: tuple[tuple[int, float], ...]) -> tuple[int, int, float, float]:
    """First and last step, lowest and highest value: computed once for a line that is on many pictures."""
    steps, values = zip(*points, strict=True)
    return min(steps), max(steps), min(values), max(values)


@lru_cache(maxsize=10_000)
def _path(points: tuple[tuple[int, float], ...]) -> str:
    """The path in units of the data, so that a line shown in many plots with different axes is written once."""
    return "L".join([f"{step} {value:.6g}" for step, value in points])


@lru_cache(maxsize=10_000)
def _ends_of(values: tuple[float, ...]) -> tuple[float, float]:
    return min(values), max(values)


@lru_cache(maxsize=10_000)
def _dots(values: tuple[float, ...]) -> str:
    """As :func:`_path`, with a dot per value."""
    return " 0h0M".join([f"{value:.6g}" for value in values])


def _drawn(line: Line, x: Axis, y: Axis, color: str, name_y: float) -> Iterator[str]:
    dash = ' stroke-dasharray="2 4"' if line.dotted else ""
    stroke = f'stroke="{color}" stroke-width="1.8"{dash}'
    x0, x1, y0, y1 = x.origin, x.scale, y.origin, y.scale
    placed = f'transform="matrix({x1:.6g} 0 0 {y1:.6g} {x0:.6g} {y0:.6g})" vector-effect="non-scaling-stroke"'
    yield f'<g data-line="{_html(line.name)}">'  # one per line, for what makes a plot interactive
    yield f'<path d="M{_path(tuple(line.points))}" {placed} fill="none" {stroke}/>'
    for step, value in line.points if len(line.points) < 3 else ():
        yield f'<circle cx="{x(step):.1f}" cy="{y(value):.1f}" r="3" fill="{color}"/>'
    yield "</g>"
    yield f'<path d="M{RIGHT + 14} {name_y - 4}h22" {stroke}/>'
    yield f'<text x="{RIGHT + 42}" y="{name_y}">{_html(line.name)}</text>'
