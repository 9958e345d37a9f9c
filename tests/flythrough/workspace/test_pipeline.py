"""Tasks, keys, errors and tables, with a toy stage run in this process."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from flythrough.errors import FlythroughError
from flythrough.workspace import pipeline
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.files import TASK_FILE, content_key
from flythrough.workspace.records import record
from flythrough.workspace.stage import Job, Outcome, Stage, Task
from tests.flythrough.workspace.toy_stage import VIDEO, Toy, ToyConfig


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Toy:
    toy = Toy(tmp_path)
    for module in (pipeline, record):
        monkeypatch.setattr(module, "load_stage", lambda name: toy.stage)
    return toy


def test_every_task_ends_as_row_drop_or_error(toy: Toy) -> None:
    report = toy.go()
    assert (report.tasks, report.done, report.failed) == (3, 2, 1)
    assert (report.dropped, report.reasons) == (1, {"bad": 1})
    (row,) = toy.workspace.rows("videos")
    assert (toy.workspace / row["path"]).read_text() == "1"
    assert toy.workspace.rows("drops") == [
        {"id": "bad", "stage": "acquire", "reason": "bad", "values": '{"badness": 2.5}'}
    ]
    (error,) = toy.workspace.rows("errors")
    assert (error["id"], error["kind"], error["remedy"], error["attempts"]) == ("ugly", "input", "Mend it", 1)


def test_a_key_is_the_hash_of_its_parts(toy: Toy) -> None:
    stage, config, inputs = toy.stage, ToyConfig(factor=3), {"video": {"b": 1, "a": None}, "path": "é.mp4"}
    assert stage.key(Task("t", inputs), config) == content_key("acquire", 1, {"factor": 3}, "t", inputs)


def test_a_finished_task_never_runs_again(toy: Toy) -> None:
    toy.go()
    before = toy.workspace.table_file("videos").read_bytes()
    assert toy.go().ran == 0
    assert toy.ran == []
    assert toy.workspace.table_file("videos").read_bytes() == before


def test_a_folder_without_a_file_that_its_row_names_is_not_published(toy: Toy) -> None:
    def run(job: Job, config: ToyConfig) -> Outcome:
        outcome = toy.run(job, config)
        (job.folder / "out.txt").unlink(missing_ok=True)
        return outcome

    whole, toy.stage = toy.stage, replace(toy.stage, run=run)
    report = toy.go(items=("good", "bad"))
    assert [(error["id"], error["kind"]) for error in report.errors] == [("good", "disk")]
    toy.stage = whole
    assert (toy.go(items=("good", "bad"), retry_errors=True).errors, toy.ran) == ([], ["good"])


def test_a_changed_config_runs_again_what_it_touches(toy: Toy) -> None:
    toy.go()
    toy.go(factor=2)
    assert toy.ran == ["good", "bad", "ugly"]
    assert toy.workspace.rows("videos")[0]["bytes"] == 2
    toy.go(items=("good", "new"), factor=2)
    assert toy.ran == ["new"]
    assert [row["id"] for row in toy.workspace.rows("videos")] == ["good", "new"]


def test_going_back_to_an_earlier_config_finds_its_results(toy: Toy) -> None:
    toy.go()
    toy.go(factor=2)
    toy.go(factor=1)
    assert "good" not in toy.ran
    assert toy.workspace.rows("videos")[0]["bytes"] == 1


def test_errors_are_retried_on_request_only_and_nothing_else_is(toy: Toy) -> None:
    toy.go()
    toy.go()
    assert toy.ran == []
    toy.go(retry_errors=True)
    assert toy.ran == ["ugly"]
    assert toy.workspace.rows("errors")[0]["attempts"] == 2
    toy.repaired = True
    assert toy.go(retry_errors=True).failed == 0
    assert toy.workspace.rows("errors") == []
    assert [row["id"] for row in toy.workspace.rows("videos")] == ["good", "ugly"]


def test_a_killed_attempt_leaves_nothing_behind_for_the_next(toy: Toy) -> None:
    scratch = toy.workspace / "acquire" / ".partial" / record.published_folder(
        "acquire", "good", toy.stage.key(Task("good", {"hash": "of good"}), ToyConfig())
    ).split("/")[1]  # fmt: skip
    scratch.mkdir(parents=True)
    (scratch / "half").write_text("half")
    toy.go()
    assert not list(toy.workspace.root.rglob("half"))


def test_a_task_that_accounts_for_nothing_is_an_error(toy: Toy) -> None:
    toy.stage = Stage("acquire", 1, "videos", ToyConfig, toy.tasks, lambda job, config: Outcome())
    report = toy.go()
    assert report.failed == 3
    assert "accounted for nothing" in toy.workspace.rows("errors")[0]["message"]


def test_items_in_error_inside_a_task_are_listed_and_retried(toy: Toy) -> None:
    def run(job: Job, config: ToyConfig) -> Outcome:
        lost = {"id": "clip", "kind": "network", "message": "gone", "remedy": "wait"}
        return Outcome(errors=[] if toy.repaired else [lost], rows=[{**VIDEO, "id": job.task.id}])

    toy.stage = Stage("acquire", 1, "videos", ToyConfig, toy.tasks, run)
    toy.go(items=("one",))
    assert [row["id"] for row in toy.workspace.rows("errors")] == ["clip"]
    assert len(toy.workspace.rows("videos")) == 1
    toy.repaired = True
    toy.go(items=("one",), retry_errors=True)
    assert toy.workspace.rows("errors") == []


def test_a_failure_is_logged_with_its_traceback(toy: Toy) -> None:
    toy.go()
    assert "ugly is ugly" in (toy.workspace / "logs" / "acquire" / "ugly.log").read_text()


def test_an_empty_stage_stops_the_run_with_a_pointer(toy: Toy) -> None:
    run = pipeline.run_stages(toy.workspace, {"acquire": ToyConfig(items=("bad",))}, InlineExecutor(), until="curate")
    assert next(run).rows == 0
    with pytest.raises(FlythroughError, match=r"acquire left no videos.*flythrough status"):
        next(run)


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"key": 1}', '{"key": "a", "attempts": 1, "outcome": {"rows": 1}}'])
def test_a_damaged_record_makes_its_task_run_again(toy: Toy, damage: str) -> None:
    toy.repaired = True
    before = toy.go()
    file = next(toy.workspace.root.glob(f"acquire/good.*/{TASK_FILE}"))
    file.write_text(damage)
    again = toy.go()
    assert toy.ran == ["good"]
    assert (again.rows, again.dropped, again.errors) == (before.rows, before.dropped, before.errors)


@pytest.mark.parametrize(
    ("whole", "damaged"),
    [
        ('"bytes": 1', '"bytes": "1"'),
        ('"bytes": 1', '"bytes": true'),
        ('"bytes": 1', '"bytes": 9223372036854775808'),
        ('"bytes": 1', '"bytec": 1'),
        ('"rotation": 0', '"rotation": 0.5'),
        ('"pixel_format": "gray"', '"pixel_format": ["gray"]'),
        ('"drops": []', '"drops": [1]'),
        ('"errors": []', '"errors": [{"id": 1}]'),
        ('"others": {}', '"others": {"no such table": [{}]}'),
    ],
)
def test_a_record_with_a_bit_flipped_makes_its_task_run_again(toy: Toy, whole: str, damaged: str) -> None:
    toy.repaired = True
    before = toy.go()
    file = next(toy.workspace.root.glob(f"acquire/good.*/{TASK_FILE}"))
    text = file.read_text()
    assert whole in text
    file.write_text(text.replace(whole, damaged))
    again = toy.go()
    assert toy.ran == ["good"]
    assert (again.rows, again.dropped, again.errors) == (before.rows, before.dropped, before.errors)


@pytest.mark.parametrize("value", ["no number", 2**63, 1e308, None])
def test_a_row_that_no_table_can_hold_is_its_tasks_error_alone(toy: Toy, value: object) -> None:
    toy.repaired = True
    plain_run = toy.run

    def run(job: Job, config: ToyConfig) -> Outcome:
        outcome = plain_run(job, config)
        if job.task.id == "ugly":
            outcome.rows[0]["bytes"] = value if value is not None else float("nan")
        return outcome

    toy.stage = replace(toy.stage, run=run)
    report = toy.go()
    assert (report.rows, report.dropped, report.failed) == (1, 1, 1)
    assert report.errors[0]["id"] == "ugly"
    toy.stage = replace(toy.stage, run=plain_run)
    assert toy.go(retry_errors=True).rows == 2


def test_lone_surrogates_stop_nothing(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.repaired = True
    plain_run = Toy.run

    def run(job: Job, config: ToyConfig) -> Outcome:
        outcome = plain_run(toy, job, config)
        for row in outcome.rows:
            row["title"] = "a \ud83d title"
        return outcome

    monkeypatch.setattr(pipeline, "load_stage", lambda name: Stage("acquire", 1, "videos", ToyConfig, toy.tasks, run))
    toy.go()
    assert [row["title"] for row in toy.workspace.rows("videos")] == ["a ? title"] * 2


def test_what_a_killed_attempt_left_is_cleared_away(toy: Toy) -> None:
    left = toy.workspace.root / "acquire" / pipeline.PARTIAL / "good.00000000.ffffffff"
    left.mkdir(parents=True)
    toy.go()
    assert not left.exists()


def test_a_task_that_did_too_little_runs_again_under_its_key(toy: Toy) -> None:
    """As long as the stage says so, and in the same folder."""
    toy.go()
    wanted = {"bad"}
    toy.stage = replace(toy.stage, again=lambda folder, outcome, config: any(d["id"] in wanted for d in outcome.drops))
    folders = {path.name for path in (toy.workspace / "acquire").glob("bad.*")}
    toy.go()
    assert toy.ran == ["bad"]
    assert {path.name for path in (toy.workspace / "acquire").glob("bad.*")} == folders
    wanted.clear()
    assert toy.go().ran == 0


@pytest.mark.parametrize(
    "damage", ["", "{", "[]", "{}", '{"key": "@", "attempts": "1"}', '{"key": "@", "attempts": 1}']
)
def test_a_damaged_note_of_a_failure_makes_its_task_run_again(toy: Toy, damage: str) -> None:
    before = toy.go()
    (note,) = toy.workspace.root.glob("acquire/.errors/ugly.json")
    note.write_text(damage.replace("@", json.loads(note.read_text())["key"]))
    again = toy.go()
    assert toy.ran == ["ugly"]
    assert again.errors == before.errors
