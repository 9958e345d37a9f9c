"""Plots of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup

from flythrough.cli.line_plot import Line, line_plot
from flythrough.results.schema import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def over_steps(results: list[Result], metric: str) -> Markup | None:
    """A value (a distance: of the window that ends there) over steps, one line per method; None without any."""
    lines = [
        Line(result.method.name + (" (does not follow)" if apart else ""), result.curves[metric], apart)
        for result in results
        if result.curves.get(metric)
        for apart in [result.follows_camera is False]
    ]
    return line_plot(lines, "step, the last of its window", metric) if lines else None


def per_start(results: list[Result], metric: str) -> Figure | None:
    """Every start's value, one column per method; None if no method has any."""
    import matplotlib.pyplot as plt

    columns = {r.method.name: [v[metric] for v in r.starts.values() if v.get(metric) is not None] for r in results}
    columns = {name: values for name, values in columns.items() if values}
    if not columns:
        return None
    figure, axes = plt.subplots(figsize=(7.5, 3.2))
    for place, (_, values) in enumerate(columns.items()):
        spread = [place + 0.25 * ((i * 0.618) % 1 - 0.5) for i in range(len(values))]
        axes.scatter(spread, values, s=14, alpha=0.7)
        axes.hlines(sum(values) / len(values), place - 0.25, place + 0.25, linewidth=2)  # type: ignore[arg-type]
    axes.set_xticks(range(len(columns)), list(columns), rotation=20, ha="right", fontsize=8)
    axes.set_ylabel(metric)
    axes.grid(axis="y", alpha=0.3)
    return figure
