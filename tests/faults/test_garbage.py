"""``flythrough gc`` removes outputs of earlier settings and nothing that is current."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flythrough.errors import FlythroughError
from flythrough.evaluate.cli import score
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.pipeline import run_stages
from flythrough.workspace.upkeep.collect import garbage, remove
from tests.acquire.acquire_world import make_video


def run(root: Path, *settings: str) -> None:
    settings = (f"acquire.inputs={json.dumps([str(root.parent / 'in')])}", *settings)
    list(run_stages(Workspace(root), load_config(None, settings), InlineExecutor(), until="curate"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for seed in (0, 1):
        make_video(tmp_path / "in" / f"{seed}.mp4", seed=seed, frames=40, size=(320, 180))
    run(tmp_path / "w")
    return tmp_path / "w"


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file() and path.name != ".lock"}


def test_nothing_of_the_last_run_is_garbage(root: Path) -> None:
    assert garbage(Workspace(root)) == ([], [])


def test_outputs_of_earlier_settings_go_and_current_ones_stay(root: Path) -> None:
    old = {path.name for path in (root / "curate").glob("*.????????")}
    run(root, "curate.sample_every_s=0.25")
    new = {path.name for path in (root / "curate").glob("*.????????")} - old
    assert len(old) == len(new) == 2
    attempt = root / "curate" / ".partial" / "a.00000000.1234"
    attempt.mkdir(parents=True)
    (attempt / "half").write_text("half")
    before = files(root)
    command = [sys.executable, "-m", "flythrough", "gc", "-w", str(root), "--json"]
    told = json.loads(subprocess.run([*command, "--dry-run"], capture_output=True, check=True).stdout)
    assert files(root) == before
    assert {Path(each["path"]).name for each in told["folders"]} == {*old, attempt.name}
    sizes = [path.stat().st_size for name in old for path in (root / "curate" / name).rglob("*") if path.is_file()]
    assert told["bytes"] == sum(sizes) + 4
    subprocess.run(command, capture_output=True, check=True)
    gone = before - files(root)
    assert {Path(name).parts[1] for name in gone} == {*old, ".partial"}
    run(root, "curate.sample_every_s=0.25")
    assert garbage(Workspace(root)) == ([], [])


def test_finished_tasks_of_a_run_that_was_stopped_stay(root: Path) -> None:
    class Stopped(InlineExecutor):
        def run(self, work, calls, resources):  # type: ignore[no-untyped-def]
            for ended in super().run(work, calls, resources):
                yield ended
                raise KeyboardInterrupt

    settings = [f"acquire.inputs={json.dumps([str(root.parent / 'in')])}", "curate.sample_every_s=0.25"]
    with pytest.raises(KeyboardInterrupt):
        list(run_stages(Workspace(root), load_config(None, settings), Stopped(), until="curate"))
    assert len(list((root / "curate").glob("*.????????"))) == 3
    assert garbage(Workspace(root)) == ([], [])


def test_what_a_row_names_stays_whatever_the_notes_say(root: Path) -> None:
    for note in (root / "acquire" / ".tasks").iterdir():
        note.write_text("")
    assert garbage(Workspace(root)) == ([], [])
    rows = Workspace(root).rows("videos")
    Workspace(root).write("videos", rows[:1])
    found, _ = garbage(Workspace(root))
    assert [each.path for each in found] == [rows[1]["path"].rpartition("/")[0]]
    remove(Workspace(root), found)
    assert garbage(Workspace(root)) == ([], [])


def test_a_workspace_of_an_earlier_version_is_left_alone(root: Path) -> None:
    for note in (root / "curate" / ".tasks").iterdir():
        note.unlink()
    run(root.parent / "other", "curate.sample_every_s=0.25")
    next((root.parent / "other" / "curate").glob("*.????????")).rename(root / "curate" / "a.00000000")
    assert garbage(Workspace(root)) == ([], ["curate"])


def test_scoring_into_a_workspace_that_a_run_holds_is_refused(root: Path) -> None:
    before = files(root)
    with Workspace(root).locked(), pytest.raises(FlythroughError, match="Another run"):
        score(root / "frames", name="mine", workspace=root)
    assert files(root) == before
