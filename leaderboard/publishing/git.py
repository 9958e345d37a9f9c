"""A branch of a git repository as the target of publishing: one pushed commit, without a checkout by the user."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flythrough.errors import FlythroughError, InputError, MissingDependency
from flythrough.workspace.printing import one_line

from .folder import FolderTarget
from .plan import Plan


@contextmanager
def branch_of(remote: str, branch: str) -> Iterator[GitTarget]:
    """The branch, fetched into a folder that is removed afterwards; a branch that does not exist yet begins empty.

    Raises:
        InputError: no such repository, or not a valid name of a branch.
        MissingDependency: git is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="flythrough-publish-") as folder:
        here = Path(folder)
        _git(here, "init", "--quiet")
        if _git(here, "check-ref-format", f"refs/heads/{branch}", may_fail=True) is None or branch.startswith("-"):
            raise InputError(f"{branch!r} cannot be the name of a branch", remedy="Name one such as gh-pages")
        if not remote or remote.startswith("-"):
            raise InputError(f"{remote!r} is not a repository", remedy="Give its URL or path")
        local = Path(remote).expanduser()
        known = str(local.absolute()) if local.exists() else remote
        found = _git(here, "ls-remote", "--", known, f"refs/heads/{branch}")
        if found:
            _git(here, "fetch", "--quiet", "--no-tags", "--depth=1", "--", known, f"refs/heads/{branch}")
            _git(here, "checkout", "--quiet", "--detach", "FETCH_HEAD")
        yield GitTarget(FolderTarget(here), known, branch)


@dataclass(frozen=True)
class GitTarget:
    """A branch, as a folder with its files."""

    tree: FolderTarget
    remote: str
    branch: str

    def published(self) -> Mapping[str, str]:
        return self.tree.published()

    def others(self, paths: Set[str]) -> Set[str]:
        return self.tree.others(paths)

    def write(self, source: Path, plan: Plan) -> str:
        here = self.tree.folder
        self.tree.write(source, plan)
        paths = "\0".join((*plan.written, *plan.removed))
        _git(here, "add", "--all", "--force", "--pathspec-from-file=-", "--pathspec-file-nul", given=paths)
        _git(here, *_author(here), "commit", "--quiet", "--no-verify", "-m", f"Leaderboard: {plan.summary}")
        _git(here, "push", "--quiet", "--no-verify", "--", self.remote, f"HEAD:refs/heads/{self.branch}")
        return f"{self.branch} of {one_line(self.remote)}, commit {_git(here, 'rev-parse', '--short=12', 'HEAD')}"


def _author(here: Path) -> tuple[str, ...]:
    """Options for the committer's name, if git has none."""
    if _git(here, "config", "user.email", may_fail=True):
        return ()
    return ("-c", "user.name=flythrough leaderboard", "-c", "user.email=leaderboard@localhost")


def _git(here: Path, *arguments: str, given: str = "", may_fail: bool = False) -> str | None:
    """The output of git; None if it fails and ``may_fail``."""
    environment = {**os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):  # of a hook that this may run in
        environment.pop(name, None)
    settings = ("-c", "core.autocrlf=false", "-c", "core.quotePath=false", "-c", "protocol.ext.allow=never")
    command = ["git", "-C", str(here), *settings, "--literal-pathspecs", *arguments]
    try:
        done = subprocess.run(command, input=given, capture_output=True, text=True, env=environment, check=False)
    except FileNotFoundError as error:
        raise MissingDependency("git is not installed", remedy="Install git, or publish --to a folder") from error
    if done.returncode == 0:
        return done.stdout.strip()
    if may_fail:
        return None
    said = one_line(" ".join(done.stderr.split()), 300)
    verb = next(word for word in arguments if not word.startswith("-") and "=" not in word)
    raise FlythroughError(
        f"git {verb} failed: {said}",
        remedy="Check the address and your access; after a rejected push, run the command again",
        kind="git",
    )
