"""Time and memory of the whole stage against ``scenedetect detect-adaptive`` on the same file, turn by turn.

python benchmarks/curate_time.py VIDEO [--repeat 3]
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
from pathlib import Path

STAGE = """
import sys
from flythrough.cli import main
main()
"""


def timed(command: list[str]) -> tuple[float, float]:
    """Seconds on the wall and seconds of processor of a command with its children."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    flythrough = [sys.executable, "-c", STAGE]
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [*flythrough, "acquire", "-w", folder, "--input", str(options.video)], check=True, stdout=subprocess.DEVNULL
        )
        for _ in range(options.repeat):
            theirs = timed(
                [
                    shutil.which("scenedetect", path=os.path.dirname(sys.executable)) or "scenedetect",
                    "-q",
                    "-i",
                    str(options.video),
                    "detect-adaptive",
                ]
            )
            shutil.rmtree(Path(folder) / "curate", ignore_errors=True)
            ours = timed([*flythrough, "curate", "-w", folder])
            rows.append(
                {
                    "theirs_s": theirs[0],
                    "ours_s": ours[0],
                    "ratio": ours[0] / theirs[0],
                    "cpu_ratio": ours[1] / theirs[1],
                }
            )
            print(json.dumps({key: round(value, 2) for key, value in rows[-1].items()}), flush=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(json.dumps({"median_ratio": sorted(r["ratio"] for r in rows)[len(rows) // 2], "peak_mb": round(peak)}))


if __name__ == "__main__":
    main()
