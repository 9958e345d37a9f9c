"""Tables are typed on the way in and on the way out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flythrough.errors import FlythroughError, InputError
from flythrough.workspace.catalog import TABLES, Workspace

DROP = {"id": "v1", "stage": "curate", "reason": "shaky", "values": "{}"}


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.write("drops", [DROP])
    assert workspace.rows("drops") == [DROP]
    assert list(workspace.read("drops").columns) == list(TABLES["drops"])


def test_a_table_never_written_is_empty_with_its_columns(tmp_path: Path) -> None:
    assert list(Workspace(tmp_path).read("clips").columns) == list(TABLES["clips"])


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({**DROP, "colour": 1}, "no column colour"),
        ({"id": "v1", "stage": "curate", "values": "{}"}, "reason is null"),
    ],
)
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, row: dict[str, object], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        Workspace(tmp_path).write("drops", [row])


def test_a_wrong_type_is_refused(tmp_path: Path) -> None:
    with pytest.raises(pa.ArrowException):
        Workspace(tmp_path).write("drops", [{**DROP, "reason": 3}])


def test_a_foreign_file_is_named_with_a_remedy(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    pq.write_table(pa.table({"id": [1]}), workspace.table_file("drops"))
    with pytest.raises(InputError, match=r"drops\.parquet has another schema.*Delete the file"):
        workspace.rows("drops")
    workspace.table_file("drops").write_text("no parquet")
    with pytest.raises(InputError, match="is not a Parquet table"):
        workspace.rows("drops")


def test_a_stage_replaces_its_own_rows_only(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.replace_stage("drops", "curate", [DROP])
    workspace.replace_stage("drops", "sfm", [{**DROP, "id": "s1", "stage": "sfm"}])
    workspace.replace_stage("drops", "curate", [{**DROP, "id": "v2"}])
    assert {row["id"] for row in workspace.rows("drops")} == {"s1", "v2"}


def test_one_run_at_a_time(tmp_path: Path) -> None:
    with (
        Workspace(tmp_path).locked(),
        pytest.raises(FlythroughError, match="Another run"),
        Workspace(tmp_path).locked(),
    ):
        pass
    with Workspace(tmp_path).locked():
        pass


FLOATS = [0.1 + 0.2, -0.0, 1e-320, 1.7976931348623157e308, 12345678901234.567]
TEXTS = ["2024-01-01", "12", 'a "quoted"\nline', "\u00e9\U0001f600", "\x00", ""]


def test_values_come_back_to_the_bit(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    rows = [
        dict.fromkeys(TABLES["results"])
        | {"protocol": "p", "protocol_hash": "h", "method": "m", "metric": text, "value": value}
        | {"n": 2**62, "ranked": True, "source": "measured"}
        for text, value in zip(TEXTS, [*FLOATS, None], strict=True)
    ]
    workspace.write("results", rows)
    assert workspace.rows("results") == rows
    assert str(workspace.rows("results")[1]["value"]) == "-0.0"


def test_tables_load_no_pandas_and_workers_no_arrow(tmp_path: Path) -> None:
    program = f"""
import sys
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.pipeline import run_task
assert "pyarrow" not in sys.modules
workspace = Workspace({str(tmp_path)!r})
workspace.write("drops", [{DROP!r}])
workspace.write("errors", [])
assert len(workspace.rows("drops")) == 1 and workspace.rows("errors") == []
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
