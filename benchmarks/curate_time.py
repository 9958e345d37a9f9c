"""Time and memory of the whole stage against ``scenedetect detect-adaptive`` on the same file, turn by turn.

python benchmarks/curate_time.py VIDEO [--repeat 3]
python benchmarks/curate_time.py VIDEO --repeat 1 --ours      # only our time and memory, for a very long file
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--ours", action="store_true", help="leave scenedetect out")
    options = parser.parse_args()
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
