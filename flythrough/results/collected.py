"""The results of a workspace: its table, or the ``results.json`` files of a folder that has no table.

Such a folder holds files that were copied from where evaluate ran: a workspace's folder ``evaluate``, or one folder
per method.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import InputError
from ..workspace.catalog import Row, Workspace
from ..workspace.files import sha256_of
from .schema import Result, read_result, rows_of

# No deeper: below a method's folder lie thousands of frames.
_PLACES = ("results.json", "*/results.json", "*/*/results.json", "evaluate/handed_in/*/results.json")
_OTHERS = ("leaderboard", "logs")  # folders of a workspace without results of evaluate
_SHOWN = 3  # unreadable files that the message names


def result_rows(workspace: Workspace) -> list[Row]:
    """The rows of ``results``: of the table, or if it was never written, of the results files in the folder.

    Raises:
        InputError: as :func:`results_in`.
    """
    if workspace.has("results"):
        return workspace.rows("results")
    return [row for file, result in results_in(workspace.root).items() for row in rows_of(result, file)]


def results_files(folder: Path) -> list[Path]:
    """The files called ``results.json`` up to two folders down, or where evaluate keeps frames handed in; sorted."""
    found = {file.relative_to(folder) for place in _PLACES for file in folder.glob(place) if file.is_file()}
    return sorted(each for each in found if each.parts[0] not in _OTHERS and not _hidden(each))


def _hidden(file: Path) -> bool:
    return any(part.startswith(".") for part in file.parts)


def results_in(folder: Path) -> dict[str, Result]:
    """The results in a folder that has no table, by path relative to it; of copies of one file, only the first.

    Raises:
        InputError: a file is damaged or of another program, or two differ on the same method and protocol.
    """
    found: dict[str, Result] = {}
    places: dict[tuple[str, str], Path] = {}
    problems = []
    for file in results_files(folder):
        try:
            result = read_result(folder / file)
        except InputError as error:
            problems.append(error.message)
            continue
        key = result.protocol.hash, result.method.name
        first = places.setdefault(key, file)
        if first == file:
            found[file.as_posix()] = result
        elif sha256_of(folder / first) != sha256_of(folder / file):
            raise InputError(
                f"{folder / first} and {folder / file} are both of {result.method.name} on {result.protocol.name}",
                remedy="Keep the one to show, and move the other out of the folder",
            )
    if problems:
        more = f"; and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        remedy = "Copy the files again from where flythrough evaluate wrote them, or move those of other programs away"
        raise InputError("; ".join(problems[:_SHOWN]) + more, remedy=remedy)
    return found
