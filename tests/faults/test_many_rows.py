"""Tables of many rows are written and read in pieces, and open tasks are found without reading each task's record."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from operator import eq
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from flythrough.curate.config import CurateConfig
from flythrough.curate.decide import decide
from flythrough.curate.report import write_report
from flythrough.workspace import catalog, pipeline
from flythrough.workspace.catalog import TABLES, Row, Workspace, to_json
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stage
from flythrough.workspace.records import record
from flythrough.workspace.records.packed import PackedRows
from flythrough.workspace.stage import Job, Outcome, Section, Stage, Task


def drops(count: int) -> Iterator[Row]:
    return ({"id": f"d{n}", "stage": "curate", "reason": "shaky", "values": "{}"} for n in range(count))


def test_a_table_is_written_in_pieces_and_read_back_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_PIECE", 100)
    workspace = Workspace(tmp_path)
    workspace.write("drops", drops(250))
    assert pq.ParquetFile(workspace.table_file("drops")).num_row_groups == 3
    assert workspace.rows("drops") == list(drops(250))
    workspace.replace_stage("drops", "sfm", [{**row, "stage": "sfm"} for row in drops(2)])
    assert [row["stage"] for row in workspace.scan("drops", ["stage"])] == ["curate"] * 250 + ["sfm"] * 2


def test_a_scan_holds_a_piece_at_a_time(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write("drops", drops(200_000))
    tracemalloc.start()
    count = sum(row["reason"] == "shaky" for row in workspace.scan("drops"))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 200_000
    assert peak < 25e6  # all rows as dicts are 80 MB


def test_what_many_tasks_found_is_packed() -> None:
    tracemalloc.start()
    packed = PackedRows(drops(100_000))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 4e6  # as dicts, 40 MB
    assert len(packed) == 100_000
    assert all(map(eq, packed, drops(100_000)))
    assert packed[2500:2502] == [*packed][2500:2502] != packed[:2]


def test_curate_decides_on_shots_one_at_a_time(tmp_path: Path) -> None:
    place = {"video_id": "v", "start_frame": 0, "end_frame": 9, "start_us": 0, "end_us": 9, "camera_file": None}
    measures = to_json({"length_s": 0.1, "hash": "0" * 425, **{f"figure_{n}": n / 7 for n in range(20)}})
    config = CurateConfig()
    rows = PackedRows({"id": f"s{n}", **place, "measures": measures} for n in range(5000))
    tracemalloc.start()
    decided = decide(Outcome(rows, PackedRows()), Workspace(tmp_path), config)
    write_report(decided, Workspace(tmp_path), config)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (len(decided.rows), len(decided.drops)) == (0, 5000)
    assert peak < 15e6  # 10 MB however many shots; with the measures of all of them held as dicts it was 24 MB


def test_a_later_stages_row_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    def errors(**messages: str) -> list[Row]:
        return [
            dict.fromkeys(TABLES["errors"], "x") | {"id": i, "message": m, "attempts": 1} for i, m in messages.items()
        ]

    workspace = Workspace(tmp_path)
    pipeline._write_rows(workspace, "errors", "sfm", errors(b="new", d="new"))
    pipeline._write_rows(workspace, "errors", "acquire", errors(a="old", b="old", c="old"))
    found = [(row["id"], row["stage"], row["message"]) for row in workspace.rows("errors")]
    assert found == [("a", "acquire", "old"), ("b", "sfm", "new"), ("c", "acquire", "old"), ("d", "sfm", "new")]


def test_tasks_that_never_ran_cost_no_look_at_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[Path] = []
    plain = record.finished
    monkeypatch.setattr(record, "finished", lambda folder, stage: looked.append(folder) or plain(folder, stage))

    def run(job: Job, config: Section) -> Outcome:
        return Outcome(drops=[{"id": job.task.id, "reason": "dull", "values": {}}])

    def tasks(workspace: Workspace, config: Section) -> list[Task]:
        return [Task(str(n), {}) for n in range(count)]

    stage = Stage("curate", 1, "shots", Section, tasks, run)
    for module in (pipeline, record):
        monkeypatch.setattr(module, "load_stage", lambda name: stage)
    for count, old in ((3, 0), (5, 3)):
        looked.clear()
        report = run_stage(stage, Workspace(tmp_path), Section(), InlineExecutor())
        assert (report.ran, len(looked)) == (count - old, count)  # for the tables
