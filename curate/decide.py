"""Decide which measured shots are kept: rules, then duplicates, then a reviewer's verdict."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from flythrough.rules import MissingMeasure, Verdict
from flythrough.workspace.catalog import Row, Workspace, to_json
from flythrough.workspace.files import JsonObject
from flythrough.workspace.records.packed import PackedRows
from flythrough.workspace.stage import Outcome

from .config import CurateConfig
from .duplicates import Place, find_duplicates
from .review.verdicts import read_verdicts
from .rules import Duplicate, Rules
from .score.spans import PLACE


def decide(outcome: Outcome, workspace: Workspace, config: CurateConfig) -> Outcome:
    """Split all measured shots into rows and drops; given shots are kept, whatever the rules say.

    Shots are judged one at a time, since the measures of a million take gigabytes; twice if duplicates are looked for.
    """
    verdicts = read_verdicts(workspace.root)
    decided = Outcome(PackedRows(), PackedRows(outcome.drops), list(outcome.errors), dict(outcome.others))
    originals = _originals(outcome.rows, config.rules)
    for row in outcome.rows:
        measures, (reason, scored), failure = _judge(row, config.rules, originals)
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


def _originals(rows: Iterable[Row], rules: Rules) -> dict[str, str]:
    """For each shot that repeats an earlier one, the id of that one; only shots that the rules keep are compared."""
    if rules[Duplicate].mode == "off":
        return {}

    def hashed() -> Iterator[tuple[str, Place, str]]:
        for row in rows:
            if row["camera_file"] is None:
                measures, verdict, failure = _judge(row, rules, {})
                if verdict.reason is None and failure is None:
                    yield row["id"], (row["video_id"], row["start_us"], row["end_us"]), measures["hash"]

    return find_duplicates(hashed(), rules[Duplicate].max_distance_bits)


def _judge(row: Row, rules: Rules, originals: Mapping[str, str]) -> tuple[JsonObject, Verdict, Failure | None]:
    """A shot's measures, and the rules' verdict or the reason why there is none."""
    measures = json.loads(row["measures"])
    if (original := originals.get(row["id"])) is not None:
        measures["duplicate_of"] = original
    try:
        return measures, rules.judge(measures), None
    except MissingMeasure as error:
        return measures, Verdict(None, []), {"kind": error.kind, "message": error.message, "remedy": error.remedy}
