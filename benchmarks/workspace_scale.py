"""A workspace of 1,000,000 shots: seconds and peak memory to write, ask for status, filter and decide what is left.

The last three steps are of sfm: its tasks' folders are made (each shot a drop, as most are), a run that finds them all
finished reads their records for its tables and writes its ledger, and what is left to do is decided once more.

    python benchmarks/workspace_scale.py [--shots 1000000] [--folder DIR]

Every step runs in a process of its own, so that each peak is its own. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.files import write_json
from flythrough.workspace.inspection import funnel, plan
from flythrough.workspace.pipeline import TASK_FILE, published_folder, run_stage
from flythrough.workspace.stage import load_stage

PER_VIDEO = 10
MEASURES = {"jitter_px": 0.4, "speed": 1.25, "sharpness": 210.5, "sky": 0.31, "overlay": 0.0, "people": 0.02,
            "brightness": 121.0, "pictures": "curate/video-0123456789ab.01234567/shot"}  # fmt: skip


def videos(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        yield {
            "id": f"video-{n:012x}", "url": f"https://example.org/{n}.mp4",
            "path": f"acquire/video-{n:012x}.01234567/v.mp4", "sha256": f"{n:064x}", "bytes": 10**8,
            "width": 1920, "height": 1080, "fps_num": 30, "fps_den": 1,
            "time_base_num": 1, "time_base_den": 90000, "frame_count": 9000, "duration_us": 3 * 10**8, "rotation": 0,
            "pixel_format": "yuv420p", "variable_frame_rate": False,
            "perceptual_hash": hashlib.sha512(f"{n}".encode()).hexdigest(),
        }  # fmt: skip


def shots(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        video, start = f"video-{n // PER_VIDEO:012x}", n % PER_VIDEO * 10**7
        yield {
            "id": f"{video}-{start}-{start + 10**7}", "video_id": video, "start_frame": 0, "end_frame": 300,
            "start_us": start, "end_us": start + 10**7, "crop_left": 0, "crop_top": 0, "crop_right": 1920,
            "crop_bottom": 1080, "measures": json.dumps({**MEASURES, "jitter_px": n % 1000 / 250}, sort_keys=True),
        }  # fmt: skip


def drops(count: int) -> Iterator[dict[str, Any]]:
    for n in range(count):
        yield {"id": f"dropped-{n}", "stage": "curate", "reason": ("shaky", "dark", "short")[n % 3], "values": "{}"}


def write(workspace: Workspace, count: int) -> dict[str, Any]:
    """Publish the tables."""
    workspace.write("videos", videos(count // PER_VIDEO))
    workspace.write("shots", shots(count))
    workspace.write("drops", drops(count))
    workspace.write("clips", [])
    write_json(workspace / "curate" / "summary.json", {"rows": count, "dropped": count})
    return {"bytes": sum(file.stat().st_size for file in workspace.root.glob("*.parquet"))}


def status(workspace: Workspace, count: int) -> dict[str, Any]:
    """What ``flythrough status`` counts."""
    found = funnel(workspace)["drops"]
    assert sum(each["count"] for each in found) == count
    return {"drops": {each["reason"]: each["count"] for each in found}}


def filter_shots(workspace: Workspace, count: int) -> dict[str, Any]:
    """Ids of the shots below a measured figure."""
    chosen = [row["id"] for row in workspace.scan("shots", ("id", "measures")) if _jitter(row) < 1]
    assert len(chosen) == count // 4
    return {"chosen": len(chosen)}


def _jitter(row: dict[str, Any]) -> float:
    return float(json.loads(row["measures"])["jitter_px"])


def resume_new(workspace: Workspace, count: int) -> dict[str, Any]:
    """Which of the shots' tasks sfm would run if none was run before: keys and states of all of them."""
    return _resume(workspace, count)


def _resume(workspace: Workspace, left: int) -> dict[str, Any]:
    found = plan(workspace, load_config(), only=("sfm",))[0]
    assert (len(found["would_run"]), found["in_error"]) == (left, [])
    return {"would_run": left}


def finish(workspace: Workspace, count: int) -> dict[str, Any]:
    """Make the folders of finished tasks, with their records."""
    stage, config = load_stage("sfm"), load_config()["sfm"]
    key_of = stage.key_maker(config)
    measures = {"travel": 0.004, "share": 0.31, "zoom": 0.02, "turn": 0.29, "by_rule": True}
    for task in stage.tasks(workspace, config):
        key = key_of(task)
        folder = workspace / published_folder("sfm", task.id, key)
        folder.mkdir(parents=True)
        drop = {"id": task.id, "reason": "static", "values": measures}
        outcome = {"rows": [], "drops": [drop], "errors": [], "others": {}}
        cost = {"seconds": 1.5, "cpu_seconds": 1.5, "manifest": f"{0:064x}"}
        (folder / TASK_FILE).write_text(json.dumps({"key": key, "attempts": 1, **cost, "outcome": outcome}, indent=1))
    return {}


def run(workspace: Workspace, count: int) -> dict[str, Any]:
    """A run that finds everything finished, and no ledger."""
    report = run_stage(load_stage("sfm"), workspace, load_config()["sfm"], InlineExecutor())
    assert (report.ran, report.dropped) == (0, count)
    return {"ledger_bytes": sum(file.stat().st_size for file in (workspace / "sfm" / ".tasks").iterdir())}


def resume_finished(workspace: Workspace, count: int) -> dict[str, Any]:
    """As :func:`resume_new`, with all tasks finished."""
    return _resume(workspace, 0)


STEPS = {
    "write": write, "status": status, "filter": filter_shots, "resume_new": resume_new, "finish": finish, "run": run,
    "resume_finished": resume_finished,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shots", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        began, before = time.perf_counter(), time.process_time()
        found = STEPS[given.step](Workspace(given.folder), given.shots)
        print(json.dumps({
            "seconds": round(time.perf_counter() - began, 2), "cpu_seconds": round(time.process_time() - before, 2),
            "peak_gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3), **found,
        }))  # fmt: skip
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.folder or Path(scratch)
        results = {"shots": given.shots}
        for step in STEPS:
            command = [sys.executable, __file__, "--shots", str(given.shots), "--folder", str(folder), "--step", step]
            results[step] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
