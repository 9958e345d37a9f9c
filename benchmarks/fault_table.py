"""Each fault that docs/reliability.md lists, by its tests: fault, what happens, tries, losses.

    python benchmarks/fault_table.py [-o docs/data/fault_tests.json]

Runs the tests below, each case a try and each failed one a loss, and prints the table. Skipped cases are not counted.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FAULTS = (
    ("killed at each system call of putting a folder in place",
     "either the old folder or the new one is there, complete",
     "tests/faults/test_publish_folder.py"),
    ("the driver dies alone", "its workers end within seconds",
     "tests/faults/test_kill.py::test_workers_end_with_a_driver_that_is_killed_alone"),
    ("a worker dies at a random moment", "its task is an error, the others go on",
     "tests/flythrough/workspace/test_executor.py::test_a_worker_killed_at_any_moment_costs_its_call_alone"),
    ("a training in several processes gets SIGTERM, or its stage is killed", "all its processes save and end",
     "tests/train/test_train_session.py::test_sigterm_saves_and_ends_the_process",
     "tests/train/test_train_session.py::test_all_processes_end_with_the_one_that_started_them"),
    ("a run is stopped with Ctrl-C, locally or on Ray", "what still runs is ended",
     "tests/flythrough/workspace/test_executor.py::test_what_still_runs_is_ended_with_the_run"),
    ("a method command forks, ignores SIGTERM, starts a session of its own", "all of it ends within 10 s",
     "tests/faults/test_method_commands.py"),
    ("a file is truncated, changed or removed after it was published",
     "`flythrough verify` names it; after `--repair` the next run makes it again", "tests/faults/test_verify.py"),
    ("a task's record, or the note of its failure, is damaged", "the task runs again",
     "tests/flythrough/workspace/test_pipeline.py::test_a_damaged_record_makes_its_task_run_again",
     "tests/flythrough/workspace/test_pipeline.py::test_a_record_with_a_bit_flipped_makes_its_task_run_again",
     "tests/flythrough/workspace/test_pipeline.py::test_a_damaged_note_of_a_failure_makes_its_task_run_again"),
    ("the ledger of finished tasks is damaged, old or wrong", "records are read as if there were none",
     "tests/flythrough/workspace/test_ledger.py"),
    ("the disk is full while a picture is written", "an error with a remedy",
     "tests/flythrough/media/test_image_files.py::test_a_full_disk_is_an_error"),
    ("a table upstream is deleted, `-w` is mistyped", "an error; nothing is written",
     "tests/faults/test_missing_tables.py"),
    ("two commands write to one workspace", "the second is refused",
     "tests/faults/test_garbage.py::test_scoring_into_a_workspace_that_a_run_holds_is_refused",
     "tests/flythrough/workspace/test_catalog.py::test_one_run_at_a_time"),
    ("a video has damaged frames", "acquire and curate decide by the same limit", "tests/faults/test_damage.py"),
    ("a method's script or a shard changes, at the same size; a path is spelled another way",
     "made again; not made again",
     "tests/faults/test_stale_results.py::test_a_changed_script_is_another_method",
     "tests/faults/test_stale_results.py::test_shards_are_known_by_content_and_not_by_name_or_size",
     "tests/faults/test_stale_results.py::test_a_training_run_has_one_key_however_its_settings_are_spelled"),
    ("a local video is edited in place after acquire",
     "the workspace has its own copy or clone (unless `acquire.link_inputs` is set)",
     "tests/faults/test_stale_results.py::test_an_input_edited_in_place_stays_as_it_was_taken_in",
     "tests/faults/test_stale_results.py::test_a_file_edited_in_place_is_refused_by_who_would_read_it",
     "tests/faults/test_stale_results.py::test_stages_read_no_video_that_was_edited_in_place"),
    ("a JSON note, a table or `inputs.txt` is truncated; a folder stands where a file is expected",
     "an error with a remedy, or fetched again", "tests/faults/test_user_errors.py"),
    ("a title holds half a character, a name emoji or line breaks", "stored, or replaced",
     "tests/flythrough/workspace/test_pipeline.py::test_lone_surrogates_stop_nothing",
     "tests/hostile/test_downloads.py::test_names_with_line_breaks_are_remembered"),
)  # fmt: skip


class Counted:
    """A plugin that counts each test's passed and failed cases."""

    def __init__(self) -> None:
        self.tries: Counter[str] = Counter()
        self.losses: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        test = report.nodeid.partition("[")[0]
        self.tries[test] += report.when == "call" and not report.skipped
        self.losses[test] += report.failed


def counted(faults: tuple[tuple[str, ...], ...] = FAULTS) -> list[dict[str, Any]]:
    """Run the faults' tests; returns a row for each fault."""
    plugin = Counted()
    named = sorted({test for _, _, *tests in faults for test in tests})
    if pytest.main(["-q", "-p", "no:cacheprovider", *named], plugins=[plugin]) not in (0, 1):
        raise SystemExit("pytest could not run all of these tests")
    return [
        {
            "fault": fault, "happens": happens, "tests": tests, "tries": _sum(plugin.tries, tests),
            "losses": _sum(plugin.losses, tests),
        }
        for fault, happens, *tests in faults
    ]  # fmt: skip


def _sum(found: Counter[str], tests: list[str]) -> int:
    return sum(count for name, count in found.items() for test in tests if name == test or name.startswith(f"{test}::"))


def table(rows: list[dict[str, Any]]) -> str:
    """The rows as the table of docs/reliability.md."""
    lines = ["| fault | what happens | tries | losses | test |", "|---|---|---|---|---|"]
    for row in rows:
        files = ", ".join(f"`{file}`" for file in dict.fromkeys(test.partition("::")[0] for test in row["tests"]))
        lines.append(f"| {row['fault']} | {row['happens']} | {row['tries']} | {row['losses']} | {files} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("-o", "--out", type=Path)
    given = parser.parse_args()
    rows = counted()
    if given.out:
        given.out.write_text(json.dumps(rows, indent=1) + "\n")
    print(table(rows))
    sys.exit(any(row["losses"] or not row["tries"] for row in rows))


if __name__ == "__main__":
    main()
