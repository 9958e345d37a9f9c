"""Random submissions (bytes changed, any manifest, any record packed well): accepted or refused, nothing else."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flythrough.errors import InputError
from flythrough.leaderboard.package import Submission
from flythrough.leaderboard.store import EARLIER, FOLDER, LOG, events, listed_files
from flythrough.leaderboard.submissions import add_submission, check_submission
from flythrough.workspace.catalog import Workspace
from tests.hostile.claims import make_workspace
from tests.hostile.test_hostile_submissions import ORIGINAL, good, manifest, whole, zipped
from tests.hostile.test_results_fuzz import JSON, changed_records

HUNDRED = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("fuzz") / "w")


def accepted(workspace: Workspace, content: bytes) -> Submission | None:
    """What check says; None where it is refused with one printable line and a remedy."""
    file = workspace.root.parent / "fuzzed.zip"
    file.write_bytes(content)
    try:
        return check_submission(workspace, file)
    except InputError as error:
        check_refusal(error)
        return None


def check_refusal(error: InputError) -> None:
    assert str(error).isprintable()
    assert error.remedy


@HUNDRED
@given(places=st.lists(st.tuples(st.integers(0, len(ORIGINAL) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_changed_bytes_change_nothing_that_is_accepted(held: Workspace, places: list[tuple[int, int]]) -> None:
    content = bytearray(ORIGINAL)
    for at, value in places:
        content[at] = value
    found = accepted(held, bytes(content))
    assert found in (None, accepted(held, ORIGINAL))  # a time stamp may differ; a number may not


@HUNDRED
@given(
    ends=st.tuples(st.integers(0, len(ORIGINAL)), st.integers(0, len(ORIGINAL))),
    between=st.binary(max_size=40),
)
def test_pieces_of_a_zip(held: Workspace, ends: tuple[int, int], between: bytes) -> None:
    found = accepted(held, ORIGINAL[: ends[0]] + between + ORIGINAL[ends[1] :])
    assert found in (None, accepted(held, ORIGINAL))


@HUNDRED
@given(more=st.dictionaries(st.sampled_from(["format", "version", "files", "x"]), JSON, min_size=1))
def test_any_manifest(held: Workspace, more: dict[str, Any]) -> None:
    stated = json.loads(manifest(good()))
    found = accepted(held, zipped({"manifest.json": json.dumps(stated | more).encode(), **good()}))
    assert found is None or stated | more == stated


@HUNDRED
@given(claim=changed_records())
def test_any_record_packed_well(held: Workspace, claim: dict[str, Any]) -> None:
    """By add: what is refused leaves the store as it was, what is accepted is listed once and logged once."""
    shutil.copytree(held / FOLDER, held.root.parent / "before", dirs_exist_ok=True)
    before = [event.method for event in events(held)]
    file = held.root.parent / "theirs.zip"
    file.write_bytes(zipped(whole({"results.json": json.dumps(claim).encode()})))
    try:
        add_submission(held, file)
    except InputError as error:
        check_refusal(error)
        assert [event.method for event in events(held)] == before
        assert len(listed_files(held)) == 1
    else:
        assert len(events(held)) == len(before) + 1
        assert len(listed_files(held)) == 2
    finally:
        shutil.rmtree(held / FOLDER)
        shutil.move(held.root.parent / "before", held / FOLDER)
    assert (held / LOG).is_file()
    assert not (held / EARLIER).exists()
