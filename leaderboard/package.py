"""A submission as one file: ``results.json``, the frames if they are included, and the SHA-256 of each."""

from __future__ import annotations

import hashlib
import re
import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError

from flythrough.errors import InputError
from flythrough.results.schema import Result, read_result, result_from
from flythrough.results.strict_json import Limits, strict_json
from flythrough.workspace.files import content_key, publish, to_canonical_json
from flythrough.workspace.printing import one_line
from flythrough.workspace.stage import Section

from .entries import (
    FRAMES,
    KINDS,
    MANIFEST,
    MAX_MANIFEST,
    RESULTS,
    Entries,
    FolderEntries,
    Refused,
    check_paths,
    check_sizes,
)
from .zip_entries import ZipEntries, is_zip

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest that a zip can state
_REMEDY = "Pack it again with flythrough leaderboard pack"


class FileRecord(Section):
    """One file of a submission."""

    bytes: int = Field(ge=0, description="its size")
    sha256: str = Field(pattern="^[0-9a-f]{64}$", description="of its content")


class Manifest(Section):
    """``manifest.json``: the list of all other files of the submission."""

    format: Literal["flythrough-submission"] = Field(default="flythrough-submission", description="what this is")
    version: Literal[1] = Field(default=1, description="of this format")
    files: dict[str, FileRecord] = Field(description="every other file, by path")


@dataclass(frozen=True)
class Submission:
    """A submission, checked by itself, before it is compared with a leaderboard.

    Attributes:
        result: the numbers.
        flights: number of frames by flight (``generation/START``); empty if only numbers were submitted.
    """

    result: Result
    flights: dict[str, int] = field(default_factory=dict)


def pack(source: Path, out: Path) -> Submission:
    """Write a submission; the same files give the same bytes on every machine.

    Args:
        source: a ``results.json``, or a folder with it and ``frames/`` (or ``generation/`` and ``view_synthesis/``).
        out: the zip to write.

    Raises:
        InputError: results.json is missing, or the check would refuse the submission.
    """
    files = dict(_files_of(source))
    try:
        check_paths(files)
        check_sizes((path, file.stat().st_size) for path, file in files.items())
    except Refused as error:
        raise InputError(f"{source} cannot be packed: {error}", remedy="Leave that out") from None
    records = {}
    for path, file in sorted(files.items()):
        content = file.read_bytes()
        records[path] = FileRecord(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
    with publish(out) as scratch:
        with zipfile.ZipFile(scratch, "w") as target:
            manifest = Manifest(files=records).model_dump(mode="json")
            target.writestr(_entry(MANIFEST), to_canonical_json(manifest))
            for path in records:
                target.writestr(_entry(path), files[path].read_bytes())
        return open_submission(scratch, name=str(source))


def _entry(path: str) -> zipfile.ZipInfo:
    """A zip entry, stored, not deflated: deflate's bytes depend on the zlib, and frames are compressed already."""
    entry = zipfile.ZipInfo(path, _EPOCH)
    entry.create_system, entry.external_attr = 3, 0o100644 << 16
    return entry


def _files_of(source: Path) -> Iterator[tuple[str, Path]]:
    results = source / RESULTS if source.is_dir() else source
    if not results.is_file():
        remedy = (
            "Name a results.json or its folder; flythrough evaluate score FRAMES --out FRAMES/results.json makes one"
        )
        raise InputError(f"{results} does not exist", remedy=remedy)
    yield RESULTS, results
    if source.is_dir():
        frames = source / FRAMES if (source / FRAMES).is_dir() else source
        for file in (file for kind in KINDS for file in (frames / kind).rglob("*") if file.is_file()):
            yield f"{FRAMES}/{file.relative_to(frames).as_posix()}", file


def open_submission(path: Path, *, name: str | None = None, frames_to: Path | None = None) -> Submission:
    """Read a submission: a packed zip, an unpacked one, or a ``results.json`` alone.

    Args:
        path: of the file or folder.
        name: what messages call it; by default the path.
        frames_to: folder to write ``frames/`` below, each file once it is checked.

    Raises:
        InputError: it cannot be read, or its contents contradict it; one line.
    """
    name = name or str(path)
    try:
        if path.is_dir():
            return _checked(FolderEntries(path), name, frames_to, manifest_needed=False)
        if not path.is_file() or not is_zip(path):
            return Submission(read_result(path))
        with open(path, "rb") as file:
            return _checked(ZipEntries(file), name, frames_to, manifest_needed=True)
    except Refused as error:
        raise InputError(f"{name} is refused: {error}", remedy=_REMEDY) from None
    except OSError as error:
        raise InputError(f"{name} cannot be read: {error.strerror}", remedy="Check the path") from error


def _checked(entries: Entries, name: str, frames_to: Path | None, *, manifest_needed: bool) -> Submission:
    """All files against the manifest, and the frames against the hashes that the results state."""
    for needed in (MANIFEST, RESULTS) if manifest_needed else (RESULTS,):
        if needed not in entries.paths:
            raise Refused(f"it has no {needed}")
    records = _manifest(entries.content(MANIFEST), name).files if MANIFEST in entries.paths else None
    if records is not None and (odd := sorted(set(records) ^ (set(entries.paths) - {MANIFEST}))):
        where = "is listed but not there" if odd[0] in records else "is there but not listed"
        raise Refused(f"{one_line(odd[0], 80)!r} {where} (manifest.json)")
    result: Result | None = None
    hashes: dict[str, dict[str, str]] = {}
    for path in sorted(entries.paths, reverse=True):  # results.json before frames
        if path == MANIFEST:
            continue
        content = entries.content(path)
        sha256 = hashlib.sha256(content).hexdigest()
        if records is not None and records[path] != FileRecord(bytes=len(content), sha256=sha256):
            raise Refused(f"{path!r} is not the file that manifest.json lists")
        if path == RESULTS:
            result = result_from(content, f"{name}: {RESULTS}")
        elif path.endswith(".png"):
            assert result is not None, "results.json sorts after frames/"
            _check_frame(content, path, result)
            _, kind, start, frame = path.split("/")
            hashes.setdefault(f"{kind}/{start}", {})[frame] = sha256
        else:
            _check_cameras(content, path)
        if frames_to is not None and path != RESULTS:
            (frames_to / path).parent.mkdir(parents=True, exist_ok=True)
            (frames_to / path).write_bytes(content)
    assert result is not None
    _check_flights(hashes, result)
    return Submission(result, {flight: len(found) for flight, found in sorted(hashes.items())})


def _manifest(content: bytes, name: str) -> Manifest:
    text, _ = strict_json(content, f"{name}: {MANIFEST}", Limits(bytes=MAX_MANIFEST))
    try:
        return Manifest.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        where = ".".join(map(str, first["loc"])) or "the file"
        raise Refused(one_line(f"manifest.json: {where}: {first['msg']}")) from None


def _check_frame(content: bytes, path: str, result: Result) -> None:
    """Check a frame's first 26 bytes: 8-bit RGB PNG of the protocol's size. No picture is decoded here."""
    head = content[:26]
    if len(head) < 26 or head[:8] != b"\x89PNG\r\n\x1a\n" or head[12:16] != b"IHDR":
        raise Refused(f"{path!r} is not a PNG")
    width, height, depth, color = struct.unpack(">IIBB", head[16:26])
    ours = (result.protocol.width or width, result.protocol.height or height)
    if (width, height) != ours or depth != 8 or color != 2:
        raise Refused(f"{path!r} is not 8-bit RGB of {ours[0]} x {ours[1]}")


def _check_cameras(content: bytes, path: str) -> None:
    if re.fullmatch(rb"[\x20-\x7e\t\r\n]*", content) is None:
        raise Refused(f"{path!r} is not plain text")


def _check_flights(hashes: dict[str, dict[str, str]], result: Result) -> None:
    """Check that the frames inside are all those that the numbers were computed from."""
    if not hashes:
        return
    if odd := sorted(set(hashes) ^ set(result.frames_sha256)):
        where = "has frames but no hash in results.json" if odd[0] in hashes else "has a hash but no frames"
        raise Refused(f"{one_line(odd[0], 80)!r} {where}")
    for flight, found in sorted(hashes.items()):
        frames = sorted(found)
        if frames != [f"{step:06d}.png" for step in range(1, len(frames) + 1)]:
            raise Refused(f"the frames of {flight!r} are not numbered 000001.png on")
        if content_key([found[frame] for frame in frames]) != result.frames_sha256[flight]:
            raise Refused(f"the frames of {flight!r} are not those that results.json has the hash of")
