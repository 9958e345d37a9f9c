"""Lines over steps, and values of single starts, as inline SVG.

Drawn here because matplotlib (80 MB installed) is not in the base installation.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

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
    """Lines of one or more points each, names beside them; the value axis takes in 0.

    Args:
        lines: at least one.
        x_label: what the steps are.
        y_label: what the values are.
        floor: a value to draw across, and what it is.

    Returns:
        An HTML ``figure``.
    """
    steps = [step for line in lines for step, _ in line.points]
    values = [0.0, *(value for line in lines for _, value in line.points), *([floor[0]] if floor else [])]
    x = _Axis(*_range(min(steps), max(steps)), LEFT, RIGHT)
    y = _Axis(*_range(min(values), max(values)), BOTTOM, TOP)
    parts = [*_frame(x, y, x_label, y_label)]
    if floor is not None:
        at = y(floor[0])
        parts.append(Markup('<path d="M{} {:.1f}H{}" stroke="#888"/>').format(LEFT, at, RIGHT))
        parts.append(Markup('<text x="{}" y="{:.1f}" font-size="11">{}</text>').format(LEFT + 5, at - 4, floor[1]))
    for place, line in enumerate(lines):
        parts += _drawn(line, x, y, COLORS[place % len(COLORS)], TOP + 14 + 18 * place)
    height = max(HEIGHT, TOP + 14 + 18 * len(lines))
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}"'
    head = f'<svg {size} font-family="sans-serif" font-size="12" fill="#1c2733">'
    return Markup(f'<figure class="plot">{head}{"".join(parts)}</svg></figure>')


def strip_plot(rows: Sequence[tuple[str, Sequence[float]]], label: str) -> Markup:
    """One dot per value, one row per method; the first row stands out.

    Args:
        rows: name and values of each, at least one value in all.
        label: what the values are.

    Returns:
        An HTML ``figure``.
    """
    values = [value for _, row in rows for value in row]
    axis = _Axis(*_spread(min(values), max(values)), ROW_LEFT, WIDTH - 20)
    bottom = TOP + ROW * len(rows)
    parts = [Markup('<path d="M{0} {1}H{2}" stroke="#555"/>').format(ROW_LEFT, bottom, WIDTH - 20)]
    for tick in axis.ticks(8):
        text = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:.4g}</text>').format(
            axis(tick), bottom + 17, tick
        )
        parts.append(Markup('<path d="M{:.1f} {}v4" stroke="#555"/>').format(axis(tick), bottom) + text)
    for place, (name, row) in enumerate(rows):
        y, color = TOP + ROW * (place + 0.5), COLORS[0] if place == 0 else "#6b7785"
        parts.append(Markup('<text x="{}" y="{:.1f}" text-anchor="end">{}</text>').format(ROW_LEFT - 10, y + 4, name))
        dots = "".join(f"M{axis(value):.1f} {y:.1f}h0" for value in row)  # one path: a page may have 10^5 of them
        dot = Markup('<path d="{}" stroke="{}" stroke-opacity=".55" stroke-width="9" stroke-linecap="round"/>')
        parts.append(dot.format(dots, color))
    parts.append(Markup('<text x="{}" y="{}">{}</text>').format(ROW_LEFT, bottom + 36, label))
    size = f'viewBox="0 0 {WIDTH} {bottom + 44}" width="{WIDTH}"'
    head = f'<svg {size} font-family="sans-serif" font-size="12" fill="#1c2733">'
    return Markup(f'<figure class="plot">{head}{"".join(parts)}</svg></figure>')


def _spread(low: float, high: float) -> tuple[float, float]:
    margin = 0.05 * (high - low) or 0.5
    return low - margin, high + margin


@dataclass(frozen=True)
class _Axis:
    """From values to places on the picture."""

    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        return self.first + (value - self.low) / (self.high - self.low) * (self.last - self.first)

    def ticks(self, most: int) -> list[float]:
        """Round values on the axis, at most about so many."""
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


def _frame(x: _Axis, y: _Axis, x_label: str, y_label: str) -> Iterator[Markup]:
    yield Markup('<path d="M{0} {1}V{2}H{3}" fill="none" stroke="#555"/>').format(LEFT, TOP, BOTTOM, RIGHT)
    for tick in x.ticks(8):
        text = Markup('<text x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(x(tick), BOTTOM + 17, tick)
        yield Markup('<path d="M{:.1f} {}v4" stroke="#555"/>').format(x(tick), BOTTOM) + text
    for tick in y.ticks(6):
        text = Markup('<text x="{}" y="{:.1f}" text-anchor="end">{:.4g}</text>').format(LEFT - 7, y(tick) + 4, tick)
        yield Markup('<path d="M{} {:.1f}h-4" stroke="#555"/>').format(LEFT, y(tick)) + text
    middle = (LEFT + RIGHT) / 2, (TOP + BOTTOM) / 2
    yield Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>').format(middle[0], BOTTOM + 36, x_label)
    turned = '<text transform="translate(14 {}) rotate(-90)" text-anchor="middle">{}</text>'
    yield Markup(turned).format(middle[1], y_label)


def _drawn(line: Line, x: _Axis, y: _Axis, color: str, name_y: float) -> Iterator[Markup]:
    dash = Markup(' stroke-dasharray="2 4"') if line.dotted else Markup("")
    stroke = Markup('stroke="{}" stroke-width="1.8"{}').format(color, dash)
    places = [(x(step), y(value)) for step, value in line.points]
    path = "L".join(f"{across:.1f} {down:.1f}" for across, down in places)
    yield Markup('<path d="M{}" fill="none" {}/>').format(path, stroke)
    if len(places) < 3:
        yield from (Markup('<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>').format(*at, color) for at in places)
    yield Markup('<path d="M{} {}h22" {}/>').format(RIGHT + 14, name_y - 4, stroke)
    yield Markup('<text x="{}" y="{}">{}</text>').format(RIGHT + 42, name_y, escape(line.name))
