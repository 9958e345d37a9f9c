"""Each number in README and docs is that of its page's record, and has a source or is a setting's default."""

from __future__ import annotations

import importlib
import importlib.util
import re
from functools import reduce
from itertools import zip_longest
from typing import cast

import pytest

from flythrough.workspace.config import load_config
from tests.figures import PAGES, ROOT, SAID, Record, blocks_of


def text_of(file: str) -> str:
    return (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_a_pages_numbers_are_those_of_its_record(page: str) -> None:
    found, recorded = blocks_of(text_of(page)), Record(page).blocks
    wrong = [f"{here or there}: {found.get(here)}, recorded {recorded.get(there)}"
             for here, there in zip_longest(found, recorded, fillvalue="")
             if [*found.get(here, {}).values()] != [*recorded.get(there, {}).values()]]  # fmt: skip
    assert wrong[:1] == [], f"Measured again? python -m tests.figures {page}, and date its source"


def test_another_number_on_the_page_or_in_the_record_is_noticed() -> None:
    text, record = text_of("README.md"), Record("README.md")
    another = re.sub(r"(?<=zoom {13})\d", lambda digit: str(9 - int(digit[0])), text)  # of the demo's table
    assert another != text
    assert blocks_of(another) != record.blocks
    assert blocks_of(text.replace("about 8 GB", "about 8 or 9 GB")) != record.blocks
    next(iter(record.named.values()))[""][0] = 2021
    assert blocks_of(text) != record.blocks


@pytest.mark.parametrize("page", PAGES)
def test_each_number_has_a_source_that_is_here(page: str) -> None:
    record = Record(page)
    names = {name for name, _ in record.numbers()}
    assert set(record.sources) <= names
    for name in names - set(record.sources) - {SAID}:
        assert re.search(r"\w[.:]\w", name), f"{page}: no source {name!r}"  # else a setting: the next test
    for source in record.sources.values():
        assert len({"command", "test", "citation", "no_command"} & set(source)) == 1
        if test := source.get("test"):
            file, _, function = test.partition("::")
            assert f"def {function}(" in text_of(file)
        if command := source.get("command"):
            assert re.match(r"\d{4}-\d\d-\d\d", source["stated"]), command
            assert_runs(command)


def assert_runs(command: str) -> None:
    """What the command starts is in this repository, or a usual tool."""
    program, *words = command.split()
    if program == "python":
        files = [word for word in words if word.endswith(".py")]
        modules = [words[1]] if words[0] == "-m" and words[1] != "pytest" else []
        assert files or modules, command
        assert all((ROOT / file).is_file() for file in files), command
        assert all(importlib.util.find_spec(module) for module in modules), command
    elif program == "make":
        assert f"\n{words[0]}:" in text_of("Makefile"), command
    else:
        assert program in {"flythrough", "du"}, command


def value(name: str) -> float:
    """A setting's default, or a constant of the code as ``module:NAME``; ``/ 60`` gives it in the page's unit."""
    name, _, unit = name.partition(" / ")
    module, _, path = name.rpartition(":")
    keys = path.split(".")
    start = importlib.import_module(module) if module else load_config()
    return float(cast("float", reduce(member, keys, cast("object", start)))) / float(unit or 1)


def member(owner: object, key: str) -> object:
    if isinstance(owner, dict):
        return owner[key]
    if isinstance(owner, tuple):
        return owner[int(key)]
    fields = getattr(owner, "model_fields", {}) if isinstance(owner, type) else {}
    return fields[key].default if key in fields else getattr(owner, key)


@pytest.mark.parametrize("page", PAGES)
def test_a_setting_is_what_the_code_has(page: str) -> None:
    record = Record(page)
    for name, number in record.numbers():
        if name != SAID and name not in record.sources:
            known = value(name)
            assert number in (pytest.approx(known), pytest.approx(100 * known)), name  # or in percent
