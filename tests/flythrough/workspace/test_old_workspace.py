"""A workspace that version 0.1 made opens for ever: where this fails, write a migration; the files stay as they are."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import flythrough as ft
from flythrough.workspace.catalog import TABLES, Workspace

OLD = Path(__file__).parents[2] / "golden" / "workspace_0_1"


@pytest.mark.parametrize("table", TABLES)
def test_its_tables_are_read(table: str) -> None:
    rows = Workspace(OLD).rows(table)
    assert table == "errors" or rows
    assert len(getattr(ft.open(OLD), table)) == len(rows)


def test_its_funnel_and_an_items_history_are_shown(tmp_path: Path) -> None:
    root = Path(shutil.copytree(OLD, tmp_path / "W"))
    clip = Workspace(root).rows("clips")[0]["id"]
    for arguments, said in ((["status"], ("acquire", "leaderboard")), (["show", clip], (clip,))):
        command = [sys.executable, "-m", "flythrough", *arguments, "-w", str(root), "--json"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert all(word in done.stdout for word in said)
