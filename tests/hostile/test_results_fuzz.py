"""Random results files: each is accepted or refused with a reason, and what is accepted is shown and never ranked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flythrough.errors import InputError
from flythrough.leaderboard.reported import reported_json
from flythrough.leaderboard.standing.gather import gather
from flythrough.leaderboard.store import FOLDER
from flythrough.leaderboard.submissions import add_submission
from flythrough.results.ranking import as_json
from flythrough.results.schema import Result, read_result
from flythrough.workspace.catalog import Workspace
from tests.hostile.claims import make_workspace, record

LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.sampled_from([0, -1, 1e30, 1e308, 1e-320, 2**63, "", "real", "ours", "psnr@5", "<b>", "\ud800", "\0", "a\nb"]),
    st.text(max_size=8),
)
JSON = st.recursive(
    LEAVES, lambda of: st.lists(of, max_size=3) | st.dictionaries(st.text(max_size=5), of, max_size=3), max_leaves=8
)


@st.composite
def changed_records(draw: st.DrawFn) -> dict[str, Any]:
    """A consistent record, with up to four places changed, removed or added to."""
    claim: Any = record("theirs")
    for _ in range(draw(st.integers(0, 4))):
        place = claim
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            if isinstance(place[key], (dict, list)) and draw(st.integers(0, 5)):
                place = place[key]
                continue
            what = draw(st.sampled_from(["replace", "remove", "add"]))
            if what == "remove":
                del place[key]
            elif what == "replace":
                place[key] = draw(JSON)
            elif isinstance(place, dict):
                place[draw(st.sampled_from([*Result.model_fields, "step", "low"]) | st.text(max_size=5))] = draw(JSON)
            else:
                place.append(draw(JSON | st.just(place[key])))
            break
    return claim  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("fuzz") / "w")


def check_accepted_or_refused(workspace: Workspace, content: bytes) -> None:
    file = workspace.root.parent / "fuzzed.json"
    file.write_bytes(content)
    try:
        add_submission(workspace, file)
    except InputError as error:
        refused: InputError | None = error
    else:
        refused = None
    if refused is not None:
        assert str(refused).isprintable()
        assert refused.remedy
        assert not (workspace / FOLDER).exists()
        return
    standing = gather(workspace)
    json.dumps(as_json(standing.protocols, reported_json(standing.reported)), allow_nan=False).encode()
    assert [each.name for each in standing.protocols] == ["p-v1"]
    assert {e.method for board in standing.protocols[0].boards for e in board.ranked} == {"ours"}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(claim=changed_records())
def test_a_changed_record_is_accepted_or_refused(held: Workspace, claim: dict[str, Any]) -> None:
    shutil.rmtree(held / FOLDER, ignore_errors=True)
    check_accepted_or_refused(held, json.dumps(claim).encode())


@settings(max_examples=200, deadline=None)
@given(content=st.one_of(st.binary(max_size=200), JSON.map(lambda value: json.dumps(value).encode())))
def test_any_bytes_are_refused(held: Workspace, content: bytes) -> None:
    file = held.root.parent / "bytes.json"
    file.write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_result(file)
    assert str(caught.value).isprintable()


FIELDS = dict.fromkeys(Result.model_fields, JSON)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(claim=st.fixed_dictionaries({}, optional=FIELDS))
def test_any_object_of_these_fields_is_accepted_or_refused(held: Workspace, claim: dict[str, Any]) -> None:
    shutil.rmtree(held / FOLDER, ignore_errors=True)
    check_accepted_or_refused(held, json.dumps({**record("theirs"), **claim}).encode())


def test_the_fuzz_reaches_what_is_accepted(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w")
    shutil.rmtree(workspace / FOLDER)
    check_accepted_or_refused(workspace, json.dumps(record("theirs")).encode())
    assert (workspace / FOLDER).exists()
