"""Files that break after publishing are found by size and hash, and only they are made again."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.files import TASK_FILE
from flythrough.workspace.pipeline import run_stages
from flythrough.workspace.upkeep.verify import repair, verify
from tests.acquire.acquire_world import acquire as acquire_stage
from tests.acquire.acquire_world import make_video, tables
from tests.acquire.http_server import Page, serve

Damage = Callable[[Path], None]
MAIN = "from flythrough.cli.app import main; main()"


def flythrough(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words], capture_output=True, text=True, timeout=200, check=False
    )


def run(root: Path) -> int:
    """Run up to curate in this process; returns how many tasks were run."""
    settings = [f"acquire.inputs={json.dumps([str(root.parent / 'in')])}"]
    workspace = Workspace(root)
    with workspace.locked():
        reports = list(run_stages(workspace, load_config(None, settings), InlineExecutor(), until="curate"))
    return sum(report.ran for report in reports)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace of two videos, run up to curate."""
    folder = tmp_path_factory.mktemp("verify")
    for seed in (0, 1):
        make_video(folder / "in" / f"{seed}.mp4", seed=seed, frames=40, size=(320, 180))
    assert run(folder / "w") == 4
    assert verify(Workspace(folder / "w")).files > 4
    return folder / "w"


def outputs(root: Path) -> dict[str, int]:
    """Every task's record, by when it was written."""
    return {str(file): file.stat().st_mtime_ns for file in root.glob(f"*/*/{TASK_FILE}")}


def cut(file: Path) -> None:
    data = file.read_bytes()
    file.unlink()  # not through a link
    file.write_bytes(data[:-1])


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    file.unlink()
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("damage", [cut, flip, Path.unlink])
@pytest.mark.parametrize(
    "which", ["curate/*/*.0.jpg", "acquire/*/video.mp4", "curate/*/task.json", "curate/*/files.json"]
)
def test_broken_output_is_named_and_it_alone_is_made_again(made: Path, which: str, damage: Damage) -> None:
    workspace = Workspace(made)
    assert verify(workspace).findings == []
    before, names = outputs(made), ("videos", "shots", "drops")
    before_tables = [workspace.table_file(name).read_bytes() for name in names]
    victim = sorted(made.glob(which))[0]
    if damage is flip and victim.name == TASK_FILE:
        pytest.skip("a record with another bit may still be a record")
    damage(victim)
    findings = verify(workspace).findings
    assert victim.relative_to(made).as_posix() in [finding.path for finding in findings]
    assert all(row.startswith(victim.parent.name.rpartition(".")[0]) for found in findings for row in found.rows)
    assert repair(workspace, findings) == [victim.parent.relative_to(made).as_posix()]
    assert run(made) == 1
    assert verify(workspace).findings == []
    after = outputs(made)
    assert {name for name in after if after[name] != before[name]} == {str(victim.parent / TASK_FILE)}
    assert [workspace.table_file(name).read_bytes() for name in names] == before_tables


def test_a_broken_download_is_fetched_again(tmp_path: Path) -> None:
    """The store keeps the download as a link to the same file: a repair must not take it from there."""
    data = make_video(tmp_path / "a.mp4").read_bytes()
    with serve() as server:
        server.pages["/a.mp4"] = Page(data)
        acquire_stage(tmp_path / "w", inputs=[server.url("/a.mp4")])
        (row,) = tables(tmp_path / "w")["videos"]
        with open(tmp_path / "w" / row["path"], "r+b") as file:  # in place, so through the link
            file.seek(len(data) // 2)
            file.write(bytes([data[len(data) // 2] ^ 1]))
        Workspace(tmp_path / "w").config_file.touch()
        assert flythrough("verify", "--repair", "-w", str(tmp_path / "w")).returncode == 0
        acquire_stage(tmp_path / "w", inputs=[server.url("/a.mp4")])
    (again,) = tables(tmp_path / "w")["videos"]
    assert again["sha256"] == row["sha256"]
    assert (tmp_path / "w" / again["path"]).read_bytes() == data
    assert server.hits("/a.mp4") >= 2


def test_the_command_names_what_is_broken_and_exits_with_1(made: Path) -> None:
    assert flythrough("verify", "-w", str(made)).returncode == 0
    victim = sorted(made.glob("curate/*/*.0.jpg"))[0]
    cut(victim)
    found = flythrough("verify", "-w", str(made))
    assert (found.returncode, victim.name in found.stdout) == (1, True)
    assert flythrough("verify", "--repair", "-w", str(made)).returncode == 0
    assert run(made) == 1


def test_what_a_table_names_must_be_there_and_tables_must_be_whole(made: Path) -> None:
    table, folder = made / "errors.parquet", sorted(made.glob("acquire/*.????????"))[0]
    whole = table.read_bytes()
    table.write_bytes(whole[:-9])
    folder.rename(made / "away")
    found = {finding.path: finding.rows for finding in verify(Workspace(made)).findings}
    table.write_bytes(whole)
    (made / "away").rename(folder)
    assert found == {"errors.parquet": (), f"acquire/{folder.name}/video.mp4": (folder.name.rpartition(".")[0],)}
