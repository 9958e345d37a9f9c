"""A table of 1,000,000 shots against pandas: the shots whose jitter is below a figure. Run with ``make bench``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from benchmarks.side_by_side import Peer, Row, side_by_side
from benchmarks.workspace_scale import filter_shots, shots
from flythrough.workspace.catalog import Workspace

ROWS = 1_000_000


@pytest.mark.timeout(3600)
def test_filtering_a_million_shots(benchmark: Any, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write("shots", shots(ROWS))

    def pandas() -> None:
        table = pd.read_parquet(tmp_path / "shots.parquet", columns=["id", "measures"])
        jitter = table["measures"].map(lambda text: float(json.loads(text)["jitter_px"]))
        assert (jitter < 1).sum() == ROWS // 4

    row = Row(f"filtering {ROWS:,} shots by a measure")
    side_by_side(benchmark, row, lambda: filter_shots(workspace, ROWS), [Peer("pandas", pandas, "pandas")], rounds=3)
