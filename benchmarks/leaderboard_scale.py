"""A leaderboard of 500 methods on 10 protocols: seconds to read the results and to write the site; its size; sorting.

    python benchmarks/leaderboard_scale.py [--methods 500] [--protocols 10] [--starts 24] [--folder DIR] [--profile]

Results files as evaluate writes them, with made-up numbers (seed 0): 24 starts with 16 values each, 1 + 2 sets of
replicates, a curve, hashes of frames; no frames. Prints one JSON object, one line per step: seconds of processor time
and of the clock. Sorting is measured in headless Chromium where playwright has one: the slowest of all heads of the
front page's first table, from the click to the end of layout.
"""

from __future__ import annotations

import argparse
import cProfile
import hashlib
import json
import os
import pstats
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from flythrough.leaderboard.config import LeaderboardConfig
from flythrough.leaderboard.stage import finish, run, tasks
from flythrough.results.schema import Result, rows_of
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import to_canonical_json
from flythrough.workspace.stage import Job, Outcome

SEED = 0
BY_START = ("style_lite0", "warp_error", "follow_correlation", "follow_gain", "follow_sfm_registered",
            "follow_sfm_deviation", "follow_sfm_rotation", "follow_sfm_translation", "rot_err_sum", "trans_err_sum",
            "psnr@5", "ssim@5", "mse@5", "psnr@10", "ssim@10", "mse@10")  # fmt: skip
OF_SETS = ("fd_lite0", "kd_lite0", "fd_lite0_sw", "fd_lite0_drift", "nss_drift")
CHROMIUM = Path("/usr/bin/chromium")
SORT = """(at) => { const table = document.querySelector('table.board'), began = performance.now();
  table.querySelectorAll('th button')[at].click(); table.getBoundingClientRect(); return performance.now() - began; }"""
WORK = ("ScriptDuration", "LayoutDuration", "RecalcStyleDuration")


def make(workspace: Workspace, methods: int, protocols: int, starts: int) -> Iterator[Row]:
    """Write the results files; returns the rows of their table."""
    random = np.random.default_rng(SEED)
    names = [f"generation/coast-{k:06d}" for k in range(starts)]
    draws = random.integers(0, starts, (200, starts))
    for p in range(protocols):
        hash = hashlib.sha256(f"{SEED} {p}".encode()).hexdigest()
        hardness = random.normal(0, 1, (starts, 1))
        for m in range(methods):
            values = 10 + 0.02 * m + hardness + random.normal(0, 0.5, (starts, len(BY_START)))
            values[:, BY_START.index("follow_sfm_deviation")] = 0.05
            record = _record(f"method-{m:03d}", f"scale-{p}", hash, names, values, draws)
            record |= _seconds(names, random)
            file = f"evaluate/method-{m:03d}.{p}/results.json"
            (workspace / file).parent.mkdir(parents=True)
            (workspace / file).write_text(to_canonical_json(record), encoding="utf-8")
            yield from rows_of(Result.model_validate(record), file)


def _seconds(names: list[str], random: np.random.Generator) -> dict[str, Any]:
    hashes = {name: random.bytes(32).hex() for name in names}
    return {"seconds": {"generate": float(random.uniform(5, 500)), "score": 17.0}, "frames_sha256": hashes}


def _record(
    method: str, protocol: str, hash: str, names: list[str], values: np.ndarray, draws: np.ndarray
) -> dict[str, Any]:
    means = dict(zip(BY_START, values.mean(0).tolist(), strict=True)) | dict.fromkeys(OF_SETS, 10 * values.mean())
    replicates = {
        name: {"drawn": "cd" * 32, "starts": len(names), "values": values[draws[:count], place].mean(1).tolist()}
        for name, place, count in (("fd_lite0", 0, 100), ("psnr@5", 10, 200), ("psnr@10", 13, 200))
    }
    return {
        "status": "scored",
        "protocol": {"name": protocol, "hash": hash, "height": 96, "width": 160, "steps": 100, "flights": len(names)},
        "method": {"name": method, "about": "made up", "citation": "", "code": ""},
        "weights": {"metric:lite0": "ab" * 32},
        "follows_camera": True,
        "values": [
            {"metric": name.partition("@")[0], "step": int(name.partition("@")[2] or 0) or None, "value": value,
             "low": value - 1, "high": value + 1, "n": len(names), "floor": 5.0 if name == "fd_lite0" else None,
             "ranked": True}
            for name, value in means.items()
        ],
        "starts": {
            name.partition("/")[2]: dict(zip(BY_START, row, strict=True))
            for name, row in zip(names, values.tolist(), strict=True)
        },
        "replicates": replicates,
        "curves": {"fd_lite0_sw": [[step, 100 + step] for step in range(20, 100)]},
        "settings": {"replicates": 1000, "seed": 0}, "hardware": {"device": "cpu", "cores": 2},
    }  # fmt: skip


def timed(step: str, work: Callable[[], Any], profiler: cProfile.Profile | None) -> Any:
    """The result of ``work``; its seconds are printed."""
    clock, processor = time.perf_counter(), _processor_s()
    found = profiler.runcall(work) if profiler else work()
    print(json.dumps({"step": step, "processor_s": round(_processor_s() - processor, 2),
                      "clock_s": round(time.perf_counter() - clock, 2)}), flush=True)  # fmt: skip
    return found


def _processor_s() -> float:
    """Of this process and of those that it started and that have ended."""
    return sum(os.times()[:4])


def build(workspace: Workspace, profiler: cProfile.Profile | None) -> None:
    """All that ``flythrough leaderboard`` does, with the stage's own functions."""
    config = LeaderboardConfig()
    task = timed("list inputs", lambda: list(tasks(workspace, config)), profiler)[0]
    folder = workspace / "leaderboard" / "page.0"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    job = Job(task, folder, "leaderboard/page.0", workspace.root)
    outcome: Outcome = timed("read and write", lambda: run(job, config), profiler)
    timed("put in place", lambda: finish(outcome, workspace, config), profiler)


def sizes(site: Path) -> dict[str, Any]:
    files = [file for file in site.rglob("*") if file.is_file() and "page.0" not in file.parts]
    largest = max((file.stat().st_size, file.name) for file in files if file.suffix == ".html")
    return {"files": len(files), "site_mb": round(sum(file.stat().st_size for file in files) / 1e6, 1),
            "index_kb": round((site / "index.html").stat().st_size / 1e3), "largest_page": largest}  # fmt: skip


def sort(page: Path) -> dict[str, Any]:
    """Milliseconds that the slowest head takes to sort by, from the click to the end of layout."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        path = str(CHROMIUM) if CHROMIUM.exists() else None
        browser = tool.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        opened = browser.new_page()
        opened.goto(page.as_uri())
        opened.wait_for_selector("table.board tbody tr")
        counters = opened.context.new_cdp_session(opened)
        counters.send("Performance.enable", {"timeDomain": "threadTicks"})  # processor time of the page's thread

        def worked() -> float:
            found = {each["name"]: each["value"] for each in counters.send("Performance.getMetrics")["metrics"]}
            return sum(found[name] for name in WORK) * 1e3

        clocks, processors = [], []
        for place in range(opened.locator("table.board").first.locator("th button").count()):
            before = worked()
            clocks.append(opened.evaluate(SORT, place))
            processors.append(worked() - before)
        rows = opened.evaluate("document.querySelector('table.board').tBodies[0].rows.length")
        browser.close()
    return {"sorted_rows": rows, "processor_ms": round(max(processors), 1), "clock_ms": round(max(clocks), 1)}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, count in (("methods", 500), ("protocols", 10), ("starts", 24)):
        options.add_argument(f"--{name}", type=int, default=count)
    options.add_argument("--folder", type=Path, help="keep the workspace here; one that is there is used again")
    options.add_argument("--profile", action="store_true")
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Workspace(chosen.folder or Path(scratch) / "w")
        if not workspace.has("results"):
            made = list(make(workspace, chosen.methods, chosen.protocols, chosen.starts))
            workspace.write("results", made)
        profiler = cProfile.Profile(time.process_time) if chosen.profile else None
        build(workspace, profiler)
        print(json.dumps(sizes(workspace / "leaderboard")), flush=True)
        if profiler:
            pstats.Stats(profiler, stream=sys.stdout).sort_stats("cumulative").print_stats(60)
        try:
            print(json.dumps(sort(workspace / "leaderboard" / "index.html")))
        except ImportError:
            print("playwright is not installed: sorting is not measured", file=sys.stderr)


if __name__ == "__main__":
    main()
