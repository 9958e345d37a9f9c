"""Time and memory of the whole stage against ``scenedetect detect-adaptive`` on the same file, turn by turn.

python benchmarks/curate_time.py VIDEO [--repeat 3]
python benchmarks/curate_time.py VIDEO --repeat 1 --ours      # only our time and memory, for a very long file
python benchmarks/curate_time.py VIDEO --parts                # what each measure costs
"""

from __future__ import annotations

import argparse
import functools
import importlib
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from flythrough.curate.config import CurateConfig
from flythrough.curate.scan import scan

# What is timed: a function, in the module that calls it. None of them calls another, and what is left is decoding,
# shrinking and colours.
PARTS = {
    "boundaries": [("scan", "Segmenter.add"), ("scan", "Segmenter.close"), ("scan", "tiny_of")],
    "following points": [("measures.collect", "Tracker.add")],
    "motion and parallax": [("shots", "motion_measures")],
    "bars, blur, exposure, blockiness": [("measures.collect", "look"), ("shots", "picture_measures")],
    "nature, coast, screen, built (network)": [("shots", "shown")],
    "writing (network)": [("shots", "writing")],
    "overlays": [("shots", "overlay_mask")],
    "sky, water, land": [("shots", "sky_and_water")],
    "haze, night": [("shots", "haze"), ("shots", "night")],
    "pace, hash, bits a pixel": [("shots", "pace_measures"), ("shots", "shot_hash"), ("shots", "bits_a_pixel")],
}


@dataclass(frozen=True)
class Cost:
    """What a command with its children took."""

    wall_s: float
    cpu_s: float
    peak_mb: float  # resident memory of all its processes together; pages they share count once each


def cost_of(command: list[str]) -> Cost:
    """Run a command to its end."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, resident(process.pid))
        time.sleep(0.05)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, peak / 2**20)


def resident(pid: int) -> int:
    """Bytes that a process and all below it hold in memory."""
    total = 0
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for one in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
    return total


def cost_of_parts(path: Path) -> dict[str, float]:
    """Processor time of each part of one pass over a video, seconds."""
    spent: Counter[str] = Counter()

    def timed(function: Callable[..., Any], part: str) -> Callable[..., Any]:
        @functools.wraps(function)
        def wrapped(*arguments: Any) -> Any:
            started = time.thread_time()
            found = function(*arguments)
            found = iter(list(found)) if isinstance(found, Iterator) else found
            spent[part] += time.thread_time() - started
            return found

        return wrapped

    for part, functions in PARTS.items():
        for module, name in functions:
            *within, last = name.split(".")
            owner = functools.reduce(getattr, within, importlib.import_module(f"flythrough.curate.{module}"))
            setattr(owner, last, timed(getattr(owner, last), part))
    started = time.process_time()
    scan(path, CurateConfig())
    return {**spent, "decoding, shrinking, colours": time.process_time() - started - spent.total()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ours", action="store_true", help="leave scenedetect out")
    parser.add_argument("--parts", action="store_true", help="what each measure costs, in one pass")
    options = parser.parse_args()
    if options.parts:
        for part, cpu_s in cost_of_parts(options.video).items():
            print(f"{cpu_s:6.2f} s  {part}")
        return
    scenedetect = shutil.which("scenedetect", path=os.path.dirname(sys.executable)) or "scenedetect"
    theirs = [scenedetect, "-q", "-i", str(options.video), "detect-adaptive"]
    flythrough = [sys.executable, "-c", "from flythrough.cli.app import main; main()"]
    ratios = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [*flythrough, "acquire", "-w", folder, "--input", str(options.video)], check=True, stdout=subprocess.DEVNULL
        )
        for _ in range(options.repeat):
            shutil.rmtree(Path(folder) / "curate", ignore_errors=True)
            other = None if options.ours else cost_of(theirs)
            ours = cost_of([*flythrough, "curate", "-w", folder])
            row = {"ours_s": ours.wall_s, "ours_cpu_s": ours.cpu_s, "ours_peak_mb": ours.peak_mb}
            if other is not None:
                row |= {"theirs_s": other.wall_s, "theirs_cpu_s": other.cpu_s}
                row |= {"ratio": ours.wall_s / other.wall_s, "cpu_ratio": ours.cpu_s / other.cpu_s}
                ratios.append(row["ratio"])
            print(json.dumps({key: round(value, 2) for key, value in row.items()}), flush=True)
    if ratios:
        print(json.dumps({"median_ratio": round(sorted(ratios)[len(ratios) // 2], 2)}))


if __name__ == "__main__":
    main()
