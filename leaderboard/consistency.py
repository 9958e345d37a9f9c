"""Whether a results file is consistent, and whether its frames are its own."""

from __future__ import annotations

import math
import re

from flythrough.results.metrics import METRICS
from flythrough.results.ranking import FLOOR_METHOD
from flythrough.results.schema import Result, Value

INCEPTION = frozenset({"fid", "kid", "fid_sw", "kid_sw", "md_inception", "fid_drift"})
KERNEL = frozenset({"kid", "kd_lite0"})
REL_TOLERANCE = 1e-6
FLOOR_TOLERANCE = 1e-3  # a floor is measured again on each machine


def inconsistency(submission: Result, references: list[Result]) -> str | None:
    """Evidence that the numbers were not made as ours were, or were changed; None if there is none.

    Args:
        submission: the submitted results.
        references: scored results of the same protocol, measured here.
    """
    starts = None if is_loose(submission) else _other_starts(submission, references)
    return _other_ruler(submission, references) or starts or _disagreement(submission)


def is_loose(submission: Result) -> bool:
    """Whether a submission has only set distances of frames that belong to no start, such as a video's."""
    if submission.starts or submission.replicates or submission.curves or submission.follows_camera:
        return False
    claimed = {value.metric for value in submission.values if value.value is not None}
    one_set = len(submission.frames_sha256) == 1 and not any("/" in name for name in submission.frames_sha256)
    return one_set and claimed <= {name for name, each in METRICS.items() if each.family == "distance"}


def reused_frames(submission: Result, others: list[Result]) -> str | None:
    """Which other method's frames a submission contains, or what it leaves out to hide that; None if nothing is found.

    Args:
        submission: the submitted results.
        others: results of other methods on the same protocol, measured here or submitted.
    """
    hashes = submission.frames_sha256
    flown = (each for each in others if each.method.name != FLOOR_METHOD and not is_loose(each))
    expected = {flight for each in flown for flight in each.frames_sha256}
    if not is_loose(submission) and (missing := sorted(expected - set(hashes))):
        return f"it does not say which frames {missing[0]} has (frames_sha256)"
    seen: dict[tuple[str, str], str] = {}  # one flight may be the beginning of the other kind's
    for flight, sha256 in sorted(hashes.items()):
        if not re.fullmatch("[0-9a-f]{64}", sha256):
            return f"the hash of its frames {flight} is not a SHA-256"
        kind = flight.partition("/")[0] if "/" in flight else ""
        if (earlier := seen.setdefault((kind, sha256), flight)) != flight:
            return f"its flights {earlier} and {flight} have the same frames"
    for other in others:
        if shared := sorted(set(hashes.items()) & set(other.frames_sha256.items())):
            return f"its frames of {shared[0][0]} are those of {other.method.name}"
        if is_loose(submission) and set(hashes.values()) & set(other.frames_sha256.values()):
            return f"its frames are those of {other.method.name}"
    return None


def _other_ruler(submission: Result, references: list[Result]) -> str | None:
    """Distances must use the same feature weights and the same real frames as ours, and state them."""
    for reference in references:
        theirs = {value.metric for value in submission.values if value.value is not None}
        for use in sorted(set(reference.weights) - set(submission.weights)):
            if any(_rests_on(use, metric) for metric in theirs):
                return f"it does not say what its weights for {use.removeprefix('metric:')} are"
        for use, sha256 in submission.weights.items():
            if use.startswith("metric:") and reference.weights.get(use, sha256) != sha256:
                return f"its weights for {use.removeprefix('metric:')} are not ours"
        floors = {v.metric: v.floor for v in reference.values if v.floor is not None}
        counts = {v.metric: v.n for v in reference.values}
        loose = is_loose(submission) or is_loose(reference)
        for value in submission.values:
            ours = floors.get(value.metric)
            if value.value is None or ours is None:
                continue
            if value.floor is None:
                return f"it has no floor of {value.metric}"
            if value.metric in KERNEL and loose and value.n != counts[value.metric]:
                continue  # subsets are at most as large as a loose set of frames, and so are its floor's
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
    names = {name for _, name in theirs} & {name for _, name in ours if not _may_be_left_out(name)}
    missing = sorted(f"{name} of {start}" for start, name in ours - theirs if name in names)
    extra = sorted({start for start, _ in theirs} - {start for start, _ in ours}) if ours else []
    if missing:
        return f"it lacks {missing[0]}" + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
    return f"start {extra[0]} is not in the protocol" if extra else None


def _may_be_left_out(name: str) -> bool:
    """Whether a flight may be without an entry of a metric: a camera that was not stated cannot be compared."""
    return name in ("follow_correlation", "follow_gain")


def _disagreement(submission: Result) -> str | None:
    """Means must be the means of the raw values, of all starts, and every value must lie in its interval."""
    raw: dict[str, dict[str, float | None]] = {}
    for start, of_start in submission.starts.items():
        for name, number in of_start.items():
            raw.setdefault(name, {})[start] = number
    seen: set[str] = set()
    for value in submission.values:
        name = value.metric if value.step is None else f"{value.metric}@{value.step}"
        if name in seen:
            return f"it has two values of {name}"
        seen.add(name)
        if value.value is None:
            continue
        has_raw = name in raw or value.step is not None
        reason = _other_mean(value, value.value, name, raw.get(name, {})) if has_raw else None
        if reason := reason or _other_interval(value, value.value, name):
            return reason
    known = any(number is not None for number in raw.get("follow_correlation", {}).values())
    if submission.follows_camera and not known:
        return "it claims to follow its camera without measuring it"
    return None


def _other_mean(value: Value, claimed: float, name: str, raw: dict[str, float | None]) -> str | None:
    numbers = [number for number in raw.values() if number is not None]
    if not numbers:
        return f"{name} has no raw values"
    if lost := [start for start, number in raw.items() if number is None]:
        worst = _worst(value.metric, numbers)
        if worst is None:
            return f"{name} has a value, but its start {lost[0]} has none"
        numbers += [worst] * len(lost)
    mean = math.fsum(numbers) / len(numbers)
    if not math.isclose(claimed, mean, rel_tol=REL_TOLERANCE, abs_tol=1e-12):
        return f"{name} is {claimed:.6g}, but its raw values mean {mean:.6g}"
    if value.step is not None and value.n != len(numbers):
        return f"{name} says n = {value.n}, but has {len(numbers)} raw values"
    return None


def _worst(metric: str, numbers: list[float]) -> float | None:
    """The value that a flight without one counts as; None for metrics that every flight has."""
    if metric not in METRICS or METRICS[metric].family not in ("following", "published"):
        return None
    return 0.0 if METRICS[metric].direction != "lower" else max(numbers)


def _other_interval(value: Value, claimed: float, name: str) -> str | None:
    if (value.low is None) != (value.high is None):
        return f"{name} has an interval with one end"
    slack = REL_TOLERANCE * abs(claimed) + 1e-12
    low, high = (-math.inf, math.inf) if value.low is None or value.high is None else (value.low, value.high)
    return None if low - slack <= claimed <= high + slack else f"{name} lies outside its own interval"
