"""A static Space on the Hugging Face Hub as the target of publishing."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from flythrough.errors import ConfigError, FlythroughError, extras_named
from flythrough.workspace.printing import one_line

from ..site.listing import LISTING, parse_listing
from .plan import Plan

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CARD = """---
title: {title}
sdk: static
app_file: index.html
---

A leaderboard made by `flythrough leaderboard publish`.
"""


def hub() -> ModuleType:
    """The package ``huggingface_hub``.

    Raises:
        MissingDependency: it is not installed.
    """
    with extras_named("publishing to the Hub"):
        import huggingface_hub
    return huggingface_hub


@dataclass(frozen=True)
class SpaceTarget:
    """A Space, which is created if missing; huggingface_hub's token must give write access.

    Attributes:
        repo: OWNER/NAME.
        api: its ``HfApi``.
    """

    repo: str
    api: HfApi

    @classmethod
    def of(cls, repo: str) -> SpaceTarget:
        """By its name.

        Raises:
            ConfigError: it is not OWNER/NAME.
            MissingDependency: ``huggingface_hub`` is not installed.
        """
        if not re.fullmatch(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", repo):
            raise ConfigError(f"{repo!r} is not a repository of the Hub", remedy="Give OWNER/NAME")
        return cls(repo, hub().HfApi())

    def published(self) -> Mapping[str, str]:
        there = self._files()
        if LISTING not in there:
            return {}
        file = self._asked("hf_hub_download", filename=LISTING)
        return {
            path: sha256
            for path, sha256 in parse_listing(Path(file).read_bytes(), f"{LISTING} of {self.repo}").items()
            if path in there
        }

    def others(self, paths: Set[str]) -> Set[str]:
        return paths & self._files()

    def write(self, source: Path, plan: Plan) -> str:
        add, delete = hub().CommitOperationAdd, hub().CommitOperationDelete
        if not self._asked("repo_exists"):
            self._asked("create_repo", space_sdk="static")
        operations = [add(path_in_repo=path, path_or_fileobj=str(source / path)) for path in plan.written]
        operations += [delete(path_in_repo=path) for path in plan.removed]
        if "README.md" not in self._files():
            card = CARD.format(title=json.dumps(self.repo.partition("/")[2])).encode()
            operations.append(add(path_in_repo="README.md", path_or_fileobj=card))
        self._asked("create_commit", operations=operations, commit_message=f"Leaderboard: {plan.summary}")
        return f"Space {self.repo} on the Hugging Face Hub"

    def _files(self) -> set[str]:
        return set(self._asked("list_repo_files")) if self._asked("repo_exists") else set()

    def _asked(self, function: str, **known: object) -> Any:
        """The Hub's answer.

        Raises:
            FlythroughError: it refuses, or cannot be reached.
        """
        try:
            return getattr(self.api, function)(repo_id=self.repo, repo_type="space", **known)
        except Exception as error:  # of huggingface_hub or its HTTP client, which depends on its version
            raise FlythroughError(
                f"the Hub refused {function} of {self.repo}: {one_line(str(error), 300)}",
                remedy="Check the name, and log in with: hf auth login",
                kind="network",
            ) from error
