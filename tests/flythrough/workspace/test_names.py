"""Names that become paths."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flythrough.errors import InputError
from flythrough.workspace.names import check_name, problem_with

HOSTILE = ("", ".", "..", "../x", "a/b", "/etc/passwd", "a\\b", ".hidden", "a\nb", "a\x00b", "\ud800", " a", "a ",
           "x" * 201, "a\u202egnp.exe", "\u2028")  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="protocol"):
        check_name(name, "protocol")


@pytest.mark.parametrize("name", ["acid-v1", "Küste_2", "a.b", "clip 7", "0"])
def test_ordinary_names_pass(name: str) -> None:
    assert check_name(name, "clip") == name


@given(st.text())
def test_what_passes_stays_in_its_folder(name: str) -> None:
    if problem_with(name) is None:
        assert (Path("/workspace") / name).resolve().parent == Path("/workspace")
