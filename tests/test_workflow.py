"""The workflow runs what is here, on the machines and Pythons that the package says it is for."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
JOBS: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
STEPS = [(name, step) for name, job in JOBS.items() for step in job["steps"]]
COMMANDS = [(name, line) for name, step in STEPS for line in step.get("run", "").splitlines() if line.strip()]
TARGETS = set(re.findall(r"^([a-z./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def missing(line: str) -> list[str]:
    """What a command of the workflow names and the repository does not have."""
    program, *words = shlex.split(line)
    if program == "make":
        return [word for word in words if "=" not in word and word not in TARGETS]
    if words[:2] == ["-m", "pytest"]:
        return [word for word in words[2:] if not word.startswith("-") and not (ROOT / word).exists()]
    if program.endswith("python"):
        words = [word for word in words if word.endswith(".py")]
        return [word for word in words if not (ROOT / word).is_file()] or ([] if words else [line])
    return [] if os.access(ROOT / program, os.X_OK) else [program]


@pytest.mark.parametrize(("job", "line"), COMMANDS)
def test_every_command_is_here(job: str, line: str) -> None:
    assert missing(line) == []


def test_a_command_that_is_not_here_is_found() -> None:
    assert missing("make test dits") == ["dits"]
    assert missing(".venv/bin/python -m pytest -q tests/acquire tests/none") == ["tests/none"]
    assert missing(".ci/rum") == [".ci/rum"]
    assert missing(".venv/bin/python benchmarks/none.py --gate") == ["benchmarks/none.py"]


def test_actions_are_pinned_to_a_version() -> None:
    used = [step["uses"] for _, step in STEPS if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w-]+/[\w-]+@v\d+\.\d+\.\d+", each)] == []


def test_the_matrix_is_what_the_package_says_it_is_for() -> None:
    matrix = JOBS["test"]["strategy"]["matrix"]
    prefix = "Programming Language :: Python :: "
    said = [line.removeprefix(prefix) for line in PROJECT["classifiers"] if line.startswith(prefix)]
    assert matrix["python"] == JOBS["arm"]["strategy"]["matrix"]["python"] == said
    assert PROJECT["requires-python"] == f">={said[0]}"
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "macos"}
    assert JOBS["arm"]["runs-on"].endswith("-arm")
    whole = [
        step["with"]["python-version"] for step in JOBS["run"]["steps"] if "python-version" in step.get("with", {})
    ]
    assert {"os": JOBS["run"]["runs-on"], "python": whole[0]} in matrix["exclude"]
    assert all(each["python"] in said and each["os"] in matrix["os"] for each in matrix["exclude"])


def test_the_other_processor_is_the_one_contributors_try() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    settings = JOBS["processor"]["env"]
    assert len(settings) == 3
    for name, value in settings.items():
        assert f"{name}={value}" in text or f'{name}="{value}"' in text


def test_hooks_are_programs_of_the_environment() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    assert all(hook["entry"].startswith(".venv/bin/ruff ") for hook in hooks)
