"""Quality against speed, on a protocol's page."""

from __future__ import annotations

from collections.abc import Iterator

from flythrough.cli.scatter_plot import Dot, scatter_plot
from flythrough.results.ranking import Board, ProtocolBoards
from flythrough.results.schema import Result
from flythrough.workspace.files import JsonObject

from .model import Site, method_page


def steps_a_second(result: Result) -> float | None:
    """Generation steps over the seconds that all of a protocol's flights took; None if the file does not say.

    Those seconds include view synthesis, whose frames are not counted: the figure is a little below a method's speed.
    """
    took, flown = result.seconds.get("generate", 0), result.protocol
    return flown.flights * flown.steps / took if took > 0 and flown.flights and flown.steps else None


def quality_against_speed(protocol: ProtocolBoards, site: Site) -> Iterator[JsonObject]:
    """The plots for ``protocol.html``, one for each board of distances; none if no result has a speed."""
    speeds: dict[tuple[str, str], float] = {
        (row.held.method, row.held.tier): speed
        for row in site.by_protocol.get(protocol.hash, [])
        if (speed := steps_a_second(row.held.result)) is not None
    }
    for board in protocol.boards:
        if board.step is None and (drawn := _plot(board, speeds)):
            yield drawn


def _plot(board: Board, speeds: dict[tuple[str, str], float]) -> JsonObject | None:
    sign = -1.0 if board.higher_is_better else 1.0
    known, without = [], []
    for entry in board.ranked:
        value, speed = entry.cells[board.primary].value, speeds.get((entry.method, entry.source))
        if value is None or speed is None:
            without.append(entry.method)
        else:
            known.append((entry.method, speed, value))
    if not known:
        return None
    front, fastest = set(), 0.0
    for name, speed, _ in sorted(known, key=lambda each: (sign * each[2], -each[1])):
        if speed > fastest:
            front.add(name)
            fastest = speed
    dots = [Dot(name, speed, value, name in front) for name, speed, value in known]
    return {
        "metric": board.primary,
        "figure": scatter_plot(dots, "steps a second", board.primary),
        "rows": [(name, method_page(name), speed, value, name in front) for name, speed, value in known],
        "without": without,
    }
