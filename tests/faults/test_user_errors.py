"""Every error that a user can cause ends in one line with a remedy, never in a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from flythrough.acquire.config import AcquireConfig
from flythrough.acquire.fetch.store import DownloadCache
from flythrough.errors import DamagedFile, FlythroughError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import load_config, setting_of
from flythrough.workspace.files import read_json
from flythrough.workspace.inspection import funnel

NAMES = ["🌊 wave\nbreak.mp4", 'a"quote\\.mp4', "tab\tdelete\x7f.mp4", "c\u2028d.mp4", "é.mp4"]
HALF = json.dumps({"rows": 3, "dropped": 4})[:9]


def folder_for_a_file(root: Path) -> list[str]:
    (root / "flythrough.toml").mkdir(parents=True)
    return ["run", "--new", "-w", str(root)]


def half_a_summary(root: Path) -> list[str]:
    (root / "curate").mkdir(parents=True)
    (root / "flythrough.toml").touch()
    (root / "curate" / "summary.json").write_text(HALF)
    return ["status", "-w", str(root)]


def odd_name_that_is_not_there(root: Path) -> list[str]:
    return ["acquire", "-w", str(root), "-i", str(root.parent / NAMES[0])]


def damaged_inputs(root: Path) -> list[str]:
    root.mkdir()
    (root / "inputs.txt").write_bytes(b'"half\n\xff')
    return ["acquire", "--new", "-w", str(root)]


def half_a_table(root: Path) -> list[str]:
    root.mkdir()
    (root / "drops.parquet").write_bytes(b"PAR1 and no more")
    return ["status", "-w", str(root)]


def no_such_place(root: Path) -> list[str]:
    return ["init", "/proc/flythrough"]


def not_utf8(root: Path) -> list[str]:
    return ["run", "-i", str(root.parent), "-w", os.fsdecode(os.fsencode(root) + b"\xff")]


def no_name(root: Path) -> list[str]:
    return ["run", "-i", str(root.parent), "-w", ""]


def no_input(root: Path) -> list[str]:
    return ["run", "-i", "", "-w", str(root)]


@pytest.mark.parametrize(
    ("prepare", "said"),
    [
        (folder_for_a_file, "A folder stands where a file is wanted: move it away"),
        (half_a_summary, "or delete it and run what wrote it again"),
        (odd_name_that_is_not_there, "🌊 wave break.mp4 does not exist. Check the path"),
        (damaged_inputs, "delete the file and give --input again"),
        (half_a_table, "Delete the file, then: flythrough run"),
        (no_such_place, "Check that it exists"),
        (not_utf8, "is not UTF-8. Rename the folder"),
        (no_name, "this one is: --workspace ."),
        (no_input, "this folder is: --input ."),
    ],
)
def test_one_line_and_a_remedy(tmp_path: Path, prepare: Callable[[Path], list[str]], said: str) -> None:
    words = [sys.executable, "-m", "flythrough", *prepare(tmp_path / "w")]
    done = subprocess.run(words, capture_output=True, encoding="utf-8", timeout=120, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert said in done.stderr


def test_a_workspace_on_a_read_only_disk_can_be_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup, say: where nobody can write there is nothing to lock. What would write is refused."""
    (tmp_path / "flythrough.toml").touch()
    plain = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_flag=plain.f_flag | os.ST_RDONLY))
    held = Workspace(tmp_path)
    with held.locked(writing=False), held.locked(writing=False):
        assert not (tmp_path / ".lock").exists()
    with held.locked(), pytest.raises(FlythroughError, match="Another run"), held.locked():
        pass
    monkeypatch.undo()
    with held.locked(), pytest.raises(FlythroughError, match="Another run"), held.locked(writing=False):
        pass


def test_a_setting_may_be_any_name() -> None:
    section = load_config(settings=[setting_of("acquire.inputs", NAMES)])["acquire"]
    assert isinstance(section, AcquireConfig)
    assert list(section.inputs) == NAMES


def test_half_a_json_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.json").write_text(HALF)
    with pytest.raises(DamagedFile, match=r"note\.json is damaged") as caught:
        read_json(tmp_path / "note.json")
    assert caught.value.remedy
    for text in ("[]", HALF):
        (tmp_path / "curate").mkdir(exist_ok=True)
        (tmp_path / "curate" / "summary.json").write_text(text)
        with pytest.raises(DamagedFile):
            funnel(Workspace(tmp_path))


def test_half_a_record_of_a_download_is_none(tmp_path: Path) -> None:
    cache = DownloadCache(tmp_path, "a")
    cache.folder.mkdir(parents=True)
    cache.target.touch()
    for text in (HALF, "[]", '{"colour": 1}'):
        (cache.folder / "fetched.json").write_text(text)
        assert cache.found() is None
