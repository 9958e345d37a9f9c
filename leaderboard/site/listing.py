"""A built site as a folder: its files, and ``site.json``, which lists them with their SHA-256."""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import shutil
import signal
import sys
import traceback
from collections.abc import Iterable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path, PurePosixPath

from flythrough.errors import FlythroughError, InputError
from flythrough.workspace.files import publish, write_json
from flythrough.workspace.worker import ask_for_signal

LISTING = "site.json"
Files = Iterable[tuple[str, bytes]]


def write_site(folder: Path, files: Files) -> None:
    """Write files by their paths below a folder, then the list of them."""
    write_parts(folder, [files])


def write_parts(folder: Path, parts: Sequence[Files], processes: int = 1) -> None:
    """As :func:`write_site`, for files in parts that are made as they are written, shared out among processes.

    The processes are forked, so they have all that the parts are made from; where a fork is not safe, one is used.
    """
    if sys.platform != "linux" or processes == 1:
        found = [_written(folder, parts)]
    else:
        found = _forked(folder, [parts[first::processes] for first in range(processes)])
    listed = [each for share in found for each in share]
    assert len(dict(listed)) == len(listed), "two files of the site have one path"
    write_json(folder / LISTING, {"files": dict(listed)})


def _written(folder: Path, parts: Iterable[Files]) -> list[tuple[str, str]]:
    listed = []
    for files in parts:
        for path, data in files:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
            listed.append((path, hashlib.sha256(data).hexdigest()))
    return listed


def _forked(folder: Path, shares: Iterable[Sequence[Files]]) -> list[list[tuple[str, str]]]:
    context = multiprocessing.get_context("fork")
    started = []
    for share in shares:
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_answer, args=(theirs, folder, share), daemon=True)
        process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        started.append((process, ours))
    try:
        found: list[list[tuple[str, str]]] = []
        for _, ours in started:
            try:
                answer = ours.recv()
            except EOFError:
                remedy = "Is memory short? Run flythrough leaderboard again, with less beside it"
                raise FlythroughError("A process that wrote the site was killed", remedy=remedy) from None
            if isinstance(answer, OSError):
                raise answer
            if isinstance(answer, str):
                raise RuntimeError(f"A part of the site could not be written:\n{answer}")
            found.append(answer)
        return found
    finally:
        for process, ours in started:
            process.kill()  # one that has answered is done
            process.join()
            ours.close()


def _answer(pipe: Connection, folder: Path, share: Sequence[Files]) -> None:
    """Send what was written; or the error, as text unless it is the operating system's, such as that of a full disk."""
    ask_for_signal(signal.SIGKILL)
    try:
        pipe.send(_written(folder, share))
    except OSError as error:
        pipe.send(error)
    except Exception:
        pipe.send(traceback.format_exc())


def listed_files(folder: Path) -> dict[str, str]:
    """SHA-256 by path of the site in a folder; empty if there is none.

    Raises:
        InputError: the list is damaged, or names a path outside the folder.
    """
    file = folder / LISTING
    if not file.is_file():
        return {}
    return parse_listing(file.read_bytes(), str(file))


def parse_listing(content: bytes, name: str) -> dict[str, str]:
    """As :func:`listed_files`, from the content of a list called ``name``."""
    try:
        listed = {str(path): str(sha256) for path, sha256 in json.loads(content)["files"].items()}
        inside = all(_inside(path) for path in listed)
    except (ValueError, KeyError, TypeError, AttributeError):
        inside = False
    if not inside:
        raise InputError(f"{name} is not the list of a site's files", remedy=f"Delete {name} and publish again")
    return listed


def _inside(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return (
        bool(parts)
        and not path.startswith("/")
        and "\\" not in path
        and not any(part.startswith(".") for part in parts)
    )


def _link(source: Path, target: Path) -> None:
    """Hard-link a file, or copy it if the file system has no hard links."""
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)


def update_site(source: Path, target: Path, *, linked: bool = False) -> None:
    """Replace the site in one folder by the site of another; only files in the old site's list are removed.

    The front page and then the list are written last, so the next update repairs an interrupted one.

    Args:
        source: folder of the new site, with its list.
        target: folder of the old site, or of none.
        linked: use hard links, for folders whose files are never written to, only replaced.
    """
    new, old = listed_files(source), listed_files(target)
    for path in sorted(new, key=lambda path: path == "index.html"):
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        with publish(target / path, durable=False) as scratch:
            (_link if linked else shutil.copyfile)(source / path, scratch)
    for path in set(old) - set(new):
        (target / path).unlink(missing_ok=True)
    for folder in {(target / path).parent for path in old} - {(target / path).parent for path in new}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
    with publish(target / LISTING, durable=False) as scratch:
        shutil.copyfile(source / LISTING, scratch)
