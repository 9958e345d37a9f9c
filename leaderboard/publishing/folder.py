"""A folder as the target of publishing."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from pathlib import Path

from flythrough.errors import InputError
from flythrough.workspace.files import disk_errors, sha256_of

from ..site.listing import listed_files, update_site
from .plan import Plan


@dataclass(frozen=True)
class FolderTarget:
    """A folder, which is created if missing."""

    folder: Path

    def published(self) -> Mapping[str, str]:
        """The site's files by their present content, whatever the list says."""
        if self.folder.exists() and not self.folder.is_dir():
            raise InputError(f"{self.folder} is not a folder", remedy="Name a folder")
        here = (path for path in listed_files(self.folder) if (self.folder / path).is_file())
        return {path: sha256_of(self.folder / path) for path in here}

    def others(self, paths: Set[str]) -> Set[str]:
        return {path for path in paths if (self.folder / path).exists()}

    def write(self, source: Path, plan: Plan) -> str:
        with disk_errors(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            update_site(source, self.folder)
        return str(self.folder / "index.html")
