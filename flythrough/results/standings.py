"""The results table for the terminal: a row a method, best first; what is not ranked below it, with the reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from ..workspace.printing import number, table_lines

PRIMARY = ("fid", "fd_lite0")  # what ranks: the first that was measured; less is better
SHOWN = ("kid", "fid_sw", "kd_lite0", "fd_lite0_sw", "style_lite0", "follow_correlation", "follow_sfm_deviation")
FLOOR = "real"


def standings(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Lines that show measured rows of ``results``, a table a protocol."""
    protocols: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row["source"] == "measured" and row["step"] is None:
            protocols.setdefault(row["protocol_hash"], []).append(row)
    for found in protocols.values():
        yield from _of_protocol(found)


def _of_protocol(rows: list[dict[str, Any]]) -> Iterator[str]:
    having = {row["metric"] for row in rows if row["value"] is not None}
    primary = next((metric for metric in PRIMARY if metric in having), PRIMARY[-1])
    columns = [metric for metric in SHOWN if metric in having]
    methods: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        methods.setdefault(row["method"], {})[row["metric"]] = row

    def place(method: str) -> tuple[bool, bool, float]:
        cell = methods[method].get(primary)
        value = cell["value"] if cell else None
        return method == FLOOR, not (cell and cell["ranked"]), float("inf") if value is None else value

    ordered = sorted(methods, key=place)
    lines = [[m, _spread(methods[m].get(primary)), *(_value(methods[m].get(c)) for c in columns)] for m in ordered]
    images = {values[primary]["n"] for method, values in methods.items() if method != FLOOR and primary in values}
    basis = ", ".join(["less is better", "95 % interval", *(f"N = {n}" for n in sorted(images - {0}))])
    yield f"Scores on {rows[0]['protocol']}, best first by {primary} ({basis})"
    yield from table_lines(["method", primary, *columns], lines)
    for method in ordered:
        cell = methods[method].get(primary)
        if method != FLOOR and not (cell and cell["ranked"]):
            yield f"Not ranked: {method}: {cell['note'] if cell else f'has no {primary}'}"
    if FLOOR in methods:
        yield f"{FLOOR} is the floor: recorded frames against other recorded frames"


def _value(row: dict[str, Any] | None) -> str:
    return "-" if row is None else number(row["value"])


def _spread(row: dict[str, Any] | None) -> str:
    if row is None or row["low"] is None:
        return _value(row)
    return f"{number(row['value'])} [{row['low']:.3g}, {row['high']:.3g}]"
