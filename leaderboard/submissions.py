"""Results measured by others: checked against those measured here, then shown beside them.

A ``results.json`` names its protocol by hash, and has the raw value of every start and the floor of every distance. A
changed mean, a left-out start, another protocol and other feature weights are detected. Made-up raw values are not;
entries are therefore marked "submitted", and whoever doubts one asks for its frames and scores them.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from pathlib import Path

from flythrough.errors import InputError
from flythrough.results.collected import result_rows
from flythrough.results.metrics import METRICS
from flythrough.results.ranking import FLOOR_METHOD
from flythrough.results.schema import Result, results_behind
from flythrough.results.versions import version_notes
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import JsonObject
from flythrough.workspace.printing import one_line

from . import store
from .consistency import inconsistency, reused_frames
from .package import Submission, open_submission

log = logging.getLogger("flythrough.leaderboard")

METHOD_NAME = "[a-z0-9][a-z0-9._-]{0,79}"  # as evaluate writes it; it becomes a file's name
_ALIKE = str.maketrans("015i", "olsl")


def add_submission(workspace: Workspace, path: Path, *, replace: bool = False) -> Path:
    """Check a submission and keep its numbers in the workspace; the next ``flythrough leaderboard`` shows them.

    Args:
        workspace: of the leaderboard.
        path: a packed submission, an unpacked one, or a ``results.json``.
        replace: supersede an earlier submission of the method, which is kept.

    Raises:
        InputError: it is not of a protocol measured here, is inconsistent, or its method is listed already.
    """
    submission = open_submission(path)
    with store.locked(workspace):
        refuse(workspace, submission.result, path)
        return store.put(workspace, submission.result, replace=replace)


def check_submission(workspace: Workspace, path: Path) -> Submission:
    """All checks of :func:`add_submission`, without writing; returns the submission.

    Raises:
        InputError: as there, except for a method that is listed already.
    """
    submission = open_submission(path)
    refuse(workspace, submission.result, path)
    return submission


def refuse(workspace: Workspace, result: Result, path: Path) -> None:
    """Compare a result with those measured here and those submitted before.

    Raises:
        InputError: it cannot be listed.
    """
    rows = [row for row in result_rows(workspace) if row["source"] == "measured"]
    if reason := reject(result, rows, results_behind(workspace, rows), submissions(workspace)):
        reason = one_line(reason, 300)
        raise InputError(f"{path} is refused: {reason}", remedy="Score the frames again with flythrough evaluate")


def reject(submission: Result, rows: list[Row], references: list[Result], listed: Iterable[Result] = ()) -> str | None:
    """Why a submission cannot be listed, or None.

    Args:
        submission: the submitted results.
        rows: rows measured here.
        references: results files measured here.
        listed: earlier submissions.
    """
    known = {row["protocol_hash"]: row["protocol"] for row in rows}
    if not known:
        return "nothing was measured in this workspace to compare it with"
    hash = submission.protocol.hash
    if hash not in known:
        ours = ", ".join(f"{name} {hash[:12]}" for hash, name in known.items())
        differ = version_notes([submission, *references]).get(submission.protocol.name)
        why = f": scored by version {submission.protocol.scoring_version} of the recipe" if differ else ""
        return f"its protocol {submission.protocol.name} {hash[:12]} is not the one measured here ({ours}){why}"
    if submission.protocol.name != known[hash]:
        return f"its protocol is called {submission.protocol.name!r}; the one of this hash is {known[hash]}"
    if submission.status == "failed":
        return f"its method failed ({submission.failure})"
    name = submission.method.name
    others = [each for each in listed if each.protocol.hash == hash and each.method.name != name]
    if reason := _name_problem(name, {row["method"] for row in rows}, {each.method.name for each in others}):
        return reason
    same = [each for each in references if each.protocol.hash == hash and each.status == "scored"]
    return inconsistency(submission, same) or reused_frames(submission, [*same, *others])


def _name_problem(name: str, measured: set[str], listed: set[str]) -> str | None:
    if not re.fullmatch(METHOD_NAME, name) or name == FLOOR_METHOD:
        return f"{name!r} cannot be a method's name: use a-z, 0-9, '.', '-' and '_'"
    if name in measured:
        return f"{name} was measured here; hand it in under another name"
    alike = sorted(each for each in measured | listed if _as_read(each) == _as_read(name))
    return f"its name {name} reads like {alike[0]}, which is listed here" if alike else None


def _as_read(name: str) -> str:
    """A name as readers see it: without separators, and with look-alike characters made equal."""
    return re.sub("[._-]", "", name).translate(_ALIKE).replace("rn", "m").replace("vv", "w")


def submissions(workspace: Workspace) -> list[Result]:
    """The submissions that can be read; unreadable files, which another program put there, are logged."""
    return list(submissions_by_file(workspace).values())


def submissions_by_file(workspace: Workspace) -> dict[Path, Result]:
    """As :func:`submissions`, by the file of each."""
    found = {}
    for file, submission in store.readable(workspace).items():
        if re.fullmatch(METHOD_NAME, submission.method.name):
            found[file] = submission
        else:
            log.warning("Left out: %s: %r cannot be a method's name", file, submission.method.name)
    return found


def describe(submission: Result) -> JsonObject:
    """An accepted submission, as the command line prints it."""
    primary = [v for v in submission.values if v.step is None and v.metric in METRICS and METRICS[v.metric].primary]
    return {"method": submission.method.name, "protocol": submission.protocol.name} | {
        v.metric: v.value for v in primary
    }
