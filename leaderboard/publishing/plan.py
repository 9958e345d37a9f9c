"""What publishing a site would change at its target, before anything is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from flythrough.errors import InputError

from ..site.listing import LISTING, listed_files

MOST_LINES = 20  # of a printed plan, for each kind of change


@dataclass(frozen=True)
class Plan:
    """The changes, as sorted paths from the top of the site."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]
    unchanged: int

    @property
    def empty(self) -> bool:
        """Whether the target is up to date."""
        return not (self.added or self.changed or self.removed)

    @property
    def written(self) -> tuple[str, ...]:
        """The files to write: new and changed ones, then the list of the site's files."""
        return (*self.added, *self.changed, LISTING)

    @property
    def summary(self) -> str:
        """The plan in one line."""
        counts = f"{len(self.added)} added, {len(self.changed)} changed, {len(self.removed)} removed"
        return f"{counts}, {self.unchanged} as is"

    def lines(self) -> Iterator[str]:
        """The plan as lines to print."""
        for word, paths in (("add", self.added), ("change", self.changed), ("remove", self.removed)):
            yield from (f"{word} {path}" for path in paths[:MOST_LINES])
            if len(paths) > MOST_LINES:
                yield f"{word} {len(paths) - MOST_LINES} more"


class Target(Protocol):
    """Where a site is published."""

    def published(self) -> Mapping[str, str]:
        """SHA-256 by path of the files of the site there now that still exist."""

    def others(self, paths: Set[str]) -> Set[str]:
        """The paths, of those given, at which the target has a file."""

    def write(self, source: Path, plan: Plan) -> str:
        """Carry out the plan; returns one line that says where the site is now."""


def make_plan(source: Path, target: Target) -> Plan:
    """Compare a built site with what is at its target.

    Args:
        source: folder of the built site.
        target: where it goes.

    Raises:
        InputError: nothing is built, or the target has files by the site's names that were not published by a site.
    """
    new = listed_files(source)
    if not new or not all((source / path).is_file() for path in new):
        raise InputError(f"{source} has no complete site", remedy="Build it with: flythrough leaderboard --workspace W")
    old = target.published()
    if foreign := sorted(target.others(set(new) - set(old))):
        named = ", ".join(foreign[:3]) + (", ..." if len(foreign) > 3 else "")
        raise InputError(
            f"the target has files of its own where the site's would go: {named}",
            remedy="Publish to an empty place, or move those files",
        )
    return Plan(
        added=tuple(sorted(set(new) - set(old))),
        changed=tuple(sorted(path for path in set(new) & set(old) if new[path] != old[path])),
        removed=tuple(sorted(set(old) - set(new))),
        unchanged=sum(old.get(path) == sha256 for path, sha256 in new.items()),
    )
