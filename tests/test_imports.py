"""The house: which room may import which."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = ("acquire", "curate", "sfm", "train", "evaluate", "leaderboard")
HEAVY = {"torch", "torchvision", "pycolmap", "cv2", "av", "pandas", "numba", "ray", "matplotlib", "lpips", "yt_dlp"}


def imports(file: Path) -> list[str]:
    """Absolute names of everything a file imports, at any depth in it."""
    package = ["flythrough", *(file.relative_to(ROOT).parts[:-1] if file.parts[-2] != "flythrough" else ())]
    found = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found += [module, *(f"{module}.{alias.name}" for alias in node.names)]
    return found


def rooms(names: list[str]) -> set[str]:
    """The stages that a list of imported names reaches into."""
    return {stage for stage in STAGES for name in names if f"{name}.".startswith(f"flythrough.{stage}.")}


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_the_ground_floor_and_itself(stage: str) -> None:
    files = sorted((ROOT / stage).rglob("*.py"))
    assert files
    for file in files:
        assert rooms(imports(file)) <= {stage}, file


def test_the_ground_floor_imports_no_stage() -> None:
    for file in (ROOT / "flythrough").rglob("*.py"):
        assert rooms(imports(file)) == set(), file


def test_the_reader_of_imports_sees_through_relative_ones(tmp_path: Path) -> None:
    file = ROOT / "curate" / "__init__.py"
    assert rooms(["flythrough.sfm.stage"]) == {"sfm"}
    assert "flythrough.errors" in imports(ROOT / "flythrough" / "catalog.py")
    assert rooms(imports(file)) == set()


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", ["stage.py", "cli.py"])
def test_front_doors_load_nothing_heavy(stage: str, name: str) -> None:
    tree = ast.parse((ROOT / stage / name).read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [a.name for n in top if isinstance(n, ast.Import) for a in n.names]
    names += [n.module or "" for n in top if isinstance(n, ast.ImportFrom) and not n.level]
    assert not {n.split(".")[0] for n in names} & HEAVY
