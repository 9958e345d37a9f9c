"""The house: what each room may import. Read from the imports themselves, at any depth in a file."""

from __future__ import annotations

import ast
import tomllib
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = ("acquire", "curate", "sfm", "train", "evaluate", "leaderboard")
# The ground floor, top to bottom: a folder imports only folders to its right.
FLOOR = ("cli", "sample", "results", "rules", "networks", "media", "rendering", "scene", "workspace", "web", "errors")
HEAVY = {"torch", "torchvision", "pycolmap", "cv2", "av", "pandas", "numba", "ray", "matplotlib", "lpips", "yt_dlp"}


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Every module below ``root`` by the name it is imported under."""
    found = {}
    for top in ("flythrough", *STAGES):
        for file in sorted((root / top).rglob("*.py")):
            parts = file.relative_to(root).with_suffix("").parts
            name = ".".join(parts if top == "flythrough" else ("flythrough", *parts)).removesuffix(".__init__")
            found[name] = file
    return found


def imports(name: str, known: dict[str, Path]) -> set[str]:
    """The modules of ``known`` that module ``name`` imports; a name imported from a package is its submodule's."""
    package = name.split(".") if known[name].name == "__init__.py" else name.split(".")[:-1]
    found = set()
    for node in ast.walk(ast.parse(known[name].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            full = {alias: f"{module}.{alias}" for alias in (a.name for a in node.names)}
            found |= {path if path in known else module for path in full.values()}
    return found & set(known) - {name}


def graph(known: dict[str, Path]) -> dict[str, set[str]]:
    """What each module imports."""
    return {name: imports(name, known) for name in known}


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Names along a circle, or nothing."""
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def room(name: str) -> str:
    """The stage, or the folder of the ground floor, that a module lies in."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def misplaced(edges: dict[str, set[str]]) -> list[str]:
    """Imports that the house forbids: from stage to stage, upwards from the ground floor, or upwards within it."""
    wrong = []
    for name, targets in edges.items():
        here = room(name)
        for target in targets:
            there = room(target)
            if there == here or here in ("", "__main__") or there == "":
                continue
            if there in STAGES or (here in FLOOR and FLOOR.index(there) < FLOOR.index(here)):
                wrong.append(f"{name} imports {target}")
    return wrong


def test_there_is_no_circle_among_modules() -> None:
    assert circle(graph(modules())) == []


@pytest.mark.parametrize("stage", STAGES)
def test_there_is_no_circle_among_a_stages_folders(stage: str) -> None:
    """Files directly in a stage's folder stand above its subfolders or below them, each for itself."""
    known = modules()

    def place(name: str) -> str:
        return ".".join(name.split(".")[:3])

    edges: dict[str, set[str]] = {}
    for name, targets in graph(known).items():
        if room(name) == stage:
            inside = {place(target) for target in targets if room(target) == stage} - {place(name)}
            edges.setdefault(place(name), set()).update(inside - {f"flythrough.{stage}"})
    assert circle(edges) == []


def test_arrows_point_down() -> None:
    assert misplaced(graph(modules())) == []


def test_every_folder_of_the_ground_floor_has_its_place() -> None:
    folders = {path.name for path in (ROOT / "flythrough").iterdir() if (path / "__init__.py").exists()}
    assert folders | {"errors"} == set(FLOOR)


@pytest.mark.parametrize(
    ("file", "line", "seen"),
    [
        ("flythrough/scene/geometry.py", "from ..rendering import render", "upwards"),
        ("flythrough/workspace/files.py", "import flythrough.sfm.config", "upwards"),
        ("train/model/network.py", "from flythrough.sfm.config import SfmConfig", "upwards"),
        ("sfm/poses/scene.py", "from .register import track_between", "circle"),
        ("flythrough/workspace/files.py", "from .catalog import Workspace", "circle"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, file: str, line: str, seen: str) -> None:
    known = modules()
    name = next(name for name, path in known.items() if path == ROOT / file)
    bad = tmp_path / Path(file).name
    bad.write_text(f"{(ROOT / file).read_text(encoding='utf-8')}\n\n{line}\n", encoding="utf-8")
    edges = graph(known) | {name: imports(name, known | {name: bad})}
    assert misplaced(edges) if seen == "upwards" else circle(edges)


def test_every_folder_of_code_is_packaged_and_holds_at_most_15_files() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = set(project["tool"]["setuptools"]["packages"])
    folders: dict[str, int] = {}
    for name, file in modules().items():
        package = name if file.name == "__init__.py" else name.rpartition(".")[0]
        folders[package] = folders.get(package, 0) + 1
    assert set(folders) == packages
    assert {name: count for name, count in folders.items() if count > 15} == {}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", ["stage.py", "cli.py"])
def test_front_doors_load_nothing_heavy(stage: str, name: str) -> None:
    tree = ast.parse((ROOT / stage / name).read_text(encoding="utf-8"))
    top = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    names = [a.name for n in top if isinstance(n, ast.Import) for a in n.names]
    names += [n.module or "" for n in top if isinstance(n, ast.ImportFrom) and not n.level]
    assert not {n.split(".")[0] for n in names} & HEAVY
