"""Thresholds against labels: the margin on both sides, the sweep, and figures with a video left out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from flythrough.rules import Limit, MissingMeasure
from flythrough.workspace.files import JsonObject

from ..rules import Rules
from .figures import Tally
from .labels import Label, Span


@dataclass(frozen=True)
class Said:
    """A labelled shot: its video, whether the label says keep, and the measures that the rules judge."""

    video: str
    keep: bool
    measures: JsonObject


@dataclass(frozen=True)
class Swept:
    """A threshold and its margin: anywhere between ``low`` and ``high`` no labelled shot changes sides.

    ``best`` is the largest F1 that any value of it gives, with the others at their settings, between ``best_low`` and
    ``best_high``; ``left_out`` counts shots judged with the value that is best for all other videos.
    """

    limit: Limit
    threshold: float
    low: float
    high: float
    f1: float
    best: float
    best_low: float
    best_high: float
    left_out: Tally


def labelled(matched: Iterable[tuple[Span, Label | None]]) -> list[Said]:
    """The shots that count: labelled keep or drop."""
    return [
        Said(span.video, label.verdict == "keep", span.measures)
        for span, label in matched
        if label is not None and label.verdict != "unsure"
    ]


def sweep(said: Sequence[Said], rules: Rules) -> list[Swept]:
    """Sweep every threshold by itself. The duplicates found stay the same."""
    found = []
    for limit in _enforced(rules):
        at = rules.threshold(limit)
        sides = _sides(said, rules, limit)
        pieces = _pieces(sides, limit)
        low, high, now = next(p for p in pieces if p[0] <= at <= p[1])
        best = _best(pieces, at)
        left_out = Tally()
        for video in sorted({one.video for one in said}):
            value = _middle(_best(_pieces([x for x in sides if x.video != video], limit), at), at)
            left_out += _tally([x for x in sides if x.video == video], value, limit)
        found.append(Swept(limit, at, low, high, now.f1, best[2].f1, best[0], best[1], left_out))
    return found


def left_out_together(said: Sequence[Said], rules: Rules) -> Tally:
    """Shots judged with every enforced threshold chosen again, one after the other, on all other videos."""
    tally = Tally()
    for video in sorted({one.video for one in said}):
        rest = [one for one in said if one.video != video]
        now = rules
        for limit in _enforced(rules):
            at = now.threshold(limit)
            now = _with(now, limit, _middle(_best(_pieces(_sides(rest, now, limit), limit), at), at))
        judged = [(one.keep, _keeps(one, now)) for one in said if one.video == video]
        tally += Tally(judged.count((True, True)), sum(k for _, k in judged), sum(w for w, _ in judged))
    return tally


@dataclass(frozen=True)
class _Side:
    """A shot, its figure, and whether it is kept with a threshold below and above that."""

    video: str
    keep: bool
    value: float
    below: bool
    above: bool

    def kept(self, threshold: float, limit: Limit) -> bool:
        passes = self.value >= threshold if limit.least else self.value > threshold
        return self.below if passes else self.above


def _sides(said: Sequence[Said], rules: Rules, limit: Limit) -> list[_Side]:
    low, high = _with(rules, limit, float("-inf")), _with(rules, limit, float("inf"))
    found = []
    for one in said:
        value = one.measures.get(limit.measure)
        number = float("nan") if value is None else float(value)  # not measured: kept or dropped at any threshold
        found.append(_Side(one.video, one.keep, number, _keeps(one, low), _keeps(one, high)))
    return found


Piece = tuple[float, float, Tally]


def _pieces(sides: Sequence[_Side], limit: Limit) -> list[Piece]:
    """The ranges of a threshold between which a shot changes sides, neighbours that decide alike joined."""
    values = sorted({one.value for one in sides if one.value == one.value})
    pieces: list[Piece] = []
    decided: list[bool] = []
    for low, high in pairwise([float("-inf"), *values, float("inf")]):
        kept = [one.kept(_inside(low, high), limit) for one in sides]
        if pieces and kept == decided:
            pieces[-1] = (pieces[-1][0], high, pieces[-1][2])
        else:
            pieces.append((low, high, _tally(sides, _inside(low, high), limit)))
        decided = kept
    return pieces


def _tally(sides: Sequence[_Side], threshold: float, limit: Limit) -> Tally:
    judged = [(one.keep, one.kept(threshold, limit)) for one in sides]
    return Tally(judged.count((True, True)), sum(kept for _, kept in judged), sum(keep for keep, _ in judged))


def _best(pieces: Sequence[Piece], near: float) -> Piece:
    """The range with the largest F1; of equals the one nearest to ``near``."""
    return min(pieces, key=lambda p: (-p[2].f1, max(p[0] - near, near - p[1], 0.0)))


def _middle(piece: Piece, now: float) -> float:
    """Where a threshold goes in its range: it stays where it is if that is inside, as a range may have no end."""
    return now if piece[0] <= now <= piece[1] else _inside(piece[0], piece[1])


def _inside(low: float, high: float) -> float:
    if low == float("-inf"):
        return high - 1.0 if high != float("inf") else 0.0
    return low + 1.0 if high == float("inf") else (low + high) / 2


def _enforced(rules: Rules) -> list[Limit]:
    return [limit for limit in rules.limits() if getattr(rules, limit.rule).mode == "enforce"]


def _with(rules: Rules, limit: Limit, value: float) -> Rules:
    rule = getattr(rules, limit.rule).model_copy(update={limit.setting: value})
    return rules.model_copy(update={limit.rule: rule})


def _keeps(one: Said, rules: Rules) -> bool:
    """Whether the rules keep a shot; one with a figure missing is not kept."""
    try:
        return rules.judge(one.measures).reason is None
    except MissingMeasure:
        return False
