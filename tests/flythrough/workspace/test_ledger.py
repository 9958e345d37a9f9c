"""The ledger of finished tasks saves reading their records, and is never believed against them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from flythrough.errors import FlythroughError
from flythrough.workspace import inspection, pipeline
from flythrough.workspace.catalog import TABLES
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.failure import Failure
from flythrough.workspace.files import TASK_FILE, JsonObject
from flythrough.workspace.inspection import plan
from flythrough.workspace.pipeline import run_stage
from flythrough.workspace.records import record
from flythrough.workspace.stage import Job, Outcome, Resources
from flythrough.workspace.worker import Call, Work
from tests.flythrough.workspace.toy_stage import Toy, ToyConfig

LEDGER = "acquire/.tasks/ledger.txt"
ITEMS = ToyConfig().items


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    toy = Toy(tmp_path)
    for module in (pipeline, inspection, record):
        monkeypatch.setattr(module, "load_stage", lambda name: toy.stage)
    return toy


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the tasks whose records were read, in order."""
    found: list[str] = []
    plain = record.finished

    def finished(folder: Path, stage: str) -> JsonObject | None:
        found.append(folder.name.split(".")[0])
        return plain(folder, stage)

    monkeypatch.setattr(record, "finished", finished)
    return found


def test_a_ledger_of_an_earlier_version_is_ignored(toy: Toy, read: list[str]) -> None:
    toy.go()
    file = toy.workspace / LEDGER
    seal, _, body = file.read_text().partition("\n")
    body = json.dumps(
        [[state, attempts, names.split("\n"), inodes] for state, attempts, names, inodes in json.loads(body)]
    )
    file.write_text(f"{hashlib.sha256(body.encode()).hexdigest()} {seal.split()[1]}\n{body}")
    read.clear()
    assert left(toy) == ([], ["ugly"])
    assert sorted(read) == ["bad", "good"]


def left(toy: Toy, **settings: object) -> tuple[list[str], list[str]]:
    """What a run would do, and what only a retry would."""
    (found,) = plan(toy.workspace, {"acquire": ToyConfig(**settings)}, only=("acquire",))
    return found["would_run"], found["in_error"]


def tables(toy: Toy) -> dict[str, bytes]:
    return {name: file.read_bytes() for name in TABLES if (file := toy.workspace.table_file(name)).exists()}


def record_of(toy: Toy, item: str = "good") -> Path:
    (found,) = toy.workspace.root.glob(f"acquire/{item}.*/{TASK_FILE}")
    return found


def test_finished_tasks_are_told_without_their_records(toy: Toy, read: list[str]) -> None:
    toy.go()
    read.clear()
    assert left(toy) == ([], ["ugly"])
    assert left(toy, items=(*ITEMS, "more")) == (["more"], ["ugly"])
    assert left(toy, factor=2) == (list(ITEMS), [])
    assert read == []
    assert toy.go().ran == 0
    assert read == ["good", "bad", "ugly"]  # for the tables


def test_items_in_error_within_a_task_are_told_without_its_record_of(toy: Toy, read: list[str]) -> None:
    lost = {"id": "clip", "kind": "network", "message": "gone", "remedy": "wait"}
    toy.stage = replace(toy.stage, run=lambda job, config: Outcome(errors=[lost]))
    toy.go(items=("one",))
    read.clear()
    assert left(toy, items=("one",)) == ([], ["one"])
    assert read == []


def without_its_folder(file: Path) -> None:
    shutil.rmtree(file.parent)


def in_a_folder_of_another_name(file: Path) -> None:
    file.parent.rename(file.parent.with_name("aside"))


def damaged_in_another_folder(file: Path) -> None:
    old = file.parent.rename(file.parent.with_name("aside"))
    shutil.copytree(old, file.parent)
    file.write_text("{}")


@pytest.mark.parametrize("damage", [without_its_folder, in_a_folder_of_another_name, damaged_in_another_folder])
def test_a_folder_that_is_gone_or_another_makes_its_task_run_again(toy: Toy, damage: Callable[[Path], None]) -> None:
    toy.go()
    before = tables(toy)
    damage(record_of(toy))
    assert left(toy) == (["good"], ["ugly"])
    assert toy.go().ran == 1
    assert toy.ran == ["good"]
    assert tables(toy) == before
    assert left(toy) == ([], ["ugly"])


def emptied(file: Path) -> None:
    file.write_text("")


def cut_and_dated_back(file: Path) -> None:
    times = file.stat()
    os.truncate(file, 10)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def flipped(file: Path) -> None:
    file.write_text(file.read_text().replace('"attempts"', '"attempta"'))


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [Path.unlink, emptied, cut_and_dated_back, flipped, a_folder])
def test_a_run_does_without_a_ledger_that_lies(toy: Toy, damage: Callable[[Path], None]) -> None:
    """A record that was damaged where it lies passes for finished, until a run reads it for the tables."""
    toy.go()
    before = tables(toy)
    damage(record_of(toy))
    assert left(toy) == ([], ["ugly"])
    report = toy.go(items=(*ITEMS, "more"))
    assert report.ran == 2
    assert toy.ran == ["more", "good"]
    assert (report.done, report.failed) == (3, 1)
    assert left(toy, items=(*ITEMS, "more")) == ([], ["ugly"])
    toy.go()
    assert tables(toy) == before


def test_a_whole_folder_that_is_another_is_read(toy: Toy, read: list[str]) -> None:
    """As in a copy of the workspace."""
    toy.go()
    folder = record_of(toy).parent
    shutil.copytree(folder, folder.with_name("aside"))
    shutil.rmtree(folder)
    folder.with_name("aside").rename(folder)
    read.clear()
    assert left(toy) == ([], ["ugly"])
    assert read == ["good"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1],
        lambda whole: whole[: whole.index(b"\n") + 1],
        lambda whole: whole[: whole.index(b"\n")],
        lambda whole: whole[whole.index(b"\n") + 1 :],
        lambda whole: whole + b"\n",
        lambda whole: whole.replace(b'"done",1', b'"done",2'),
        lambda whole: whole.replace(b'"done"', b'"none"'),
        lambda whole: whole.replace(b"good", b"g\xffod"),
        lambda whole: b"0" * 64 + whole[64:],
        lambda whole: whole.replace(b"\n", b"0\n"),
        lambda whole: bytes(range(256)) * 9,
    ],
)
def test_a_damaged_ledger_is_not_used(toy: Toy, read: list[str], damage: Callable[[bytes], bytes]) -> None:
    toy.go()
    before, file = tables(toy), toy.workspace / LEDGER
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert file.read_bytes() != whole
    read.clear()
    assert left(toy) == ([], ["ugly"])
    assert read == ["good", "bad"]
    assert toy.go().ran == 0
    assert tables(toy) == before
    assert file.read_bytes() == whole


def test_a_failure_under_other_settings_does_not_stand_in_for_a_lost_record(toy: Toy) -> None:
    """Where the ledger lies and the task's last error is of another key, it runs again."""
    toy.go(items=("good",))
    before = tables(toy)
    plain = toy.stage

    def run(job: Job, config: ToyConfig) -> Outcome:
        raise FlythroughError("no", remedy="none", kind="input")

    toy.stage = replace(plain, run=run)
    assert toy.go(items=("good",), factor=2).failed == 1
    toy.stage = plain
    toy.go(items=("good",))
    record_of(toy).write_text("{}")
    assert toy.go(items=("good",)).failed == 0
    assert toy.ran == ["good"]
    assert tables(toy) == before


def test_what_a_stage_would_have_again_is_asked_again_under_other_settings(toy: Toy) -> None:
    """``again`` may read settings that are not in the key: the ledger answers for the same settings only."""
    toy.repaired = True
    toy.stage = replace(toy.stage, again=lambda folder, outcome, config: "more" in config.items and bool(outcome.drops))
    toy.go()
    assert left(toy) == ([], [])
    assert left(toy, items=(*ITEMS, "more")) == (["bad", "more"], [])


def test_a_task_that_has_done_too_little_is_not_noted(toy: Toy) -> None:
    toy.repaired = True
    toy.stage = replace(toy.stage, again=lambda folder, outcome, config: bool(outcome.drops))
    toy.go()
    assert left(toy) == (["bad"], [])


def test_after_a_run_that_was_stopped_the_old_ledger_stays_true(toy: Toy, read: list[str]) -> None:
    class Stopped(InlineExecutor):
        def run(self, work: Work, calls: Sequence[Call], resources: Resources) -> Iterator[tuple[int, Failure | None]]:
            yield next(iter(super().run(work, calls, resources)))
            raise KeyboardInterrupt

    toy.go()
    with pytest.raises(KeyboardInterrupt):
        run_stage(toy.stage, toy.workspace, ToyConfig(items=(*ITEMS, "four", "five")), Stopped())
    read.clear()
    assert left(toy, items=(*ITEMS, "four", "five")) == (["five"], ["ugly"])
    assert read == ["four"]


def test_a_folder_that_goes_while_its_stage_runs_is_an_error_with_a_remedy(toy: Toy) -> None:
    class Thief(InlineExecutor):
        def run(self, work: Work, calls: Sequence[Call], resources: Resources) -> Iterator[tuple[int, Failure | None]]:
            yield from super().run(work, calls, resources)
            shutil.rmtree(record_of(toy).parent)

    with pytest.raises(FlythroughError, match=r"is damaged or gone.*Run it again"):
        run_stage(toy.stage, toy.workspace, ToyConfig(), Thief())
    assert toy.go().ran == 1
