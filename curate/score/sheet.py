"""A contact sheet of the shots on which labels and curation differ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from markupsafe import escape

from flythrough.cli.page import page, table
from flythrough.workspace.files import write_text

from ..config import CurateConfig
from ..report import SHEET_STYLE, figure
from .figures import differing, summary
from .labels import Label, Span
from .sweep import Swept


def write_sheet(
    path: Path,
    matched: Sequence[tuple[Span, Label | None]],
    unmet: Sequence[Label],
    swept: Sequence[Swept],
    root: Path,
    config: CurateConfig,
) -> None:
    """Write an HTML page with the figures, the differing shots in three frames each, and, if made, the sweep."""
    found = differing(matched)
    parts = [SHEET_STYLE, "".join(f"<p>{escape(line)}</p>" for line in summary(matched, unmet))]
    for title, keep in (("Labelled keep, dropped", True), ("Labelled drop, kept", False)):
        shown = [(span, label) for span, label in found if (label.verdict == "keep") is keep]
        figures = "".join(
            figure(f"{span.id}: {span.reason or 'kept'}", span.measures, root, config) for span, _ in shown
        )
        parts.append(f'<h2>{title} ({len(shown)})</h2><div class="sheet">{figures}</div>')
    if swept:
        parts += ["<h2>Thresholds</h2>", table(HEADERS, [row(one) for one in swept])]
    write_text(path, page("Curation against labels", "".join(parts), subtitle=f"{len(found)} shots differ"))


HEADERS = ("threshold", "is", "no shot changes between", "F1", "best F1", "at", "left out: precision", "recall")


def row(one: Swept) -> list[str]:
    """A threshold as the cells of :data:`HEADERS`."""
    out = one.left_out
    return [
        f"{one.limit.rule}.{one.limit.setting}",
        f"{one.threshold:g}",
        f"{one.low:.3g} .. {one.high:.3g}",
        f"{one.f1:.3f}",
        f"{one.best:.3f}",
        f"{one.best_low:.3g} .. {one.best_high:.3g}",
        f"{out.right} of {out.kept}",
        f"{out.right} of {out.wanted}",
    ]
