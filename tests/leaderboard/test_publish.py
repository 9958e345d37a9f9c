"""Publishing: a dry run first; a folder, a bare git repository, a stand-in for the Hub; nobody's own files are lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from flythrough.errors import ConfigError, FlythroughError, InputError, MissingDependency
from flythrough.leaderboard.publishing import huggingface
from flythrough.leaderboard.publishing.command import publish
from flythrough.leaderboard.publishing.folder import FolderTarget
from flythrough.leaderboard.publishing.git import branch_of
from flythrough.leaderboard.publishing.huggingface import SpaceTarget
from flythrough.leaderboard.publishing.plan import make_plan
from flythrough.leaderboard.site.listing import write_site

FIRST = {"index.html": b"one", "methods/a.html": b"a", "methods/b.html": b"b"}
SECOND = {"index.html": b"two", "methods/a.html": b"a", "methods/c.html": b"c"}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A workspace's folder with a built site."""
    folder = tmp_path / "w" / "leaderboard"
    folder.mkdir(parents=True)
    (tmp_path / "w" / "flythrough.toml").write_text("")
    write_site(folder, FIRST.items())
    return folder


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", "--bare", str(tmp_path / "remote.git")], check=True)
    return tmp_path / "remote.git"


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def in_branch(remote: Path, branch: str) -> list[str]:
    command = ["git", "-C", str(remote), "ls-tree", "-r", "--name-only", branch]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def run(source: Path, *arguments: str) -> str:
    import typer

    app = typer.Typer()
    app.command()(publish)
    done = CliRunner().invoke(app, ["--workspace", str(source.parent), *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_a_folder_after_a_dry_run(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    said = run(source, "--to", str(out))
    assert "add methods/a.html" in said
    assert "Dry run" in said
    assert not out.exists()
    assert "Published" in run(source, "--to", str(out), "--yes")
    assert files(out) == files(source)
    assert "Nothing to do" in run(source, "--to", str(out), "--yes")
    (out / "CNAME").write_text("theirs")
    write_site(source, SECOND.items())
    said = run(source, "--to", str(out))
    assert [line for line in said.splitlines() if line.split()[0] in ("add", "change", "remove")] == [
        "add methods/c.html", "change index.html", "remove methods/b.html",
    ]  # fmt: skip
    run(source, "--to", str(out), "--yes")
    assert set(files(out)) == {*SECOND, "site.json", "CNAME"}


def test_files_of_others_are_not_overwritten(source: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "index.html").write_text("theirs")
    with pytest.raises(InputError, match=r"files of its own .*index\.html"):
        make_plan(source, FolderTarget(tmp_path / "out"))


def test_a_file_changed_by_hand_is_seen(source: Path, tmp_path: Path) -> None:
    run(source, "--to", str(tmp_path / "out"), "--yes")
    (tmp_path / "out" / "methods" / "a.html").write_text("edited")
    assert make_plan(source, FolderTarget(tmp_path / "out")).changed == ("methods/a.html",)


def test_a_branch_of_a_repository(source: Path, remote: Path) -> None:
    assert "Dry run" in run(source, "--git", str(remote), "gh-pages")
    assert not list((remote / "refs" / "heads").iterdir())
    assert "commit" in run(source, "--git", str(remote), "gh-pages", "--yes")
    assert in_branch(remote, "gh-pages") == sorted([*FIRST, "site.json"])
    assert "Nothing to do" in run(source, "--git", str(remote), "gh-pages", "--yes")
    write_site(source, SECOND.items())
    run(source, "--git", str(remote), "gh-pages", "--yes")
    assert in_branch(remote, "gh-pages") == sorted([*SECOND, "site.json"])
    log = subprocess.run(["git", "-C", str(remote), "log", "--format=%s", "gh-pages"], capture_output=True, text=True)
    assert log.stdout.splitlines() == [
        "Leaderboard: 1 added, 1 changed, 1 removed, 1 as is", "Leaderboard: 3 added, 0 changed, 0 removed, 0 as is",
    ]  # fmt: skip


def test_a_push_that_comes_too_late_is_refused(source: Path, remote: Path) -> None:
    with branch_of(str(remote), "pages") as slow:
        plan = make_plan(source, slow)
        write_site(source, SECOND.items())
        run(source, "--git", str(remote), "pages", "--yes")
        write_site(source, FIRST.items())
        with pytest.raises(FlythroughError, match="git push failed"):
            slow.write(source, plan)
    assert in_branch(remote, "pages") == sorted([*SECOND, "site.json"])


@pytest.mark.parametrize(
    ("remote", "branch", "says"),
    [("--upload-pack=touch {x}", "pages", "not a repository"), ("nowhere.git", "pages", "git ls-remote failed"),
     ("x", "--force", "name of a branch"), ("x", "a..b", "name of a branch"),
     ("ext::sh -c touch% {x}", "pages", "git ls-remote failed")],
)  # fmt: skip
def test_what_is_no_branch(tmp_path: Path, remote: str, branch: str, says: str) -> None:
    with pytest.raises(FlythroughError, match=says), branch_of(remote.format(x=tmp_path / "x"), branch):
        pass
    assert not (tmp_path / "x").exists()


class Hub:
    """A stand-in for huggingface_hub: the functions that are used, with its signatures."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] | None = None
        self.refuses = False

    def HfApi(self) -> Hub:  # noqa: N802
        return self

    @staticmethod
    def CommitOperationAdd(path_in_repo: str, path_or_fileobj: str | bytes) -> SimpleNamespace:  # noqa: N802
        data = path_or_fileobj if isinstance(path_or_fileobj, bytes) else Path(path_or_fileobj).read_bytes()
        return SimpleNamespace(path=path_in_repo, data=data)

    @staticmethod
    def CommitOperationDelete(path_in_repo: str) -> SimpleNamespace:  # noqa: N802
        return SimpleNamespace(path=path_in_repo, data=None)

    def repo_exists(self, repo_id: str, *, repo_type: str) -> bool:
        assert (repo_id, repo_type) == ("me/board", "space")
        return self.files is not None

    def create_repo(self, repo_id: str, *, repo_type: str, space_sdk: str) -> None:
        assert space_sdk == "static"
        self.files = {".gitattributes": b""}

    def list_repo_files(self, repo_id: str, *, repo_type: str) -> list[str]:
        return list(self.files or {})

    def hf_hub_download(self, repo_id: str, filename: str, *, repo_type: str) -> str:
        assert self.files is not None
        Path("downloaded.json").write_bytes(self.files[filename])
        return "downloaded.json"

    def create_commit(self, repo_id: str, operations: list[Any], *, commit_message: str, repo_type: str) -> None:
        if self.refuses:
            raise OSError("403 Forbidden")
        assert self.files is not None
        for each in operations:
            if each.data is None:
                del self.files[each.path]
            else:
                self.files[each.path] = each.data


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Hub:
    found = Hub()
    monkeypatch.setattr(huggingface, "hub", lambda: found)
    monkeypatch.chdir(tmp_path)
    return found


def test_a_space_on_the_hub(source: Path, hub: Hub) -> None:
    assert "Dry run" in run(source, "--huggingface", "me/board")
    assert hub.files is None
    run(source, "--huggingface", "me/board", "--yes")
    assert hub.files is not None
    assert set(hub.files) == {*FIRST, "site.json", "README.md", ".gitattributes"}
    assert b'title: "board"\nsdk: static' in hub.files["README.md"]
    assert "Nothing to do" in run(source, "--huggingface", "me/board", "--yes")
    hub.files["README.md"] = b"theirs"
    write_site(source, SECOND.items())
    run(source, "--huggingface", "me/board", "--yes")
    assert {path: data for path, data in hub.files.items() if path in SECOND or "b.html" in path} == SECOND
    assert json.loads(hub.files["site.json"])["files"].keys() == SECOND.keys()
    assert hub.files["README.md"] == b"theirs"


def test_what_the_hub_refuses_is_said(source: Path, hub: Hub) -> None:
    hub.refuses = True
    with pytest.raises(FlythroughError, match=r"403 Forbidden.*hf auth login"):
        run(source, "--huggingface", "me/board", "--yes")


def test_the_stand_in_has_the_signatures_of_huggingface_hub() -> None:
    import inspect

    real = pytest.importorskip("huggingface_hub")
    for name in ("repo_exists", "create_repo", "list_repo_files", "hf_hub_download", "create_commit"):
        wanted = set(inspect.signature(getattr(Hub, name)).parameters)
        assert wanted <= set(inspect.signature(getattr(real.HfApi, name)).parameters), name


def test_without_huggingface_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingDependency, match=r"flythrough\[export\]"):
        SpaceTarget.of("me/board")


@pytest.mark.parametrize("repo", ["board", "me/../x", "https://example.org/me/board", "-/x"])
def test_what_is_no_repository_of_the_hub(repo: str) -> None:
    with pytest.raises(ConfigError, match="OWNER/NAME"):
        SpaceTarget.of(repo)


@pytest.mark.parametrize("places", [(), ("--to", "a", "--huggingface", "me/board")])
def test_one_place_is_needed(source: Path, places: tuple[str, ...]) -> None:
    with pytest.raises(ConfigError, match="needs one place"):
        run(source, *places)


def test_nothing_built(tmp_path: Path) -> None:
    (tmp_path / "leaderboard").mkdir()
    with pytest.raises(InputError, match="no complete site"):
        make_plan(tmp_path / "leaderboard", FolderTarget(tmp_path / "out"))
