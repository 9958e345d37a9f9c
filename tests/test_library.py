"""The library's doors: lazy, named in one place, and as docs/library.md shows them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import cv2
import pytest

import flythrough as ft
from flythrough.errors import InputError
from tests.clip_factory import make_workspace

PAGE = Path(__file__).parents[1] / "docs" / "library.md"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    opened = make_workspace(folder / "W", clips=3, frames=16, height=64, width=96)
    clip = ft.open(opened.root).clip(opened.rows("clips")[0]["id"])
    cv2.imwrite(str(folder / "photo.png"), clip.frame(0)[..., ::-1])
    return folder


def test_the_page_runs_as_it_stands(folder: Path) -> None:
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 6
    done = subprocess.run([sys.executable, "-c", "\n".join(blocks)], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("(64, 96, 3)") == 4
    assert "zoom" in done.stdout
    assert (folder / "scores/zoom/results.json").is_file()
    assert "View synthesis, step" in done.stdout


def test_the_doors_are_all_there_and_nothing_heavy_is_loaded_for_them() -> None:
    code = "import sys, flythrough as ft; print(dir(ft)); print(sorted({'torch', 'pandas', 'cv2'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines() == [str(sorted(ft.__all__)), "[]"]
    for door in set(ft.__all__) - {"__version__"}:
        assert callable(getattr(ft, door))
    with pytest.raises(AttributeError, match="no attribute 'opne'"):
        _ = ft.opne  # type: ignore[attr-defined]


def test_a_clip_is_the_same_by_id_and_by_folder(folder: Path) -> None:
    workspace = ft.open(folder / "W")
    row = workspace.clips.iloc[0]
    by_id, by_folder = workspace.clip(row.id), ft.load_clip(folder / "W" / row.folder)
    assert (by_id.frame(3) == by_folder.frame(3)).all()
    assert (by_folder.height, by_folder.width) == (row.height, row.width)


def test_what_is_not_there_is_said(folder: Path, tmp_path: Path) -> None:
    for wrong, said in (
        (lambda: ft.open(tmp_path), "is not a workspace"),
        (lambda: ft.open(folder / "W").clip("nothing"), "There is no clip 'nothing'"),
        (lambda: ft.load_clip(tmp_path), "has no cameras.txt"),
        (lambda: ft.fly(tmp_path / "no.png"), "is not a file"),
        (lambda: ft.evaluate("zoom", workspace=tmp_path), "is not a workspace"),
        (lambda: ft.compare(tmp_path), "has no results"),
        (lambda: ft.evaluate("zoom", "acid-v1"), "clips of protocol acid-v1 are not known"),
        (lambda: ft.evaluate("folder", workspace=folder / "W"), "There is no method 'folder'"),
        (lambda: ft.evaluate(dict, workspace=folder / "W"), r"dict has no setup\(\)"),
        (lambda: ft.compare([]), "no results to compare"),
    ):
        with pytest.raises(InputError, match=said):
            wrong()


def test_one_method_needs_no_list(folder: Path) -> None:
    found = ft.evaluate("static", workspace=folder / "W", steps=2, sfm_flights=0)
    assert set(found.table.method) == {"static"}
