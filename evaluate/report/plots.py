"""Plots of the report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flythrough.results.schema import Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def over_steps(results: list[Result], metric: str) -> Figure | None:
    """A distance over the last step of its window, a line a method; None where no method has it."""
    import matplotlib.pyplot as plt

    shown = [result for result in results if result.curves.get(metric)]
    if not shown:
        return None
    figure, axes = plt.subplots(figsize=(7.5, 3.6))
    for result in shown:
        steps, values = zip(*result.curves[metric], strict=True)
        follows = result.follows_camera is not False
        label = result.method.name + ("" if follows else " (does not follow)")
        axes.plot(steps, values, label=label, linestyle="-" if follows else ":", marker="." if len(steps) < 3 else None)
    axes.set_xlabel("last step of the window")
    axes.set_ylabel(metric)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def per_start(results: list[Result], metric: str) -> Figure | None:
    """Every start's value, a column a method; None where no method has it."""
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
