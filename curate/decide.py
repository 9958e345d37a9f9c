"""Decide which measured shots are kept: rules, then duplicates, then a reviewer's verdict."""

from __future__ import annotations

import json
from collections.abc import Sequence

from flythrough.rules import MissingMeasure, Verdict
from flythrough.workspace.catalog import Row, Workspace, to_json
from flythrough.workspace.files import JsonObject
from flythrough.workspace.stage import Outcome

from .config import CurateConfig
from .duplicates import find_duplicates
from .review.verdicts import read_verdicts
from .rules import Duplicate, Rules
from .score.spans import PLACE


def decide(outcome: Outcome, workspace: Workspace, config: CurateConfig) -> Outcome:
    """Split all measured shots into rows and drops; given shots are kept, whatever the rules say."""
    verdicts = read_verdicts(workspace.root)
    decided = Outcome(drops=list(outcome.drops), errors=list(outcome.errors), others=dict(outcome.others))
    judged = _by_rules(outcome.rows, config.rules)
    for row in outcome.rows:
        measures, (reason, scored), failure = judged[row["id"]]
        if row["camera_file"] is not None:
            scored, reason, failure = [*scored, *([reason] if reason else [])], None, None
        verdict = verdicts.get(row["id"])
        measures["scored"] = scored
        if verdict is not None:
            measures |= {"verdict": verdict.verdict, "rule": reason}
            reason = (verdict.reason or "reviewer") if verdict.verdict == "reject" else None
        elif failure is not None:
            decided.errors.append({"id": row["id"], **failure})
            continue
        if reason is None:
            decided.rows.append({**row, "measures": to_json(measures)})
        else:
            place = {name: row[name] for name in PLACE}
            decided.drops.append({"id": row["id"], "reason": reason, "values": {**measures, **place}})
    return decided


Failure = dict[str, str]


def _by_rules(rows: Sequence[Row], rules: Rules) -> dict[str, tuple[JsonObject, Verdict, Failure | None]]:
    """For each shot: its measures, and the rules' verdict or the reason why there is none."""
    found = {row["id"]: _judge(json.loads(row["measures"]), rules) for row in rows}
    if rules[Duplicate].mode != "off":
        given = {row["id"] for row in rows if row["camera_file"] is not None}
        left = [id for id, (_, verdict, failure) in found.items() if verdict.reason is None and failure is None]
        span = {row["id"]: (row["video_id"], row["start_us"], row["end_us"]) for row in rows}
        hashed = [(id, span[id], found[id][0]["hash"]) for id in left if id not in given]
        for id, original in find_duplicates(hashed, rules[Duplicate].max_distance_bits).items():
            found[id] = _judge({**found[id][0], "duplicate_of": original}, rules)
    return found


def _judge(measures: JsonObject, rules: Rules) -> tuple[JsonObject, Verdict, Failure | None]:
    try:
        return measures, rules.judge(measures), None
    except MissingMeasure as error:
        return measures, Verdict(None, []), {"kind": error.kind, "message": error.message, "remedy": error.remedy}
