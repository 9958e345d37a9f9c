"""Where submissions are kept: one file per method and protocol, and an append-only log.

::

    leaderboard/submissions/METHOD.PROTOCOL8.json             listed
    leaderboard/submissions/log.jsonl                         one line per event, oldest first
    leaderboard/submissions/earlier/METHOD.PROTOCOL8.SHA12.json   superseded or withdrawn

Nothing is deleted. A writer holds a lock; a second writer waits for it.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from flythrough.errors import InputError
from flythrough.results.schema import Result, read_result, write_result
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import locked_file, sha256_of, write_text
from flythrough.workspace.stage import Section

log = logging.getLogger("flythrough.leaderboard")
FOLDER = "leaderboard/submissions"
LOG, EARLIER, LOCK = f"{FOLDER}/log.jsonl", f"{FOLDER}/earlier", "leaderboard/.submissions.lock"
WAIT_S = 60.0  # for another writer; one holds the lock for well under a second


class Event(Section):
    """A line of the log."""

    event: Literal["added", "withdrawn"] = Field(description="what happened")
    date: str = Field(description="UTC, YYYY-MM-DDThh:mm:ssZ")
    method: str = Field(description="whose numbers")
    protocol: str = Field(description="its name")
    protocol_hash: str = Field(description="its hash")
    sha256: str = Field(description="of the file that was added or withdrawn")
    supersedes: str | None = Field(default=None, description="SHA-256 of the file whose place it took")


@contextmanager
def locked(workspace: Workspace, wait_s: float = WAIT_S) -> Iterator[None]:
    """Hold the store for writing.

    Raises:
        FlythroughError: another holds it for longer than ``wait_s`` seconds.
    """
    message = f"Another program is writing to {workspace / FOLDER}"
    with locked_file(workspace / LOCK, message, "Wait for it to end", wait_s=wait_s):
        yield


def file_of(workspace: Workspace, method: str, protocol_hash: str) -> Path:
    """The file of a method's numbers on a protocol."""
    return workspace / FOLDER / f"{method}.{protocol_hash[:8]}.json"


def listed_files(workspace: Workspace) -> list[Path]:
    """The files that are listed, in order of name."""
    return sorted((workspace / FOLDER).glob("*.json"))


def readable(workspace: Workspace) -> dict[Path, Result]:
    """The listed results by file; unreadable files, which another program put there, are logged."""
    found = {}
    for file in listed_files(workspace):
        try:
            found[file] = read_result(file)
        except InputError as error:
            log.warning("Left out: %s", error)
    return found


def put(workspace: Workspace, result: Result, *, replace: bool) -> Path:
    """Store a result, with the lock held; an identical one that is stored already is left as it is.

    Raises:
        InputError: another result of the method is listed on the protocol, and it may not be replaced.
    """
    target = file_of(workspace, result.method.name, result.protocol.hash)
    events(workspace)  # before anything is written: a damaged log is refused
    earlier = None
    if target.exists():
        if read_result(target) == result:
            return target
        if not replace:
            raise InputError(f"{result.method.name} is listed already", remedy="Use --replace, or another name")
        earlier = _keep_earlier(workspace, target)
    write_result(result, target)
    _log(workspace, _event("added", result, sha256_of(target), earlier))
    return target


def withdraw(workspace: Workspace, method: str, protocol: str | None = None) -> Path:
    """Withdraw a method, with the lock held; its file is moved to the earlier ones.

    Args:
        workspace: with the store.
        method: its name.
        protocol: name, or the beginning of the hash; needed if the method is listed on several.

    Returns:
        The file's new path.

    Raises:
        InputError: it is not listed, or on several protocols.
    """
    found = {
        file: result
        for file, result in readable(workspace).items()
        if result.method.name == method
        and (not protocol or protocol == result.protocol.name or result.protocol.hash.startswith(protocol))
    }
    if len(found) != 1:
        on = ", ".join(f"{each.protocol.name} {each.protocol.hash[:12]}" for each in found.values())
        if found:
            raise InputError(f"{method} is listed on several protocols ({on})", remedy="Name one with --protocol")
        remedy = "See: flythrough leaderboard list. A method measured here leaves with its name in evaluate.methods"
        raise InputError(f"No submission of {method} is listed", remedy=remedy)
    [(file, result)] = found.items()
    sha256 = _keep_earlier(workspace, file)
    _log(workspace, _event("withdrawn", result, sha256, None))
    file.unlink()
    return _earlier(workspace, file, sha256)


def events(workspace: Workspace) -> list[Event]:
    """The log, oldest first.

    Raises:
        InputError: a line of it is damaged.
    """
    file = workspace / LOG
    if not file.exists():
        return []
    found = []
    for place, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(Event.model_validate_json(line, strict=True))
        except ValidationError as error:
            remedy = "Restore the file, from version control or a backup"
            raise InputError(f"{file}: line {place} is damaged", remedy=remedy) from error
    return found


def _event(event: Literal["added", "withdrawn"], result: Result, sha256: str, supersedes: str | None) -> Event:
    known = {"method": result.method.name, "protocol": result.protocol.name, "protocol_hash": result.protocol.hash}
    date = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Event(event=event, date=date, **known, sha256=sha256, supersedes=supersedes)


def _log(workspace: Workspace, event: Event) -> None:
    lines = [each.model_dump(mode="json") for each in (*events(workspace), event)]
    write_text(workspace / LOG, "".join(json.dumps(line, sort_keys=True) + "\n" for line in lines))


def _earlier(workspace: Workspace, file: Path, sha256: str) -> Path:
    return workspace / EARLIER / f"{file.stem}.{sha256[:12]}.json"


def _keep_earlier(workspace: Workspace, file: Path) -> str:
    """Copy a listed file to the earlier ones; returns its SHA-256."""
    sha256 = sha256_of(file)
    write_text(_earlier(workspace, file, sha256), file.read_text(encoding="utf-8"))
    return sha256
