"""Names and paths in forged tables and records, and on the command line: nothing is written outside the workspace."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flythrough.errors import InputError
from flythrough.workspace.catalog import TABLES, Row, Workspace, check_values
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stage
from flythrough.workspace.stage import Job, Outcome, Section, Stage, Task, load_stage

MAIN = "from flythrough.cli.app import main; main()"
BAD_NAMES = ("..", "../../escaped", "/tmp/escaped", "a/../../b", ".hidden", "a\\b", "a\nb", "a\0b", "", " a", "é" * 101)
BAD_PATHS = ("../escaped", "/etc/passwd", "acquire/../../escaped", "..", "a\0b")
LOOK_ALIKES = ("\uff0e\uff0e\uff0fescaped", "\u2024\u2024\u2215escaped", "a\u2044b", "v\u0456deo")  # one name each
OF_STAGE = {"curate": "videos", "sfm": "shots", "train": "clips", "evaluate": "checkpoints", "leaderboard": "results"}
NAMED = {"videos": ["id"], "shots": ["id", "video_id"], "clips": ["id", "shot_id", "video_id"], "checkpoints": ["id"],
         "results": ["protocol", "method"]}  # fmt: skip
LOCATED = {"videos": ["path", "camera_folder"], "shots": ["overlay_file", "camera_file"],
           "clips": ["camera_file", "folder"], "checkpoints": ["path"], "results": ["results_file"]}  # fmt: skip


def row(table: str, **values: object) -> Row:
    plain = {"string": "x", "int64": 1, "float64": 1.0, "bool": False}
    made = {name: plain[column.type] for name, column in TABLES[table].items() if not column.nullable}
    return made | ({"measures": "{}"} if "measures" in made else {}) | values


def forged(root: Path, stage: str, **values: object) -> Workspace:
    """A workspace whose last table before a stage has one row, with these values."""
    workspace = Workspace(root)
    for table in OF_STAGE.values():
        workspace.write(table, [row(table, **(values if table == OF_STAGE[stage] else {}))])
    return workspace


def everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")}


@pytest.mark.parametrize("table", NAMED)
def test_a_table_that_names_what_lies_outside_is_refused(tmp_path: Path, table: str) -> None:
    workspace = Workspace(tmp_path)
    cases = [(column, name) for column in NAMED[table] for name in BAD_NAMES]
    for column, value in [*cases, *((column, path) for column in LOCATED[table] for path in BAD_PATHS)]:
        workspace.write(table, [row(table), row(table, **{column: value})])
        with pytest.raises(InputError, match=f"has a row whose {column} is"):
            list(workspace.scan(table, [column]))


@pytest.mark.parametrize("stage", ["curate", "sfm", "train", "evaluate"])
def test_a_stage_does_nothing_with_such_a_table(tmp_path: Path, stage: str) -> None:
    table = OF_STAGE[stage]
    for column, value in ((NAMED[table][0], "../../escaped"), (LOCATED[table][0], "/tmp/escaped")):
        workspace = forged(tmp_path / "a" / "b" / "w", stage, **{column: value})
        before = everything(tmp_path)
        with pytest.raises(InputError):
            run_stage(load_stage(stage), workspace, load_config()[stage], InlineExecutor())
        assert everything(tmp_path) == before


def test_the_leaderboard_shows_nothing_of_such_a_table(tmp_path: Path) -> None:
    """Its only task reads the table, so it is the one in error."""
    workspace = forged(tmp_path / "a" / "b" / "w", "leaderboard", method="../../escaped")
    report = run_stage(load_stage("leaderboard"), workspace, load_config()["leaderboard"], InlineExecutor())
    assert [error["kind"] for error in report.errors] == ["input"]
    assert [path.name for path in tmp_path.rglob("*") if path.is_file() and workspace.root not in path.parents] == []


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_what_only_looks_like_a_separator_is_part_of_a_name(tmp_path: Path, name: str) -> None:
    workspace = forged(tmp_path / "w", "curate", id=name)
    report = run_stage(load_stage("curate"), workspace, load_config()["curate"], InlineExecutor())
    assert [error["id"] for error in report.errors] == [name]  # its file is not there
    assert [path.name for path in tmp_path.iterdir()] == ["w"]
    assert (workspace / "curate" / ".errors" / f"{name}.json").is_file()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_task_is_called_by_a_path(tmp_path: Path, name: str) -> None:
    """Whatever a stage makes its tasks' names from."""

    def run(job: Job, config: Section) -> Outcome:
        raise AssertionError("it was run")

    stage = Stage("curate", 1, "shots", Section, lambda workspace, config: [Task(name, {})], run)
    with pytest.raises(InputError, match="cannot be the name of a task"):
        run_stage(stage, Workspace(tmp_path / "w"), Section(), InlineExecutor())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_record_with_such_a_name_counts_as_damaged(name: str) -> None:
    check_values("shots", row("shots"))
    with pytest.raises(AssertionError, match=r"shots\.id is"):
        check_values("shots", row("shots", id=name))
    check_values("drops", row("drops", id=name))  # which may name anything, such as a file that was refused


@pytest.mark.parametrize("name", [*LOOK_ALIKES[:2], "a\nb", "x" * 300])
def test_a_workspace_of_any_name_is_one_folder(tmp_path: Path, name: str) -> None:
    words = [sys.executable, "-c", MAIN, "init", name]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert "Traceback" not in done.stderr
    made = [path.name for path in tmp_path.iterdir()]
    assert (done.returncode, made) == ((1, []) if len(name) > 255 else (0, [name]))


@pytest.mark.parametrize("name", ["../../escaped", LOOK_ALIKES[0]])
@pytest.mark.parametrize("command", [["sfm", "view"], ["show"]])
def test_an_id_on_the_command_line_is_only_looked_up(tmp_path: Path, command: list[str], name: str) -> None:
    forged(tmp_path / "a" / "w", "train")
    before = {path for path in tmp_path.rglob("*") if path.name != ".lock"}
    words = [sys.executable, "-c", MAIN, *command, name, "-w", str(tmp_path / "a" / "w")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (1, False), json.dumps(done.stderr)
    assert {path for path in tmp_path.rglob("*") if path.name != ".lock"} == before
