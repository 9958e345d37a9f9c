"""Score the frames of a submission again, and compare the scores with those it claims.

The frames are scored by ``flythrough evaluate score`` in a process of its own, so this stage needs no torch, and a
picture that breaks a decoder breaks it there.
"""

from __future__ import annotations

import math
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from flythrough.errors import InputError
from flythrough.results.collected import result_rows
from flythrough.results.metrics import METRICS
from flythrough.results.schema import Result, Value, read_result
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.printing import one_line

from .consistency import FLOOR_TOLERANCE
from .entries import FRAMES
from .package import open_submission

PIXELS_TOLERANCE = 1e-6  # of metrics computed from pixels: the same sums in another order
LPIPS_TOLERANCE = 5e-4  # absolute: float32 networks differ so much between processors
OF_PIXELS = "(revisit_)?(psnr|ssim|mse)(_seen)?"
Scorer = Callable[[list[str]], int]


def rescore(workspace: Workspace, path: Path, *, keep: bool = False, run: Scorer | None = None) -> Result:
    """Score the frames inside a submission on the workspace's clips.

    Args:
        workspace: with the clips of the protocol, and results on it.
        path: the submission, already checked.
        keep: store the scores in the workspace, as ``rescored``.
        run: runs ``flythrough`` with the given arguments; by default in a process of its own.

    Returns:
        The result scored here.

    Raises:
        InputError: it has no frames, they cannot be scored, or give other values than it claims.
    """
    run = run or _run
    with tempfile.TemporaryDirectory(prefix="flythrough-") as scratch:
        submission = open_submission(path, frames_to=Path(scratch))
        claimed = submission.result
        if not submission.flights:
            raise InputError(f"{path} has no frames to score", remedy="Pack the folder that has them")
        out = Path(scratch) / "results.json"
        words = ["evaluate", "score", str(Path(scratch) / FRAMES), "--name", claimed.method.name]
        words += ["--workspace", str(workspace.root), "--protocol", _protocol(workspace, claimed)]
        if run([*words, "--out", str(out)]) or not out.is_file():
            raise InputError(f"The frames of {path} could not be scored", remedy="See what evaluate says above")
        ours = read_result(out)
        if ours.protocol.hash != claimed.protocol.hash:
            said = f"protocol {ours.protocol.hash[:12]}, not {claimed.protocol.hash[:12]}"
            remedy = "Use the workspace whose results the submission is compared with"
            raise InputError(f"{workspace.root} scores {said}", remedy=remedy)
        if wrong := differences(claimed, ours):
            more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
            raise InputError(
                f"{path} is refused: {one_line(wrong[0])}{more}",
                remedy="Score the frames again with flythrough evaluate",
            )
        if keep and run(words):
            raise InputError(f"The scores of {path} could not be kept", remedy="See what evaluate says above")
        return ours


def differences(claimed: Result, ours: Result) -> list[str]:
    """The claimed values that differ from those scored here, as sentences.

    Camera figures are left out: structure from motion may give another result on another machine, by how much was not
    measured. The page shows the figures scored here.
    """
    measured = {(value.metric, value.step): value for value in ours.values}
    wrong = []
    for value in claimed.values:
        other = measured.get((value.metric, value.step))
        if other is None or value.value is None or other.value is None or _of_cameras(value.metric):
            continue
        if not _close(value, value.value, other.value):
            name = value.metric if value.step is None else f"{value.metric}@{value.step}"
            wrong.append(f"{name} is {value.value:.8g}, but its frames give {other.value:.8g}")
    return wrong


def _close(value: Value, claimed: float, found: float) -> bool:
    if "lpips" in value.metric:
        return abs(claimed - found) <= LPIPS_TOLERANCE
    of_pixels = re.fullmatch(OF_PIXELS, value.metric) is not None
    drift = value.metric in METRICS and METRICS[value.metric].family == "drift"  # a difference, which may be near 0
    abs_tol = FLOOR_TOLERANCE if drift else 1e-9
    return math.isclose(claimed, found, rel_tol=PIXELS_TOLERANCE if of_pixels else FLOOR_TOLERANCE, abs_tol=abs_tol)


def _of_cameras(metric: str) -> bool:
    return metric in METRICS and METRICS[metric].family in ("following", "published")


def _protocol(workspace: Workspace, claimed: Result) -> str:
    """The protocol's file beside a result of it, or its name if it is shipped with the package."""
    name = claimed.protocol.name
    files = {r["results_file"] for r in result_rows(workspace) if r["protocol_hash"] == claimed.protocol.hash}
    beside = sorted((workspace / file).with_name(f"{name}.toml") for file in files if file)
    return next((str(file) for file in beside if file.is_file()), name)


def _run(words: list[str]) -> int:
    """Run the program with its output on stderr, because the output of ``check`` may be read by another program."""
    return subprocess.run([sys.executable, "-m", "flythrough", *words], stdout=sys.stderr).returncode
