"""Verdicts over finished tasks: the rules are applied again in every run, to figures measured once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import groupby

from flythrough.workspace.catalog import Row, to_json
from flythrough.workspace.records.packed import PackedRows
from flythrough.workspace.stage import Outcome

from .rules import FewFramesPosed, NoMotion, Rotation, Rules

BY_RULE = "by_rule"  # in a drop's values as a task records it: a rule dropped it, so other settings may keep it


def decide(outcome: Outcome, rules: Rules) -> Outcome:
    """Split all posed pieces into rows and drops by the current settings of the rules."""
    decided = Outcome(PackedRows(), PackedRows(), outcome.errors, outcome.others)
    for drop in outcome.drops:
        values = {name: value for name, value in drop["values"].items() if name != BY_RULE}
        reason = rules.judge(values, partial=True).reason if BY_RULE in drop["values"] else None
        decided.drops.append({**drop, "reason": reason or drop["reason"], "values": values})
    for shot, pieces in groupby(outcome.rows, key=lambda row: row["shot_id"]):
        for found in _judged(shot, list(pieces), rules):
            (decided.drops if "reason" in found else decided.rows).append(found)
    return decided


def _judged(shot: str, pieces: list[Row], rules: Rules) -> Iterator[Row]:
    """Rows of the pieces that are kept, and drops: one for the whole shot if its own figures fail a rule."""
    measured = [json.loads(piece["measures"]) for piece in pieces]
    of_shot = {name: value for name, value in measured[0].items() if all(m.get(name) == value for m in measured)}
    if reason := rules.only(NoMotion, Rotation, FewFramesPosed).judge(of_shot, partial=True).reason:
        yield {"id": shot, "reason": reason, "values": of_shot}
        return
    for piece, measures in zip(pieces, measured, strict=True):
        reason, scored = rules.judge(measures, partial=True)
        if reason is not None:
            yield {"id": piece["id"], "reason": reason, "values": measures}
        else:
            yield {**piece, "measures": to_json({**measures, "scored": scored})}


def relents(outcome: Outcome, rules: Rules) -> bool:
    """Whether the rules now accept a shot or piece that they dropped before."""
    stopped = [drop["values"] for drop in outcome.drops if BY_RULE in drop["values"]]
    return any(rules.judge(values, partial=True).reason is None for values in stopped)
