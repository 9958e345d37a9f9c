"""A consistent results file, and a workspace to submit it to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from flythrough.leaderboard.submissions import add_submission
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_json

HASH = "ab" * 32
STARTS = ("c-000000", "c-000004")
FLIGHTS = tuple(f"{kind}/{start}" for kind in ("view_synthesis", "generation") for start in STARTS)


def record(name: str, frames: str = "0") -> dict[str, Any]:
    """A consistent results file; its frames' hashes are made from ``frames``, one hex digit."""
    values = [
        {"metric": "fd_lite0", "value": 90.0, "low": 89.0, "high": 91.0, "n": 60, "floor": 9.0, "ranked": True},
        {"metric": "psnr", "step": 5, "value": 21.0, "low": 19.0, "high": 23.0, "n": 2, "ranked": True},
        {"metric": "style_lite0", "value": 0.5, "low": 0.4, "high": 0.6, "n": 60, "ranked": True},
    ]
    starts = {
        start: {"psnr@5": psnr, "style_lite0": style, "follow_correlation": 0.9}
        for start, psnr, style in zip(STARTS, (20.0, 22.0), (0.4, 0.6), strict=True)
    }
    known = {"status": "scored", "protocol": {"name": "p-v1", "hash": HASH}, "method": {"name": name}}
    return known | {
        "weights": {"metric:lite0": "cd" * 32},
        "frames_sha256": {flight: f"{place}{frames}" * 32 for place, flight in enumerate(FLIGHTS)},
        "follows_camera": True,
        "values": values,
        "starts": starts,
    }


def make_workspace(root: Path) -> Workspace:
    """One method measured, and one submitted."""
    found = Workspace(root)
    ours = record("ours", frames="a")
    file = "evaluate/ours.0/results.json"
    write_json(found / file, ours)
    common = {"protocol": "p-v1", "protocol_hash": HASH, "method": "ours", "source": "measured", "results_file": file}
    found.write("results", [{**value, **common} for value in ours["values"]])
    hand_in(found, record("earlier", frames="b"))
    return found


def hand_in(workspace: Workspace, claim: dict[str, Any] | bytes) -> Path:
    file = workspace.root.parent / "theirs.json"
    file.write_bytes(claim if isinstance(claim, bytes) else json.dumps(claim).encode())
    return add_submission(workspace, file)
