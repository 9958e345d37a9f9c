"""A results repository, its workflow's scripts run as written; the feed and each start's values."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from flythrough.errors import ConfigError, InputError
from flythrough.leaderboard.exports.export import exported
from flythrough.leaderboard.exports.feed import ATOM, as_atom
from flythrough.leaderboard.exports.repository import make_repository, not_released
from flythrough.leaderboard.package import pack
from flythrough.leaderboard.standing.holdings import dates_of, holdings, remember_dates
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import sha256_of, write_json
from tests.hostile.claims import STARTS, make_workspace, record

NS = {"a": ATOM}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "w")


def workflow(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((folder / ".github/workflows/leaderboard.yml").read_text())
    return found


def script(job: dict[str, Any], name: str) -> str:
    return str(next(step["run"] for step in job["steps"] if step.get("name") == name))


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "init.defaultBranch=main"]
    subprocess.run(["git", *who, *words], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(workspace: Workspace, tmp_path: Path) -> Path:
    """A results repository, and at its origin a pull request 7 that hands in one good and one bad submission."""
    folder, origin = tmp_path / "repository", tmp_path / "origin.git"
    make_repository(workspace, folder)
    git(folder, "init")
    git(folder, "add", "-A")
    git(folder, "commit", "-m", "first")
    git(tmp_path, "init", "--bare", str(origin))
    git(folder, "remote", "add", "origin", str(origin))
    git(folder, "push", "origin", "main")
    git(folder, "checkout", "-b", "theirs")
    for name in ("theirs", "ours"):
        write_json(tmp_path / f"{name}.json", record(name, frames="0"))
        pack(tmp_path / f"{name}.json", folder / "submissions" / f"{name}.zip")
    git(folder, "add", "-A")
    git(folder, "commit", "-m", "hand in")
    git(folder, "push", "origin", "theirs:refs/pull/7/head")
    git(folder, "checkout", "main")
    return folder


def run(folder: Path, text: str, tmp_path: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """A step of the workflow, with a ``flythrough`` that is this one and a ``gh`` that lists ``files``."""
    tools = tmp_path / "tools"
    tools.mkdir(exist_ok=True)
    start = f'#!/bin/sh\nexec {sys.executable} -c "from flythrough.cli.app import main; main()" "$@"\n'
    for name, content in (("flythrough", start), ("gh", '#!/bin/sh\nprintf "$FILES"\n')):
        (tools / name).write_text(content)
        (tools / name).chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}:{os.environ['PATH']}", "GITHUB_REPOSITORY": "a/b", "NUMBER": "7"}
    environment |= {"GITHUB_STEP_SUMMARY": os.devnull, **more}
    command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", text]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


def test_a_pull_request_is_checked(repository: Path, tmp_path: Path) -> None:
    job = workflow(repository)["jobs"]["check"]
    files = r"added submissions/theirs.zip\nmodified submissions/ours.zip\nremoved submissions/gone.zip\n"
    taken = run(repository, script(job, "Take the submissions, as data"), tmp_path, FILES=files)
    assert taken.returncode == 0, taken.stderr
    assert sorted(file.name for file in (repository / "handed_in").iterdir()) == ["ours.zip", "theirs.zip"]
    checked = run(repository, script(job, "Check them"), tmp_path)
    assert checked.returncode == 1, checked.stderr
    head, _, ours, theirs = (repository / "comment.md").read_text().splitlines()
    assert head.startswith("| submission |")
    assert "refused: ours was measured here" in ours
    assert "accepted, as submitted" in theirs


@pytest.mark.parametrize(
    "files",
    [
        r"added submissions/a.zip\nmodified .github/workflows/leaderboard.yml\n",
        r"added submissions/../board/a.zip\n",
        r"added submissions/$(id).zip\n",
        r"renamed submissions/a.zip\n",
        "added submissions/a.zip\\n" * 11,
    ],
)
def test_a_pull_request_that_changes_more_is_refused(workspace: Workspace, tmp_path: Path, files: str) -> None:
    make_repository(workspace, tmp_path / "r")
    job = workflow(tmp_path / "r")["jobs"]["check"]
    done = run(tmp_path / "r", script(job, "Take the submissions, as data"), tmp_path, FILES=files)
    assert done.returncode == 1
    assert (tmp_path / "r" / "comment.md").read_text().count("\n") == 1
    assert not list((tmp_path / "r" / "handed_in").iterdir())


def test_what_is_merged_is_listed_and_the_page_rebuilt(repository: Path, tmp_path: Path) -> None:
    git(repository, "merge", "theirs")
    job = workflow(repository)["jobs"]["page"]
    done = run(repository, script(job, "List what was merged"), tmp_path, BEFORE="0" * 40)
    assert done.returncode == 0, done.stderr
    assert (repository / "refused.txt").read_text() == "submissions/ours.zip\n"
    published = {file.relative_to(repository / "site").as_posix() for file in (repository / "site").rglob("*.*")}
    assert {"index.html", "compare.html", "leaderboard.json", "feed.xml", "methods/theirs.html"} <= published
    assert published == {"site.json", *json.loads((repository / "site" / "site.json").read_text())["files"]}
    assert "theirs" in (repository / "site" / "index.html").read_text()
    kept = run(repository, script(job, "Keep the store"), tmp_path)
    assert kept.returncode == 0, kept.stderr
    shown = subprocess.run(["git", "show", "--stat", "--format="], cwd=repository, capture_output=True, text=True)
    names = {line.split("|")[0].strip().split("/")[-1] for line in shown.stdout.splitlines() if "|" in line}
    assert names == {"theirs.abababab.json", "log.jsonl", "dates.json"}


def test_the_workflow_runs_nothing_that_was_sent_and_the_check_cannot_write(repository: Path) -> None:
    found = workflow(repository)
    assert found["permissions"] == {}
    assert set(found["jobs"]["check"]["permissions"].values()) == {"read"}
    assert found["jobs"]["comment"]["permissions"] == {"pull-requests": "write"}
    for job in found["jobs"].values():
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")  # what was sent would be read by the shell
            assert "ref" not in step.get("with", {}) or step["with"]["ref"] == "main"


def test_a_repository_needs_an_empty_folder_and_results(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").touch()
    with pytest.raises(InputError, match="not an empty folder"):
        make_repository(workspace, tmp_path / "full")
    with pytest.raises(InputError, match="no results"):
        make_repository(Workspace(tmp_path / "none"), tmp_path / "r")


def test_a_repository_without_dates(workspace: Workspace, tmp_path: Path) -> None:
    """Results of which only the table is left have none."""
    bare = Workspace(tmp_path / "bare")
    bare.write("results", [{**row, "results_file": None} for row in workspace.rows("results")])
    made = {file.relative_to(tmp_path / "r").as_posix() for file in make_repository(bare, tmp_path / "r")}
    assert "board/results.parquet" in made
    assert "board/leaderboard/dates.json" not in made


def test_a_version_that_no_index_has_is_said() -> None:
    assert not_released("1.2.0") is None
    assert "pip install" in (not_released("0.1.0.dev3+gabc") or "")


def test_each_starts_values_with_hashes(workspace: Workspace) -> None:
    [text] = exported(workspace, "starts").values()
    lines = [json.loads(line) for line in text.splitlines()]
    assert [(line["method"], line["start"]) for line in lines] == [(m, s) for m in ("earlier", "ours") for s in STARTS]
    first = lines[2]
    assert first["values"] == record("ours")["starts"][STARTS[0]]
    assert first["results_sha256"] == sha256_of(workspace / "evaluate/ours.0/results.json")
    assert first["frames_sha256"] == {"view_synthesis": "0a" * 32, "generation": "2a" * 32}


def test_the_feed_is_atom_and_the_same_each_time(workspace: Workspace) -> None:
    [text] = exported(workspace, "atom").values()
    remember_dates(workspace, dates_of(holdings(workspace)))
    os.utime(workspace / "evaluate/ours.0/results.json", (0, 0))  # a clone does not keep times
    assert exported(workspace, "atom") == {"feed.xml": text}
    feed = ElementTree.fromstring(text)
    assert {e.findtext("a:title", namespaces=NS) for e in feed.findall("a:entry", NS)} == {
        "ours on p-v1 (regenerated)",
        "earlier on p-v1 (submitted)",
    }
    for part in (feed, *feed.findall("a:entry", NS)):  # what RFC 4287 wants of each
        assert str(part.findtext("a:id", namespaces=NS)).startswith("urn:uuid:")
        assert str(part.findtext("a:updated", namespaces=NS)).endswith("Z")
    links = [link.get("href") for link in feed.iter(f"{{{ATOM}}}link")]
    assert set(links) == {
        *("feed.xml", "index.html", "methods/ours.html#abababab", "methods/earlier.html#abababab-submitted"),
    }
    assert max(e.findtext("a:updated", namespaces=NS) or "" for e in feed.findall("a:entry", NS)) == feed.findtext(
        "a:updated", namespaces=NS
    )


def test_the_feed_knows_where_it_stands(workspace: Workspace) -> None:
    feed = ElementTree.fromstring(as_atom(holdings(workspace), title="<b>&", base_url="https://example.org/board"))
    assert feed.get("{http://www.w3.org/XML/1998/namespace}base") == "https://example.org/board/"
    assert feed.findtext("a:title", namespaces=NS) == "<b>&"
    for wrong in ("javascript:alert(1)", "example.org", "https://", "https://a b/", "https://a/?q"):
        with pytest.raises(ConfigError, match="not the URL"):
            as_atom([], base_url=wrong)
    assert ElementTree.fromstring(as_atom([])).findtext("a:updated", namespaces=NS) == "1970-01-01T00:00:00Z"
