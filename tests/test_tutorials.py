"""The tutorials' commands run as written, on what `make demo` left; `make tutorials` says where that is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
DEMO = os.environ.get("FLYTHROUGH_DEMO", "")


def blocks(page: Path) -> list[str]:
    return re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def test_each_page_has_commands_that_run() -> None:
    assert [page.name for page in PAGES if not blocks(page)] == ["index.md"]


@pytest.mark.skipif(not DEMO, reason="they need what make demo leaves: run them with make tutorials")
@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)], ids=lambda page: page.stem)
def test_a_tutorial_runs_as_written(page: Path, tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "videos").symlink_to(ROOT / DEMO / "videos")
    shutil.copytree(ROOT / DEMO / "workspace", tmp_path / "demo" / "workspace")
    folder = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    script = "set -euo pipefail\n" + "\n".join(blocks(page))
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert "Traceback" not in done.stderr
