"""Precision, recall and F1 of curation, with 95 % Wilson intervals, and what each rule dropped."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from .labels import Label, Span

Z = 1.959964  # of a normal distribution, 95 % two-sided


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; (0, 1) of nothing."""
    if not total:
        return 0.0, 1.0
    share, z2 = hits / total, Z * Z / total
    middle = (share + z2 / 2) / (1 + z2)
    half = Z / (1 + z2) * math.sqrt(share * (1 - share) / total + z2 / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def summary(matched: Sequence[tuple[Span, Label | None]]) -> list[str]:
    """Lines to print. Shots without a label, or labelled unsure, count for nothing but are counted."""
    said = [(span, label.verdict) for span, label in matched if label is not None and label.verdict != "unsure"]
    kept = [verdict for span, verdict in said if span.reason is None]
    wanted = [span for span, verdict in said if verdict == "keep"]
    right = kept.count("keep")
    lines = [
        f"{len(matched)} shots: {len(said)} labelled keep or drop, {len(matched) - len(said)} unsure or unlabelled",
        f"precision {_share(right, len(kept))}",
        f"recall {_share(right, len(wanted))}",
    ]
    if kept or wanted:
        lines.append(f"F1 {2 * right / (len(kept) + len(wanted)):.3f}")
    drops = Counter((span.reason, verdict) for span, verdict in said if span.reason is not None)
    for rule in sorted({str(reason) for reason, _ in drops}):
        lines.append(f"{rule}: dropped {drops[rule, 'drop']} rightly, {drops[rule, 'keep']} wrongly")
    for span, verdict in said:
        if (span.reason is None) != (verdict == "keep"):
            lines.append(f"differs: {span.id} labelled {verdict}, {span.reason or 'kept'}")
    return lines


def _share(hits: int, total: int) -> str:
    if not total:
        return "unknown (0 shots)"
    low, high = wilson(hits, total)
    return f"{hits / total:.3f} ({hits} of {total}; 95 % {low:.3f}-{high:.3f})"
