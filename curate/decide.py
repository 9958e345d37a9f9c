"""From measured shots to kept and dropped ones: rules, then duplicates, then a person's word."""

from __future__ import annotations

import json
from typing import Any

from flythrough.workspace.catalog import Row, Workspace, to_json
from flythrough.workspace.stage import Outcome

from .config import CurateConfig
from .duplicates import find_duplicates
from .review.verdicts import read_verdicts
from .rules import MissingMeasure, judge


def decide(outcome: Outcome, workspace: Workspace, config: CurateConfig) -> Outcome:
    """Split all measured shots into rows and drops; given shots are kept, whatever the rules say."""
    verdicts = read_verdicts(workspace.root)
    decided = Outcome(errors=list(outcome.errors), others=dict(outcome.others))
    reasons, scored = _by_rules(outcome.rows, config)
    for row in outcome.rows:
        measures = json.loads(row["measures"])
        reason, failure = reasons[row["id"]]
        verdict = verdicts.get(row["id"])
        measures["scored"] = scored[row["id"]]
        if verdict is not None:
            measures |= {"verdict": verdict.verdict, "rule": reason}
            reason = (verdict.reason or "reviewer") if verdict.verdict == "reject" else None
        elif failure is not None:
            decided.errors.append({"id": row["id"], **failure})
            continue
        if reason is None:
            decided.rows.append({**row, "measures": to_json(measures)})
        else:
            box = {k: row[k] for k in ("start_frame", "end_frame")}
            decided.drops.append({"id": row["id"], "reason": reason, "values": {**measures, **box}})
    return decided


def _by_rules(rows: list[Row], config: CurateConfig) -> tuple[dict[str, tuple[str | None, Any]], dict[str, list[str]]]:
    """For each shot: what drops it (or None) and why that cannot be told; and what would, were it enforced."""
    reasons: dict[str, tuple[str | None, Any]] = {}
    scored: dict[str, list[str]] = {}
    for row in rows:
        failure = None
        try:
            reason, scored[row["id"]] = judge(json.loads(row["measures"]), config.rules)
        except MissingMeasure as error:
            reason, scored[row["id"]] = None, []
            failure = {"kind": error.kind, "message": error.message, "remedy": error.remedy}
        if row["camera_file"] is not None:
            scored[row["id"]] += [reason] if reason else []
            reason, failure = None, None
        reasons[row["id"]] = (reason, failure)
    rule = config.rules.duplicate
    if rule.mode != "off":
        left = [r for r in rows if reasons[r["id"]] == (None, None) and r["camera_file"] is None]
        hashed = [(r["id"], json.loads(r["measures"])["hash"]) for r in left]
        for id in find_duplicates(hashed, rule.max_distance_bits):
            if rule.mode == "enforce":
                reasons[id] = ("duplicate", None)
            else:
                scored[id].append("duplicate")
    return reasons, scored
