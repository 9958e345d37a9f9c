"""Rows as text are, byte for byte, the text that keys are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

from flythrough.errors import InputError
from flythrough.workspace import catalog
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import key_text
from flythrough.workspace.records.row_texts import row_texts

TEXTS = ["plain", "", 'a "quoted" \\ name', "line\nbreak\ttab", "é \U0001f30a", "\x7f", "~ [] !#", "</script>"]


def clips() -> list[Row]:
    return [
        {
            "id": f"c{n}", "shot_id": "s", "video_id": f"v{n}", "split": text, "frame_count": -n, "camera_file": "c",
            "stage": None, "folder": None if n % 2 else "f", "width": 2**62, "height": 0, "steps": n,
            "scale": (0.1, 1e300, -3.0, 1e-7)[n % 4], "disparity": None, "sha256": text, "measures": '{"a": 1}',
        }
        for n, text in enumerate(TEXTS)
    ]  # fmt: skip


def test_each_row_is_as_a_dict_is_encoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "_BATCH", 3)
    workspace = Workspace(tmp_path)
    workspace.write("clips", clips())
    assert [text for (text,) in row_texts(workspace, "clips", clips()[0].keys(), ())] == [*map(key_text, clips())]


def test_bools_are_json_too(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    known = dict.fromkeys(catalog.TABLES["results"], "x") | {"step": None, "value": None, "floor": None, "n": 3}
    workspace.write("results", [{**known, "low": 0.5, "high": 1.0, "ranked": ranked} for ranked in (True, False)])
    found = list(row_texts(workspace, "results", ("ranked", "low"), ()))
    assert found == [('{"low":0.5,"ranked":true}',), ('{"low":0.5,"ranked":false}',)]


def test_other_columns_come_beside_the_text(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    assert list(row_texts(workspace, "clips", ("steps",), ("id",))) == []
    workspace.write("clips", clips()[:2])
    found = list(row_texts(workspace, "clips", ("steps",), ("split", "id")))
    assert found == [('{"steps":0}', "plain", "c0"), ('{"steps":1}', "", "c1")]


def test_a_damaged_table_has_a_remedy(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    workspace.table_file("clips").write_bytes(b"PAR1")
    with pytest.raises(InputError, match="not a Parquet table"):
        list(row_texts(workspace, "clips", ("id",), ()))
