"""Precision, recall and F1 of curation, with 95 % Wilson intervals, and what each rule dropped."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from .labels import Label, Span

Z = 1.959964  # of a normal distribution, 95 % two-sided


@dataclass(frozen=True)
class Tally:
    """Numbers of shots: kept and labelled keep, kept, labelled keep."""

    right: int = 0
    kept: int = 0
    wanted: int = 0

    def __add__(self, other: Tally) -> Tally:
        return Tally(self.right + other.right, self.kept + other.kept, self.wanted + other.wanted)

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall; 0 if there are none."""
        return 2 * self.right / max(1, self.kept + self.wanted)

    def lines(self) -> list[str]:
        """Precision, recall and F1, to print."""
        found = [f"precision {_share(self.right, self.kept)}", f"recall {_share(self.right, self.wanted)}"]
        return [*found, f"F1 {self.f1:.3f}"] if self.kept or self.wanted else found


def wilson(hits: int, total: int) -> tuple[float, float]:
    """The 95 % Wilson interval of a share; (0, 1) if ``total`` is 0."""
    if not total:
        return 0.0, 1.0
    share, z2 = hits / total, Z * Z / total
    middle = (share + z2 / 2) / (1 + z2)
    half = Z / (1 + z2) * math.sqrt(share * (1 - share) / total + z2 / (4 * total))
    return max(0.0, middle - half), min(1.0, middle + half)


def summary(matched: Sequence[tuple[Span, Label | None]], unmet: Sequence[Label] = ()) -> list[str]:
    """Lines to print.

    Args:
        matched: shots with their labels. Those without a label, or labelled unsure, are only counted.
        unmet: labels that match no shot; one that says keep is a missed shot.
    """
    said = [(span, label.verdict) for span, label in matched if label is not None and label.verdict != "unsure"]
    missed = [label for label in unmet if label.verdict == "keep"]
    kept = [verdict for span, verdict in said if span.reason is None]
    wanted = len(missed) + sum(verdict == "keep" for _, verdict in said)
    lines = [
        f"{len(matched)} shots: {len(said)} labelled keep or drop, {len(matched) - len(said)} unsure or unlabelled",
        *Tally(kept.count("keep"), len(kept), wanted).lines(),
    ]
    drops = Counter((span.reason, verdict) for span, verdict in said if span.reason is not None)
    for rule in sorted({str(reason) for reason, _ in drops}):
        lines.append(f"{rule}: dropped {drops[rule, 'drop']} rightly, {drops[rule, 'keep']} wrongly")
    lines += [
        f"differs: {span.id} labelled {label.verdict}, {span.reason or 'kept'}" for span, label in differing(matched)
    ]
    return lines + [f"differs: {label.video} from {label.start:g} s labelled keep, no such shot" for label in missed]


def differing(matched: Sequence[tuple[Span, Label | None]]) -> list[tuple[Span, Label]]:
    """The shots on which label and curation differ."""
    return [
        (span, label)
        for span, label in matched
        if label is not None and label.verdict != "unsure" and (span.reason is None) != (label.verdict == "keep")
    ]


def _share(hits: int, total: int) -> str:
    if not total:
        return "unknown (0 shots)"
    low, high = wilson(hits, total)
    return f"{hits / total:.3f} ({hits} of {total}; 95 % {low:.3f}-{high:.3f})"
