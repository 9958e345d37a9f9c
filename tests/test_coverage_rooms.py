"""A room's share counts its own files, and one below the bounds fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.coverage_rooms import BRANCHES, LINES, main, of_room


def summary(lines: tuple[int, int], branches: tuple[int, int]) -> dict[str, int]:
    names = ("covered_lines", "num_statements", "covered_branches", "num_branches")
    return dict(zip(names, (*lines, *branches), strict=True))


def test_a_room_counts_its_own_files() -> None:
    files = {"sfm/a.py": summary((9, 10), (1, 4)), "sfm/b.py": summary((0, 10), (0, 0)),
             "flythrough/sfm.py": summary((0, 100), (0, 100))}  # fmt: skip
    assert of_room("sfm", files) == (45, 25)


@pytest.mark.parametrize(
    ("lines", "branches", "status"), [(LINES, BRANCHES, 0), (LINES - 1, 100, 1), (100, BRANCHES - 1, 1)]
)
def test_a_room_below_the_bounds_fails(
    lines: int, branches: int, status: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = {"sfm/a.py": {"summary": summary((lines, 100), (branches, 100))},
             "train/a.py": {"summary": summary((100, 100), (100, 100))}}  # fmt: skip
    (tmp_path / "coverage.json").write_text(json.dumps({"files": files}))
    assert main(tmp_path / "coverage.json", ["sfm", "train"]) == status
    assert ("below" in capsys.readouterr().out) == bool(status)
