"""Results that others measured: checked against what was measured here, then shown beside it.

A ``results.json`` names its protocol by hash, carries the raw value of every start and the floor of every distance.
A changed mean, a left-out start, another protocol, other feature weights: each shows. Made-up raw values do not;
entries are therefore marked "submitted", and who doubts one asks for its frames and scores them.
"""

from __future__ import annotations

import logging
import math
import re
from pathlib import Path
from typing import Any

from flythrough.errors import InputError
from flythrough.results.metrics import METRICS
from flythrough.results.ranking import FLOOR_METHOD
from flythrough.results.schema import Result, read_result, results_behind
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import read_json, sha256_of, write_json

log = logging.getLogger("flythrough.leaderboard")

FOLDER = "leaderboard/submissions"
METHOD_NAME = "[a-z0-9][a-z0-9._-]{0,79}"  # evaluate writes no other; it becomes a file's name
INCEPTION = frozenset({"fid", "kid", "fid_sw", "kid_sw"})
REL_TOLERANCE = 1e-6
FLOOR_TOLERANCE = 1e-3  # a floor is measured anew on each machine


def add_submission(workspace: Workspace, path: Path, *, replace: bool = False) -> Path:
    """Check a results file and keep a copy in the workspace; the next ``flythrough leaderboard`` shows it.

    Raises:
        InputError: it is not of a protocol measured here, does not hold together, or its method is listed already.
    """
    submission = read_result(path)
    rows = [row for row in workspace.rows("results") if row["source"] == "measured"]
    if reason := reject(submission, rows, results_behind(workspace, rows)):
        raise InputError(f"{path} is refused: {reason}", remedy="Score the frames again with flythrough evaluate")
    target = workspace / FOLDER / f"{submission.method.name}.{submission.protocol.hash[:8]}.json"
    if target.exists() and not replace and sha256_of(target) != sha256_of(path):
        raise InputError(f"{submission.method.name} is listed already", remedy="Use --replace, or another name")
    write_json(target, read_json(path))
    return target


def reject(submission: Result, rows: list[Row], references: list[Result]) -> str | None:
    """Why a submission cannot be listed, or None.

    Args:
        submission: what was handed in.
        rows: rows measured here.
        references: results files measured here.
    """
    known = {row["protocol_hash"]: row["protocol"] for row in rows}
    if not known:
        return "nothing was measured in this workspace to hold it against"
    hash = submission.protocol.hash
    if hash not in known:
        ours = ", ".join(f"{name} {hash[:12]}" for hash, name in known.items())
        return f"its protocol {submission.protocol.name} {hash[:12]} is not the one measured here ({ours})"
    if submission.status == "failed":
        return f"its method failed ({submission.failure})"
    if not re.fullmatch(METHOD_NAME, submission.method.name) or submission.method.name == FLOOR_METHOD:
        return f"{submission.method.name!r} cannot be a method's name"
    if submission.method.name in {row["method"] for row in rows}:
        return f"{submission.method.name} was measured here; hand it in under another name"
    same = [each for each in references if each.protocol.hash == hash and each.status == "scored"]
    return _other_ruler(submission, same) or _other_starts(submission, same) or _disagreement(submission)


def _other_ruler(submission: Result, references: list[Result]) -> str | None:
    """Distances must rest on the same feature weights and the same real frames as ours, and say so."""
    for reference in references:
        theirs = {value.metric for value in submission.values if value.value is not None}
        for use in sorted(set(reference.weights) - set(submission.weights)):
            if any(_rests_on(use, metric) for metric in theirs):
                return f"it does not say what its weights for {use.removeprefix('metric:')} are"
        for use, sha256 in submission.weights.items():
            if use.startswith("metric:") and reference.weights.get(use, sha256) != sha256:
                return f"its weights for {use.removeprefix('metric:')} are not ours"
        floors = {v.metric: v.floor for v in reference.values if v.floor is not None}
        for value in submission.values:
            ours = floors.get(value.metric)
            if value.value is None or ours is None:
                continue
            if value.floor is None:
                return f"it has no floor of {value.metric}"
            if not math.isclose(value.floor, ours, rel_tol=FLOOR_TOLERANCE, abs_tol=1e-9):
                return f"its floor of {value.metric} is {value.floor:.6g}, ours {ours:.6g}"
    return None


def _rests_on(use: str, metric: str) -> bool:
    """Whether a metric is measured with the weights that results files list as ``use``."""
    network = use.removeprefix("metric:")
    if use == network:
        return False  # a method's own weights
    return metric == network or network in metric or (network == "inception" and metric in INCEPTION)


def _other_starts(submission: Result, references: list[Result]) -> str | None:
    ours = {
        (start, name)
        for each in references
        if each.method.name != FLOOR_METHOD
        for start, v in each.starts.items()
        for name in v
    }
    theirs = {(start, name) for start, values in submission.starts.items() for name in values}
    if ours and not theirs:
        return "it has no raw values of the protocol's starts"
    names = {name for _, name in theirs} & {name for _, name in ours if "@" in name}
    missing = sorted(f"{name} of {start}" for start, name in ours - theirs if name in names)
    extra = sorted({start for start, _ in theirs} - {start for start, _ in ours}) if ours else []
    if missing:
        return f"it lacks {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
    return f"start {extra[0]} is not in the protocol" if extra else None


def _disagreement(submission: Result) -> str | None:
    """Means must be the means of the raw values, and lie in their intervals."""
    by_name: dict[str, list[float]] = {}
    for of_start in submission.starts.values():
        for name, number in of_start.items():
            if number is not None:
                by_name.setdefault(name, []).append(number)
    for value in submission.values:
        name = value.metric if value.step is None else f"{value.metric}@{value.step}"
        raw = by_name.get(name)
        if value.value is None or (raw is None and value.step is None):
            continue
        if raw is None:
            return f"{name} has no raw values"
        mean = math.fsum(raw) / len(raw)
        if not math.isclose(value.value, mean, rel_tol=REL_TOLERANCE, abs_tol=1e-12):
            return f"{name} is {value.value:.6g}, but its raw values mean {mean:.6g}"
        slack = REL_TOLERANCE * abs(mean) + 1e-12
        if value.low is not None and value.high is not None and not value.low - slack <= mean <= value.high + slack:
            return f"{name} lies outside its own interval"
    if submission.follows_camera and "follow_correlation" not in by_name:
        return "it claims to follow its camera without measuring it"
    return None


def submissions(workspace: Workspace) -> list[Result]:
    """The submissions that can be read; others, which something else than this program put there, are logged."""
    found = []
    for file in submission_files(workspace):
        try:
            found.append(read_result(file))
        except InputError as error:
            log.warning("Left out: %s", error)
    return found


def submission_files(workspace: Workspace) -> list[Path]:
    """The results files handed in, in order of name."""
    return sorted((workspace / FOLDER).glob("*.json"))


def describe(submission: Result) -> dict[str, Any]:
    """What the command line prints of an accepted submission."""
    primary = [v for v in submission.values if v.step is None and v.metric in METRICS and METRICS[v.metric].primary]
    return {"method": submission.method.name, "protocol": submission.protocol.name} | {
        v.metric: v.value for v in primary
    }
