"""The data of the review page: every shot with its decision, how certain that is, and where a person disagrees."""

from __future__ import annotations

import csv
import io
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import SupportsFloat

from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import JsonObject
from flythrough.workspace.printing import csv_cell, from_csv_cell

from ..config import CurateConfig
from ..score.labels import COLUMNS, Span, match, parse_labels
from ..score.spans import Decided, decided_in, file_names
from .verdicts import Verdict, append_verdicts, read_verdicts

CSV_COLUMNS = ("id", "rules", "verdict", "reason", "time")


@dataclass(frozen=True)
class Item:
    """A shot under review; ``rule`` is the reason the rules drop it for, None if they keep it."""

    id: str
    video_id: str
    rule: str | None
    margin: float  # distance of the deciding figure from its threshold: 0 uncertain, 1 a factor of e
    measures: Mapping[str, object]
    pictures: str  # stem of the picture files, relative to the workspace
    span: Span | None  # its place in the video; None if it is not a shot


@dataclass(frozen=True)
class Query:
    """Which shots to show, and in what order."""

    status: str = "all"  # all, unreviewed, reviewed, kept, dropped, disagree
    reason: str = ""
    measure: str = ""
    low: float = -math.inf
    high: float = math.inf
    order: str = "unsure"  # unsure, video


class Review:
    """A workspace's shots and a person's verdicts on them."""

    def __init__(self, root: Path, config: CurateConfig) -> None:
        self.root = Path(root)
        self.items = {item.id: item for item in load_items(Workspace(root), config)}
        self.verdicts = read_verdicts(self.root)

    def record(self, ids: list[str], verdict: str, reason: str = "") -> None:
        """Add a verdict (accept, reject or undo) on shots; durable when this returns.

        Raises:
            InputError: an unknown shot or verdict.
        """
        if verdict not in ("accept", "reject", "undo"):
            raise InputError(f"There is no verdict {verdict!r}", remedy="Use accept, reject or undo")
        if unknown := [id for id in ids if id not in self.items]:
            raise InputError(f"There is no shot {unknown[0]!r}", remedy="Load the page again")
        now = datetime.now(UTC).isoformat(timespec="seconds")
        append_verdicts(self.root, [Verdict(id, verdict, reason if verdict == "reject" else "", now) for id in ids])
        self.verdicts = read_verdicts(self.root)

    def select(self, query: Query) -> list[Item]:
        """The shots that match a query, in its order."""
        found = [item for item in self.items.values() if self._wanted(item, query)]
        if query.order == "unsure":
            found.sort(key=lambda item: (item.margin, item.id))
        return found

    def _wanted(self, item: Item, query: Query) -> bool:
        verdict = self.verdicts.get(item.id)
        by_status = {
            "all": True,
            "unreviewed": verdict is None,
            "reviewed": verdict is not None,
            "kept": item.rule is None,
            "dropped": item.rule is not None,
            "disagree": verdict is not None and (verdict.verdict == "accept") != (item.rule is None),
        }
        if not by_status.get(query.status, False):
            return False
        if query.reason and query.reason != (item.rule or ""):
            return False
        if query.measure:
            value = item.measures.get(query.measure)
            return isinstance(value, (int, float)) and query.low <= value <= query.high
        return True

    def summary(self) -> JsonObject:
        """Progress of the review, and how far rules and reviewer agree; JSON-able."""
        table = Counter(
            (self.items[v.id].rule or "kept", v.verdict) for v in self.verdicts.values() if v.id in self.items
        )
        agreed = sum(n for (rule, verdict), n in table.items() if (rule == "kept") == (verdict == "accept"))
        reviewed = sum(table.values())
        rows = [
            {"rules": rule, "accept": table[rule, "accept"], "reject": table[rule, "reject"]}
            for rule in sorted({rule for rule, _ in table}, key=lambda r: (r != "kept", r))
        ]
        return {
            "shots": len(self.items),
            "reviewed": reviewed,
            "agreed": agreed,
            "agreement": rows,
            "reasons": sorted({item.rule for item in self.items.values() if item.rule}),
            "measures": sorted({k for i in self.items.values() for k, v in i.measures.items() if _is_number(v)}),
        }

    def to_csv(self) -> str:
        """Every shot with the rules' and the reviewer's verdict, as CSV."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(CSV_COLUMNS)
        for item in self.items.values():
            verdict = self.verdicts.get(item.id, Verdict(item.id, ""))
            cells = [item.id, item.rule or "kept", verdict.verdict, verdict.reason, verdict.time]
            writer.writerow(map(csv_cell, cells))
        return text.getvalue()

    def to_labels(self) -> str:
        """The verdicts as a label file for ``flythrough curate score``: one line per shot with a verdict."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow((*COLUMNS, "reason"))
        for span in self._spans():
            if (said := self.verdicts.get(span.id)) is not None:
                word = "keep" if said.verdict == "accept" else "drop"
                cells = [span.video, f"{span.start:.6f}", f"{span.end:.6f}", word, said.reason]
                writer.writerow(map(csv_cell, cells))
        return text.getvalue()

    def _spans(self) -> list[Span]:
        return [item.span for item in self.items.values() if item.span is not None]

    def _from_labels(self, text: str) -> list[Verdict]:
        """A verdict for each shot with a label that says keep or drop."""
        told = parse_labels(text, "The CSV")
        words = {"keep": "accept", "drop": "reject"}
        return [
            Verdict(span.id, words[label.verdict], label.reason if label.verdict == "drop" else "")
            for span, label in match(told, self._spans(), file_names(Workspace(self.root)))
            if label is not None and label.verdict in words
        ]

    def from_csv(self, text: str) -> int:
        """Import verdicts from a CSV with the columns id, verdict and, optionally, reason, or from a label file (video,
        start, end, verdict); returns how many were new.

        Raises:
            InputError: a column is missing, or a line names an unknown shot or verdict; nothing is imported then.
        """
        text = text.removeprefix("\ufeff")
        columns = set(csv.DictReader(io.StringIO(text)).fieldnames or ())
        if set(COLUMNS) <= columns:
            found = self._from_labels(text)
        elif {"id", "verdict"} <= columns:
            found = self._from_verdicts(text)
        else:
            raise InputError("The CSV has no columns id and verdict", remedy="Export one to see the format")
        fresh = [v for v in found if not self._known(v)]
        if fresh:
            append_verdicts(self.root, fresh)
            self.verdicts = read_verdicts(self.root)
        return len(fresh)

    def _from_verdicts(self, text: str) -> list[Verdict]:
        found = []
        for number, line in enumerate(csv.DictReader(io.StringIO(text)), start=2):
            cells = {name: from_csv_cell(line.get(name) or "") for name in ("id", "verdict", "reason", "time")}
            verdict = Verdict(**cells)
            if not verdict.verdict:
                continue
            if verdict.id not in self.items or verdict.verdict not in ("accept", "reject"):
                raise InputError(f"CSV line {number}: no such shot or verdict", remedy="Fix or remove the line")
            found.append(verdict)
        return found

    def _known(self, verdict: Verdict) -> bool:
        known = self.verdicts.get(verdict.id)
        return known is not None and (known.verdict, known.reason) == (verdict.verdict, verdict.reason)


def load_items(workspace: Workspace, config: CurateConfig) -> list[Item]:
    """Kept and dropped shots of the last run, in id order.

    Raises:
        InputError: curate has not run in this workspace.
    """
    if not workspace.has("shots"):
        raise InputError(f"{workspace.root} has no shots", remedy="Run: flythrough curate")
    return sorted((_item(each, config) for each in decided_in(workspace)), key=lambda item: item.id)


def _item(shot: Decided, config: CurateConfig) -> Item:
    measures = shot.measures
    rule = measures.get("rule") if "verdict" in measures else shot.reason
    shown = {k: v for k, v in measures.items() if k not in ("hash", "pictures", "box")}
    sure = margin(measures, config)
    return Item(shot.id, shot.video_id, rule, sure, shown, measures.get("pictures", ""), shot.span())


def margin(measures: Mapping[str, object], config: CurateConfig) -> float:
    """Distance of the deciding figure from its threshold, as the logarithm of their ratio; 99 if there is none."""
    room = math.inf
    for limit in config.rules.limits():
        value = measures.get(limit.measure)
        if getattr(config.rules, limit.rule).mode == "off" or not isinstance(value, SupportsFloat):
            continue
        threshold = config.rules.threshold(limit)
        ratio = math.log((abs(float(value)) + 1e-6) / (threshold + 1e-6))
        room = min(room, ratio if limit.least else -ratio)
    return round(abs(room), 4) if math.isfinite(room) else 99.0


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
