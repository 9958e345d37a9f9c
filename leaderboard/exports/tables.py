"""Boards and papers' tables as CSV, Markdown and LaTeX."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache

from flythrough.results.ranking import Board, Entry, ProtocolBoards
from flythrough.workspace.printing import csv_cell, one_line

from ..reported import DAGGER, ReportedTable
from .grid import Grid, GridCell, GridLine

CSV_HEAD = (
    *("protocol", "protocol_hash", "board", "method", "tier", "best_rank", "worst_rank", "metric", "value"),
    *("low", "high", "n", "floor", "note", "source"),
)
_LATEX = str.maketrans({
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "\u2013": "--",
})  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_\[\]<>|#])")


def as_csv(protocols: Iterable[ProtocolBoards], reported: Iterable[ReportedTable]) -> str:
    """One line per board, method and metric; ranks are empty for rows that are not ranked, such as papers' rows."""
    lines: list[list[object]] = []
    for protocol in protocols:
        for board in protocol.boards:
            for entry in (*board.ranked, *board.unranked, *([board.floor] if board.floor else [])):
                lines += _csv_lines(protocol, board, entry)
    for table in reported:
        for row in table.rows:
            for column, value in zip(table.columns, row.values, strict=True):
                start = [table.dataset, "", table.id, row.method, "reported", "", "", column.name, value]
                cited = f"{table.source.citation}, {table.where}"
                lines.append(_csv_cells([*start, "", "", "", "", table.setting, cited]))
    found = io.StringIO()
    writer = csv.writer(found, lineterminator="\n")
    writer.writerow(CSV_HEAD)
    writer.writerows(lines)
    return found.getvalue()


def _csv_cells(cells: Iterable[object]) -> list[object]:
    """The cells, text in one line each and safe in a spreadsheet."""
    return [_csv_text(cell) if isinstance(cell, str) else cell for cell in cells]


@lru_cache(maxsize=100_000)
def _csv_text(text: str) -> str:
    return csv_cell(one_line(text, 2000))


def _csv_lines(protocol: ProtocolBoards, board: Board, entry: Entry) -> list[list[object]]:
    best, worst = entry.rank or ("", "")
    start = _csv_cells([protocol.name, protocol.hash, board.title, entry.method, entry.source, best, worst])
    reason = entry.reason and _csv_text(entry.reason)
    return [
        [
            *start,
            metric,
            cell.value,
            cell.low,
            cell.high,
            cell.n,
            cell.floor,
            _csv_text(cell.note) if cell.note else reason,
            "",
        ]
        for metric in board.columns
        if (cell := entry.cells.get(metric)) is not None
    ]


def as_markdown(tables: Iterable[Grid]) -> str:
    """One section per table, best in bold, a dagger after the names that papers reported."""
    return "\n".join(map(_markdown, tables))


def _markdown(grid: Grid) -> str:
    arrows = {True: " \u2191", False: " \u2193", None: ""}
    head = ["rank", "method", *(markdown_text(name) + arrows[higher] for name, higher in grid.columns)]
    lines = [head, ["---", "---", *("---:" for _ in grid.columns)]]
    for line in grid.lines:
        name = markdown_text(line.method) + (DAGGER if line.reported else "")
        lines.append([line.place, name, *(_markdown_cell(cell) for cell in line.cells)])
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
    daggered = any(line.reported for line in grid.lines)
    notes = [(f"{DAGGER} " if daggered and not place else "") + note for place, note in enumerate(grid.notes)]
    below = "\n".join(f"- {markdown_text(note)}" for note in notes)
    return f"## {markdown_text(grid.title)}\n\n{table}\n\n{below}\n"


def _markdown_cell(cell: GridCell) -> str:
    value = f"**{cell.value}**" if cell.best else cell.value
    return f"{value} {markdown_text(cell.interval)}".strip()


def markdown_text(text: str) -> str:
    """Text as one line that Markdown shows unchanged."""
    return _MARKDOWN.sub(r"\\\1", one_line(text, 2000))


def as_latex(tables: Iterable[Grid]) -> str:
    """One ``table`` per board for ``\\usepackage{booktabs}``, best in bold, a dagger after names that papers report."""
    head = "% Needs \\usepackage{booktabs}. Bold: best, or not distinguishable from it where the column ranks.\n"
    return head + "\n".join(map(_latex, tables))


def _latex(grid: Grid) -> str:
    arrows = {True: r" $\uparrow$", False: r" $\downarrow$", None: ""}
    ranked = any(line.place for line in grid.lines)
    first = ["Rank", "Method"] if ranked else ["Method"]
    head = [*first, *(latex_text(name) + arrows[higher] for name, higher in grid.columns)]
    body, split = [], False
    for line in grid.lines:
        if ranked and not line.place and not split:
            body.append(r"\midrule")
            split = True
        body.append(" & ".join(_latex_line(line, ranked)) + r" \\")
    daggered = any(line.reported for line in grid.lines)
    notes = [(r"$^\dagger$ " if daggered and not n else "") + latex_text(note) for n, note in enumerate(grid.notes)]
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{latex_text(grid.title)}. {' '.join(f'{note}.' for note in notes)}}}",
        rf"\label{{tab:{grid.id}}}",
        rf"\begin{{tabular}}{{{'l' * len(first)}{'r' * len(grid.columns)}}}",
        r"\toprule",
        " & ".join(head) + r" \\",
        r"\midrule",
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _latex_line(line: GridLine, ranked: bool) -> Sequence[str]:
    name = latex_text(line.method) + (r"$^\dagger$" if line.reported else "")
    cells = [
        (rf"\textbf{{{cell.value}}}" if cell.best else cell.value)
        + (rf" {{\scriptsize {latex_text(cell.interval)}}}" if cell.interval else "")
        or "--"
        for cell in line.cells
    ]
    return [*([latex_text(line.place)] if ranked else []), name, *cells]


def latex_text(text: str) -> str:
    """Text as one line that LaTeX prints unchanged."""
    return one_line(text, 2000).translate(_LATEX)
