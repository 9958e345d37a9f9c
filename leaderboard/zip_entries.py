"""An untrusted zip, read without relying on any number in it.

The format states most things twice (at the end, in the central directory, before each file) and the copies may differ.
Here the end of the file is read first, so that a directory of a million entries is never loaded; the directory is
checked before anything is decompressed; and the output is counted while it is decompressed.
Source for the layout: PKWARE's APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from flythrough.workspace.printing import one_line

from .entries import MAX_FILES, MAX_PATH, MAX_TOTAL, Refused, check_mode, check_paths, check_sizes, most_bytes

MAX_RATIO = 100  # results.json of one repeated digit is 60 times its deflated size; deflate reaches 1,032
SMALL = 2**16  # bytes that any ratio is allowed for: a bomb needs more
MAX_DIRECTORY = MAX_FILES * (46 + 4 * MAX_PATH)  # bytes: the fixed part of an entry, and the longest path in UTF-8
_END = struct.Struct("<4s4H2LH")  # 4.3.16: signature, disk, directory's disk, entries here, all, bytes, offset, comment
_LOCAL = 30  # 4.3.7: bytes of the fixed part before each file
_ENCRYPTED = 0x1 | 0x40 | 0x2000  # 4.4.4: encrypted, strongly encrypted, directory encrypted
# What zipfile and zlib raise on archives that were changed byte by byte: UnicodeDecodeError is a ValueError,
# NotImplementedError a RuntimeError.
_DAMAGED = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError, IndexError,
            OverflowError)  # fmt: skip
_TIMES = (0x5455, 0x5855, 0x7875, 0x000A)  # 4.5: extra fields with times and owners only; others rename or resize


class ZipEntries:
    """The files of a zip.

    Args:
        file: opened for reading; it stays open as long as this is used.

    Raises:
        Refused: the file is not a zip, or breaks a rule of submissions.
    """

    def __init__(self, file: BinaryIO) -> None:
        count = _check_end(file)
        with _damage("it"):
            self._zip = zipfile.ZipFile(file)
        entries = self._zip.infolist()
        if len(entries) != count:
            raise Refused(f"its end says {count} entries, its directory has {len(entries)}")
        check_paths(each.orig_filename for each in entries)
        for each in entries:
            _check_entry(each)
        check_sizes((each.filename, each.file_size) for each in entries)
        _check_places(entries)
        self._entries = {each.filename: each for each in entries}
        self.paths = tuple(sorted(self._entries))

    def content(self, path: str) -> bytes:
        """The bytes of a file, decompressed and checked against its CRC-32."""
        entry, shown = self._entries[path], repr(one_line(path, 80))
        most = min(most_bytes(path), max(SMALL, MAX_RATIO * entry.compress_size))
        pieces: list[bytes] = []
        found = 0
        with _damage(shown), self._zip.open(entry) as file:
            while piece := file.read(2**20):
                found += len(piece)
                if found > most:
                    raise Refused(f"{shown} has over {most:,} bytes")
                pieces.append(piece)
        if found != entry.file_size:
            raise Refused(f"{shown} has {found:,} bytes, its entry says {entry.file_size:,}")
        return b"".join(pieces)


def _check_end(file: BinaryIO) -> int:
    """The number of entries that the end of the file states.

    Raises:
        Refused: the directory is too large or misplaced, or something precedes or follows the archive.
    """
    size = file.seek(0, 2)
    if size > MAX_TOTAL + MAX_DIRECTORY:
        raise Refused(f"it has {size:,} bytes; {MAX_TOTAL + MAX_DIRECTORY:,} are allowed")
    file.seek(max(0, size - _END.size))
    tail = file.read(_END.size)
    if len(tail) < _END.size or tail[:4] != b"PK\x05\x06":
        raise Refused("it is not a zip file, is cut short, or has a comment")
    _, disk, directory_disk, here, count, length, offset, comment = _END.unpack(tail)
    if disk or directory_disk or here != count:
        raise Refused("it is a part of a zip file in several parts")
    if 0xFFFF in (count, here) or 0xFFFFFFFF in (length, offset):
        raise Refused(f"it is a ZIP64 file, which is needed for more than {MAX_FILES:,} files only")
    if count > MAX_FILES or length > MAX_DIRECTORY:
        raise Refused(f"it has {count:,} entries in {length:,} bytes; {MAX_FILES:,} files are allowed")
    if comment or offset + length + _END.size != size:
        raise Refused("it has bytes that belong to no file, before or after its directory")
    file.seek(0)
    return count


def _check_entry(entry: zipfile.ZipInfo) -> None:
    shown = repr(one_line(entry.filename, 80))
    if entry.flag_bits & _ENCRYPTED:
        raise Refused(f"{shown} is encrypted")
    check_mode(entry.filename, entry.external_attr >> 16)
    if entry.external_attr & 0x458:  # MS-DOS: volume label, folder, device, reparse point
        raise Refused(f"{shown} is not a regular file")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused(f"{shown} is compressed by method {entry.compress_type}; only stored and deflated are read")
    if entry.compress_type == zipfile.ZIP_STORED and entry.compress_size != entry.file_size:
        raise Refused(f"{shown} is stored as it is, but in another size")
    if entry.file_size > max(SMALL, MAX_RATIO * entry.compress_size):
        raise Refused(f"{shown} says it is {entry.file_size:,} bytes from {entry.compress_size:,}: a bomb")
    for kind in _extra_fields(entry.extra, shown):
        if kind not in _TIMES:
            raise Refused(f"{shown} has an extra field {kind:#06x}, which may rename or resize it")


def _extra_fields(extra: bytes, shown: str) -> Iterator[int]:
    while extra:
        if len(extra) < 4:
            raise Refused(f"{shown} has a damaged extra field")
        kind, length = struct.unpack("<HH", extra[:4])
        yield kind
        extra = extra[4 + length :]


def _check_places(entries: list[zipfile.ZipInfo]) -> None:
    """Refuse entries that share bytes: a small file could contain a million large ones."""
    end = 0
    for each in sorted(entries, key=lambda each: each.header_offset):
        if each.header_offset < end:
            raise Refused(f"{one_line(each.filename, 80)!r} overlaps another entry")
        if end == 0 and each.header_offset:
            raise Refused("it has bytes that belong to no file, before its first entry")
        end = each.header_offset + _LOCAL + len(each.orig_filename) + each.compress_size


@contextmanager
def _damage(what: str) -> Iterator[None]:
    """Turn the libraries' exceptions on a broken archive into a reason."""
    try:
        yield
    except Refused:
        raise
    except _DAMAGED as error:
        raise Refused(f"{what} is damaged: {one_line(str(error), 100)}") from error


def is_zip(path: Path) -> bool:
    """Whether a file begins like a zip, or has its suffix."""
    if path.suffix.lower() == ".zip":
        return True
    with open(path, "rb") as file:
        return file.read(2) == b"PK"
