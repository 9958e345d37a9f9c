"""A results repository: a leaderboard that others enter by pull request. Made once, then edited by its maintainer."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from flythrough import __version__
from flythrough.errors import InputError
from flythrough.results.schema import read_result
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import disk_errors, write_text

from .. import store
from ..standing.holdings import DATES, dates_of, holdings, remember_dates
from ..tiers import measured_rows
from .workflow import WORKFLOW

BOARD = "board"
OWN = "/mine/\n/FRAMES/\n/results.json\n"  # what README has a submitter make beside the repository's files
IGNORED = f"{OWN}{BOARD}/*\n!{BOARD}/results.parquet\n!{BOARD}/flythrough.toml\n!{BOARD}/evaluate/\n"
IGNORED += f"!{BOARD}/leaderboard/\n{BOARD}/leaderboard/*\n!{BOARD}/{store.FOLDER}/\n!{BOARD}/{DATES}\n"


def make_repository(workspace: Workspace, folder: Path) -> list[Path]:
    """Write the repository's files; nothing in the workspace changes but the note of its results' dates.

    Args:
        workspace: with the measured results that others are compared with.
        folder: new, or empty.

    Returns:
        The files, in order of name.

    Raises:
        InputError: the folder has something in it, or nothing was measured yet.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"{folder} is not an empty folder", remedy="Name one that is not there yet")
    if not workspace.rows("results"):
        raise InputError(f"{workspace.root} has no results", remedy="Run flythrough evaluate first")
    remember_dates(workspace, dates_of(holdings(workspace)))
    with disk_errors(folder):
        for source in _board_files(workspace):
            target = folder / BOARD / source.relative_to(workspace.root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
    protocols = sorted({f"{row['protocol']} `{row['protocol_hash'][:12]}`" for row in workspace.rows("results")})
    write_text(folder / ".github" / "workflows" / "leaderboard.yml", _filled(WORKFLOW))
    readme = Path(__file__).with_name("results_repository.md").read_text(encoding="utf-8")
    write_text(folder / "README.md", _filled(readme).replace("@PROTOCOLS@", ", ".join(protocols)))
    write_text(folder / "submissions" / ".gitkeep", "")
    write_text(folder / ".gitignore", IGNORED)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def not_released(version: str = __version__) -> str | None:
    """What to change in the workflow if its version is not a release, and so in no package index."""
    if re.fullmatch(r"[0-9]+(\.[0-9]+)*", version):
        return None
    return f"flythrough {version} is not a release: in workflow and README, give pip install what others can install"


def _filled(template: str) -> str:
    return template.replace("@VERSION@", __version__)


def _board_files(workspace: Workspace) -> Iterator[Path]:
    """The files that checks and the page need: tables, results with their protocol's files, submissions, dates."""
    yield workspace.table_file("results")
    if (workspace / DATES).is_file():  # no results file, no dates
        yield workspace / DATES
    if workspace.config_file.is_file():
        yield workspace.config_file
    for row_file in sorted({row["results_file"] for row in measured_rows(workspace)} - {None}):
        results = workspace / row_file
        if results.is_file():
            yield results
            name = read_result(results).protocol.name  # that of the protocol's files beside it
            protocol = (results.with_name(f"{name}{end}") for end in (".toml", ".json"))
            yield from (path for path in protocol if path.is_file())
    yield from (path for path in sorted((workspace / store.FOLDER).rglob("*")) if path.is_file())
