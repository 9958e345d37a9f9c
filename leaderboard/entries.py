"""Which files a submission may contain, and how large: rules shared by zips and folders.

Paths are checked against a list of what is allowed: any other file is refused. The reasons tested before that only
make the message more exact.
"""

from __future__ import annotations

import os
import re
import stat
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, runtime_checkable

from flythrough.results.strict_json import Limits
from flythrough.workspace.names import problem_with
from flythrough.workspace.printing import one_line

MANIFEST, RESULTS, FRAMES = "manifest.json", "results.json", "frames"
KINDS = ("generation", "revisit", "view_synthesis")  # of flights, each a folder of FRAMES
MAX_FILES = 20_000  # acid-v1, the largest shipped, needs 15,500: 141 starts x 100 steps, recorded frames, cameras
MAX_TOTAL = 2 * 2**30  # bytes of all files: those 15,500 as PNG of 130 kB, which is one of noise at 256 x 160
MAX_PATH = 240  # characters; Windows opens no path of over 260
MAX_FRAME = 16 * 2**20  # bytes of a PNG: 2048 x 2048 pixels of noise are 12 MiB
MAX_CAMERAS = 2**20  # bytes of a cameras.txt: 100 lines of 19 numbers are 40 kB
MAX_MANIFEST = 8 * 2**20  # bytes: MAX_FILES lines of a long path, a size and a hash are 7 MB
_DEPTH = 3  # folders within folders: frames/generation/START
_ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst", ".7z", ".rar", ".jar", ".whl", ".npz")
_PICKLES = (".pkl", ".pickle", ".pt", ".pth", ".ckpt", ".bin", ".npy", ".joblib", ".safetensors")
_FRAME = re.compile(rf"{FRAMES}/(?:{'|'.join(KINDS)})/([^/]+)/(?:[0-9]{{6}}\.png|cameras\.txt)")


class Refused(ValueError):
    """Why a submission is not accepted: a reason in one line, which follows the words "is refused:"."""


@runtime_checkable
class Entries(Protocol):
    """The files of a submission, by path; ``content`` reads no more than :func:`most_bytes` of one."""

    paths: tuple[str, ...]

    def content(self, path: str) -> bytes:
        """The bytes of the file at one of ``paths``.

        Raises:
            Refused: it cannot be read, or is too large.
        """


def check_paths(paths: Iterable[str]) -> None:
    """Refuse a path that a submission cannot have, and two that some file system treats as the same.

    Raises:
        Refused: names the first.
    """
    seen: dict[str, str] = {}
    for path in paths:
        shown = repr(one_line(path, 80))
        if reason := path_problem(path):
            raise Refused(f"{shown} {reason}")
        earlier = seen.setdefault(unicodedata.normalize("NFKC", path).casefold(), path)
        if earlier is not path:
            raise Refused(f"{shown} is there twice" + ("" if earlier == path else ", in another spelling"))


def path_problem(path: str) -> str | None:
    """Why a submission cannot hold a file of this path, or None."""
    if len(path) > MAX_PATH:
        return f"has a path of {len(path)} characters; {MAX_PATH} are allowed"
    if path.startswith("/"):
        return "is an absolute path"
    if re.match("[A-Za-z]:", path):
        return "begins with a drive letter"
    if "\\" in path:
        return "has a backslash"
    if ".." in path.split("/"):
        return "leads out of the folder"
    if path.endswith("/"):
        return "is an entry of a folder, not of a file"
    if path != unicodedata.normalize("NFC", path):
        return "is not in Unicode's normal form (NFC)"
    if path.lower().endswith(_ARCHIVES):
        return "is an archive within the submission"
    if path.lower().endswith(_PICKLES):
        return "is a checkpoint or a pickle, which is not needed and never opened"
    frame = _FRAME.fullmatch(path)
    if path in (MANIFEST, RESULTS) or (frame and problem_with(frame[1]) is None):
        return None
    return "is not a file of a submission"


def most_bytes(path: str) -> int:
    """The largest size of the file at a path that :func:`path_problem` accepts."""
    if path == MANIFEST:
        return MAX_MANIFEST
    if path == RESULTS:
        return Limits().bytes
    return MAX_FRAME if path.endswith(".png") else MAX_CAMERAS


def check_sizes(sizes: Iterable[tuple[str, int]]) -> None:
    """Refuse files that are too large, alone or together.

    Args:
        sizes: path and bytes of each.

    Raises:
        Refused: names the first.
    """
    total = 0
    for path, size in sizes:
        if size > most_bytes(path):
            raise Refused(f"{one_line(path, 80)!r} has {size:,} bytes; {most_bytes(path):,} are allowed")
        total += size
        if total > MAX_TOTAL:
            raise Refused(f"its files have over {MAX_TOTAL:,} bytes together")


class FolderEntries:
    """The files below a folder: regular files only, without following links.

    Raises:
        Refused: a link, a device, a path or a size that no submission has.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        sizes = list(self._walk("", 0, [0]))
        check_paths(path for path, _ in sizes)
        check_sizes(sizes)
        self.paths = tuple(sorted(path for path, _ in sizes))

    def _walk(self, below: str, depth: int, count: list[int]) -> Iterable[tuple[str, int]]:
        with os.scandir(self._root / below) as found:
            for entry in found:
                path, mode = below + entry.name, entry.stat(follow_symlinks=False).st_mode
                count[0] += 1
                if count[0] > 2 * MAX_FILES:  # folders count too
                    raise Refused(f"it has over {MAX_FILES:,} files")
                if stat.S_ISDIR(mode):
                    if depth == _DEPTH:
                        raise Refused(f"{one_line(path, 80)!r} is a folder too deep")
                    yield from self._walk(f"{path}/", depth + 1, count)
                elif stat.S_ISREG(mode):
                    yield path, entry.stat(follow_symlinks=False).st_size
                else:
                    raise Refused(f"{one_line(path, 80)!r} is {_kind(mode)}")

    def content(self, path: str) -> bytes:
        """The bytes of a file."""
        most = most_bytes(path)
        try:
            handle = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except OSError as error:
            raise Refused(f"{one_line(path, 80)!r} cannot be read: {error.strerror}") from error
        with open(handle, "rb") as file:
            content = file.read(most + 1)
        if len(content) > most:
            raise Refused(f"{one_line(path, 80)!r} has over {most:,} bytes")
        return content


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "a symbolic link", stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe"}
    kinds |= {stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "not a regular file")


def check_mode(path: str, mode: int) -> None:
    """Refuse an entry that its archive marks as a link, a folder or a device.

    Args:
        path: of the entry.
        mode: Unix file mode; 0 if the archive states none.

    Raises:
        Refused: it is a link, a folder or a device.
    """
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise Refused(f"{one_line(path, 80)!r} is {_kind(mode)}")
