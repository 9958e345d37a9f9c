"""The files around the code are true: the wheel's data, the make targets, the citation, the changelog."""

from __future__ import annotations

import re
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
TOOL = PROJECT["tool"]["setuptools"]


def package_folders() -> dict[str, Path]:
    """Where each package of the wheel lies."""
    mapped = TOOL["package-dir"]
    folders = {}
    for package in TOOL["packages"]:
        top = max((name for name in mapped if f"{package}.".startswith(f"{name}.")), key=len)
        folders[package] = ROOT / mapped[top] / package.removeprefix(top).strip(".").replace(".", "/")
    return folders


def shipped(file: Path, folders: dict[str, Path]) -> bool:
    """Whether a data file is in the wheel: some package above it names it in package-data."""
    for package, folder in folders.items():
        if file.is_relative_to(folder):
            patterns = [*TOOL["package-data"].get("*", ()), *TOOL["package-data"].get(package, ())]
            name = file.relative_to(folder).as_posix()
            if any(fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in patterns):
                return True
    return False


def code_files(suffix: str = "") -> list[Path]:
    tops = {folder.relative_to(ROOT).parts[0] for folder in package_folders().values()}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *tops],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in listed.stdout.splitlines() if line.endswith(suffix)]


def test_every_data_file_is_in_the_wheel() -> None:
    folders = package_folders()
    data = [file for file in code_files() if file.suffix != ".py"]
    assert ROOT / "flythrough/cli/templates/page.html" in data
    assert [str(file.relative_to(ROOT)) for file in data if not shipped(file, folders)] == []


def test_every_module_is_in_a_package_of_the_wheel() -> None:
    folders = set(package_folders().values())
    assert [str(file) for file in code_files(".py") if file.parent not in folders] == []


def test_make_alone_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)[0].split())
    # Under `make test` this is a make within make, which would name the folders it enters.
    command = ["make", "--no-print-directory"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in shown.splitlines()} == targets


def test_docs_name_only_targets_that_exist() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    named = {
        (page.name, word)
        for page in pages
        for line in re.findall(
            r"`make ([a-z -]+)`|^    make ([a-z -]+)", page.read_text(encoding="utf-8"), re.MULTILINE
        )
        for word in "".join(line).split()
    }
    assert named
    assert [each for each in sorted(named) if each[1] not in targets] == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if not (page.parent / target).exists():
                broken.append(f"{page.name}: {target}")
    assert broken == []


def test_ray_accepts_the_clusters_description() -> None:
    util = pytest.importorskip("ray.autoscaler._private.util", reason="Ray is not installed")
    jsonschema = pytest.importorskip("jsonschema")  # which Ray brings
    described = yaml.safe_load((ROOT / "docker" / "ray-cluster.yaml").read_text(encoding="utf-8"))
    util.validate_config(util.prepare_config(described))
    with pytest.raises(jsonschema.ValidationError, match="colour"):
        util.validate_config(util.prepare_config({**described, "colour": "blue"}))
