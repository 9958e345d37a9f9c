"""The version follows the tags, and is there without them; an sdist's bytes follow from its contents."""

from __future__ import annotations

import importlib.util
import io
import re
import shutil
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml
from packaging.version import Version

import flythrough

ROOT = Path(__file__).parents[1]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with our pyproject.toml."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def git(folder: Path, *words: str) -> None:
    names = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *names, *words], check=True, capture_output=True)


def version_of(folder: Path) -> Version:
    """The version that a build in a folder would get."""
    scm = pytest.importorskip("setuptools_scm", reason="the extra dev is not installed")
    config = scm.Configuration.from_file(str(folder / "pyproject.toml"), root=str(folder))
    return Version(scm._get_version(config, force_write_version_files=False))


def test_without_git_the_version_is_the_next_releases() -> None:
    (next_release,) = re.findall(r"^## ([\d.]+) \(unreleased\)", changelog(), re.MULTILINE)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'fallback_version = "{next_release}.dev0"' in text
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == next_release


def test_a_tree_without_git_or_tags_has_a_version(tree: Path) -> None:
    assert version_of(tree) == Version("0.1.0.dev0")
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "first")
    assert version_of(tree).release[:2] == (0, 1)
    assert version_of(tree).is_devrelease
    # A shallow clone, as a workflow makes it.
    git(tree, "clone", "--quiet", "--depth", "1", f"file://{tree}", str(tree / "shallow"))
    assert version_of(tree / "shallow").is_devrelease


def test_the_version_follows_the_tags(tree: Path) -> None:
    git(tree, "init", "--quiet")
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", "first")
    git(tree, "tag", "v1.2.0")
    assert version_of(tree) == Version("1.2.0")
    git(tree, "commit", "--quiet", "--allow-empty", "-m", "second")
    assert version_of(tree).public == "1.2.1.dev1"


def test_the_package_says_its_version() -> None:
    assert flythrough.__version__ == version("flythrough")


def test_an_sdists_bytes_follow_from_its_contents(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("dist_script", ROOT / ".ci" / "dist.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def archive(name: str, order: tuple[str, ...], seconds: int, user: str) -> bytes:
        raw, made = tmp_path / f"{name}.raw", tmp_path / name
        with tarfile.open(raw, mode="w:gz") as tar:
            for each in order:
                info = tarfile.TarInfo(f"p-1/{each}")
                info.size, info.mtime, info.uname = len(each), seconds, user
                info.mode = (0o755 if each == "run" else 0o644) & (0o777 if user == "a" else 0o700)
                tar.addfile(info, io.BytesIO(each.encode()))
        script.normalise(raw, made, 1_700_000_000)
        return made.read_bytes()

    first, second = archive("a", ("run", "z", "b"), 1, "a"), archive("b", ("b", "run", "z"), 10**9, "b")
    assert first == second
    assert first != archive("c", ("run", "z", "c"), 1, "a")
    with tarfile.open(tmp_path / "a") as tar:
        members = {each.name: (each.mtime, oct(each.mode)) for each in tar}
        assert members["p-1/run"] == (1_700_000_000, "0o755")
        assert members["p-1/b"] == (1_700_000_000, "0o644")
        found = tar.extractfile("p-1/z")
        assert found is not None
        assert found.read() == b"z"


def changelog() -> str:
    return (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_heavy_imports_wait() -> None:
    code = "import flythrough, sys; assert 'importlib.metadata' not in sys.modules"
    subprocess.run([sys.executable, "-S", "-c", code], check=True, cwd=ROOT)
