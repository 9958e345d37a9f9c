"""The share of each room's lines and branches that the tests ran, and whether it is enough.

    python benchmarks/coverage_rooms.py build/coverage.json ROOM ... [-o docs/data/coverage.json]

Part of make coverage. Exits with 1 where a room is below the bounds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

LINES, BRANCHES = 92, 85  # least percent


def of_room(room: str, summaries: Mapping[str, Mapping[str, int]]) -> tuple[float, float]:
    """Percent of the room's lines and of its branches, of what ``coverage json`` says of each file."""
    counts = [each for path, each in summaries.items() if path.split("/")[0] == room]

    def share(done: str, all_: str) -> float:
        return round(100 * sum(each[done] for each in counts) / max(sum(each[all_] for each in counts), 1), 1)

    return share("covered_lines", "num_statements"), share("covered_branches", "num_branches")


def enough(lines: float, branches: float) -> bool:
    """Whether both reach the bounds."""
    return lines >= LINES and branches >= BRANCHES


def main(file: Path, rooms: list[str], out: Path | None = None) -> int:
    found = json.loads(file.read_text(encoding="utf-8"))["files"]
    shares = {room: of_room(room, {path: each["summary"] for path, each in found.items()}) for room in rooms}
    for room, (lines, branches) in shares.items():
        note = "" if enough(lines, branches) else f": below {LINES} % or {BRANCHES} %"
        print(f"{room}: {lines} % of lines, {branches} % of branches{note}")
    if out is not None:
        out.write_text(json.dumps(shares, indent=1) + "\n", encoding="utf-8")
    return int(not all(enough(*each) for each in shares.values()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("rooms", nargs="+")
    parser.add_argument("-o", "--out", type=Path)
    raise SystemExit(main(**vars(parser.parse_args())))
