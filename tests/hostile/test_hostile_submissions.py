"""Hostile submissions: each is refused with one line that says why, and the leaderboard's store stays as it was."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from flythrough.errors import InputError
from flythrough.leaderboard import entries
from flythrough.leaderboard.submissions import add_submission, check_submission
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import content_key
from tests.hostile.claims import FLIGHTS, STARTS, make_workspace, record

Files = dict[str, bytes]
FRAME = f"frames/{FLIGHTS[0]}/000001.png"
MIB = 2**20


def png(shade: int, width: int = 6, depth: int = 8, color: int = 2) -> bytes:
    """A picture of one row."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    head = struct.pack(">IIBBBBB", width, 1, depth, color, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes([shade]) * width * 3)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def good(claim: dict[str, Any] | None = None) -> Files:
    """A submission of one frame per flight; the manifest is added by the caller."""
    claim = claim or record("theirs")
    claim["protocol"] |= {"width": 6, "height": 1}
    frames = {f"frames/{flight}/000001.png": png(place) for place, flight in enumerate(FLIGHTS)}
    for path, content in frames.items():
        flight = path.removeprefix("frames/").removesuffix("/000001.png")
        claim["frames_sha256"][flight] = content_key([hashlib.sha256(content).hexdigest()])
    return {"results.json": json.dumps(claim).encode(), **frames}


def manifest(files: Files, **more: Any) -> bytes:
    known = {path: {"bytes": len(c), "sha256": hashlib.sha256(c).hexdigest()} for path, c in files.items()}
    return json.dumps({"format": "flythrough-submission", "version": 1, "files": known} | more).encode()


def whole(files: Files) -> Files:
    return {"manifest.json": manifest(files), **files}


def zipped(
    files: Iterable[tuple[str, bytes]] | Files, change: Callable[[zipfile.ZipInfo], None] | None = None
) -> bytes:
    """A zip; ``change`` is applied to the entry of the last file before it is written."""
    found = io.BytesIO()
    pairs = list(files.items() if isinstance(files, dict) else files)
    with zipfile.ZipFile(found, "w") as target:
        for place, (path, content) in enumerate(pairs):
            entry = zipfile.ZipInfo(path)
            entry.external_attr = 0o100644 << 16
            if change is not None and place == len(pairs) - 1:
                change(entry)
            target.writestr(entry, content)
    return found.getvalue()


def plus(path: str, content: bytes = b"x", **attributes: Any) -> bytes:
    """A good zip and one file more, listed; its entry has these attributes."""

    def change(entry: zipfile.ZipInfo) -> None:
        for name, value in attributes.items():
            setattr(entry, name, value)

    return zipped([*whole({**good(), path: content}).items()], change)


def central(content: bytes, field: int, form: str, value: int, which: int = -1) -> bytes:
    """A zip with one field of an entry in its central directory overwritten."""
    data, places = bytearray(content), []
    at = struct.unpack_from("<L", data, len(data) - 6)[0]
    while data[at : at + 4] == b"PK\1\2":
        places.append(at)
        at += 46 + sum(struct.unpack_from("<3H", data, at + 28))
    struct.pack_into(form, data, places[which] + field, value)
    return bytes(data)


def end(content: bytes, field: int, form: str, value: int) -> bytes:
    """A zip with one field of its last 22 bytes overwritten."""
    data = bytearray(content)
    struct.pack_into(form, data, len(data) - 22 + field, value)
    return bytes(data)


def claimed(change: Callable[[Any], Any]) -> bytes:
    """A well packed submission of a record with one change."""
    files = good()
    claim = json.loads(files["results.json"])
    change(claim)
    return zipped(whole({**files, "results.json": json.dumps(claim).encode()}))


def texted(old: str, new: str) -> bytes:
    """A well packed submission of a results.json with a piece of its text replaced."""
    files = good()
    text = files["results.json"].decode()
    assert old in text
    return zipped(whole({**files, "results.json": text.replace(old, new, 1).encode()}))


def with_file(path: str, content: bytes) -> bytes:
    """A well packed submission with one of its files replaced."""
    return zipped(whole({**good(), path: content}))


def listed(**more: Any) -> bytes:
    """A good submission whose manifest has other fields."""
    return zipped({"manifest.json": json.dumps(json.loads(manifest(good())) | more).encode(), **good()})


def without(*paths: str) -> bytes:
    return zipped({path: content for path, content in whole(good()).items() if path not in paths})


def million_entries() -> bytes:
    """A directory of 10^6 entries; the end says that it has four."""
    one = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    return one * 10**6 + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 4, 4, len(one) * 10**6, 0, 0)


def shared_bytes() -> bytes:
    """Two entries of the directory for one file's bytes."""
    content = zipped(whole(good()))
    at = struct.unpack_from("<L", content, len(content) - 6)[0]
    first = struct.unpack_from("<L", content, at + 42)[0]
    return central(content, 42, "<L", first)


def lying_bomb() -> bytes:
    """20 MiB of zeros whose entry says 1000 bytes."""
    files = {**good(), f"frames/{FLIGHTS[0]}/cameras.txt": b"\0" * 20 * MIB}
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as target:
        for path, content in whole(files).items():
            target.writestr(path, content)
    return central(found.getvalue(), 24, "<L", 1000)


def bomb(path: str, size: int) -> bytes:
    found = io.BytesIO()
    with zipfile.ZipFile(found, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr(path, b"0" * size)
    return found.getvalue()


def many_large() -> bytes:
    """130 frames that say they have 16 MiB each."""
    files = {f"frames/generation/{STARTS[0]}/{step:06d}.png": b"" for step in range(1, 140)}
    content = zipped({"results.json": b"{}", **files})
    for which in range(1, 140):
        content = central(central(content, 24, "<L", 16 * MIB, which), 20, "<L", 16 * MIB, which)
    return content


def put(path: str, value: Any) -> Callable[[Any], None]:
    def change(claim: Any) -> None:
        *parents, last = path.split("|")
        for part in parents:
            claim = claim[int(part) if part.isdigit() else part]
        claim[int(last) if last.isdigit() else last] = value

    return change


def named(name: str) -> bytes:
    return claimed(put("method|name", name))


def with_frames(frames: dict[str, bytes], hashes: dict[str, str]) -> bytes:
    """A well packed submission with frames and stated hashes of flights replaced."""
    files = {**good(), **frames}
    claim = json.loads(files["results.json"])
    claim["frames_sha256"] |= hashes
    return zipped(whole({**files, "results.json": json.dumps(claim).encode()}))


PICKLE = pickle.dumps(os.getcwd)
ORIGINAL = zipped(whole(good()))
LINK, DEVICE, PIPE, SOCKET, DIRECTORY = 0o120777, 0o060644, 0o010644, 0o140644, 0o040755
SECOND = f"frames/{FLIGHTS[1]}/000001.png"
OTHER = FRAME.replace(STARTS[0], STARTS[0].upper())
Case = tuple[Callable[[], bytes], str]
PATHS: dict[str, Case] = {
    "zip slip": (lambda: plus("../evil.json"), "leads out of the folder"),
    "zip slip from within": (lambda: plus("frames/../../evil.json"), "leads out of the folder"),
    "an absolute path": (lambda: plus("/tmp/evil.json"), "is an absolute path"),
    "a network path": (lambda: plus("//host/share/evil.json"), "is an absolute path"),
    "a drive letter": (lambda: plus("C:/evil.json"), "begins with a drive letter"),
    "a drive's own folder": (lambda: plus("c:evil.json"), "begins with a drive letter"),
    "backslashes": (lambda: plus("..\\evil.json"), "has a backslash"),
    "a symbolic link": (lambda: plus(FRAME.replace("000001", "000002"), external_attr=LINK << 16), "a symbolic link"),
    "a link in place of results": (
        lambda: zipped({"results.json": b"/etc/passwd"}, lambda e: setattr(e, "external_attr", LINK << 16)),
        "a symbolic link",
    ),
    "a device": (lambda: plus(f"frames/{FLIGHTS[0]}/cameras.txt", external_attr=DEVICE << 16), "is a device"),
    "a pipe": (lambda: plus(f"frames/{FLIGHTS[0]}/cameras.txt", external_attr=PIPE << 16), "is a pipe"),
    "a socket": (lambda: plus(f"frames/{FLIGHTS[0]}/cameras.txt", external_attr=SOCKET << 16), "is a socket"),
    "a folder": (lambda: plus("frames/", b""), "is an entry of a folder"),
    "a folder without a slash": (
        lambda: plus(f"frames/{FLIGHTS[0]}/cameras.txt", b"", external_attr=DIRECTORY << 16),
        "is a folder",
    ),
    "a reparse point": (lambda: plus(f"frames/{FLIGHTS[0]}/cameras.txt", external_attr=0x400), "not a regular file"),
    "the same name twice": (lambda: zipped([*whole(good()).items(), ("results.json", b"{}")]), "is there twice"),
    "the same name in capitals": (lambda: plus(OTHER, png(9)), "is there twice, in another spelling"),
    "the same name, full width": (
        lambda: plus(FRAME.replace(STARTS[0], "\uff43-000000"), png(9)),
        "is there twice, in another spelling",
    ),
    "letters with combining marks": (lambda: plus("frames/generation/e\u0301/000001.png"), "normal form"),
    "a path of 300 characters": (lambda: plus(f"frames/generation/{'x' * 300}/000001.png"), "329 characters"),
    "a name with a line break": (lambda: plus("frames/generation/a\nb/000001.png"), "not a file of a submission"),
    "a name that ends early": (
        lambda: ORIGINAL.replace(b"results.json", b"results.jso\0"),
        "not a file of a submission",
    ),
    "right to left": (lambda: plus("frames/generation/\u202egnp/000001.png"), "not a file of a submission"),
    "an unknown file": (lambda: plus("README.md"), "not a file of a submission"),
    "a workflow": (lambda: plus(".github/workflows/evil.yml"), "not a file of a submission"),
    "git's configuration": (lambda: plus(".git/config"), "not a file of a submission"),
    "a script": (lambda: plus("setup.py", b"import os"), "not a file of a submission"),
    "a page": (lambda: plus("index.html", b"<script>alert(1)</script>"), "not a file of a submission"),
    "a hidden start": (lambda: plus("frames/generation/.x/000001.png"), "not a file of a submission"),
    "a nested zip": (lambda: plus("frames/generation/inner.zip", ORIGINAL), "an archive within"),
    "a nested tar": (lambda: plus("frames.tar.gz"), "an archive within"),
    "a pickled checkpoint": (lambda: plus("model.pt", PICKLE), "a checkpoint or a pickle"),
    "pickled arrays": (lambda: plus("frames/generation/x.npy", PICKLE), "a checkpoint or a pickle"),
}  # fmt: skip
ARCHIVES: dict[str, Case] = {
    "empty": (lambda: b"", "is not a zip file, is cut short"),
    "text": (lambda: b"no zip at all, but longer than the end of one", "is not a zip file, is cut short"),
    "cut off": (lambda: ORIGINAL[:-30], "is not a zip file, is cut short"),
    "a comment": (lambda: end(ORIGINAL, 20, "<H", 4) + b"text", "is not a zip file, is cut short"),
    "bytes after it": (lambda: ORIGINAL + ORIGINAL[-22:], "belong to no file"),
    "a program before it": (lambda: b"#!/bin/sh\nrm -rf ~\n" + ORIGINAL, "belong to no file"),
    "a program before it, accounted for": (
        lambda: zipped([("results.json", b"{}")]).replace(b"PK\3\4", b"MZ\0\0PK\3\4"),
        "belong to no file|damaged",
    ),
    "in parts": (lambda: end(ORIGINAL, 4, "<H", 1), "in several parts"),
    "10^6 entries, as four": (million_entries, "4 entries in 47,000,000 bytes"),
    "10^6 entries in ZIP64": (lambda: end(end(ORIGINAL, 8, "<H", 0xFFFF), 10, "<H", 0xFFFF), "ZIP64"),
    "65,534 entries": (lambda: end(end(ORIGINAL, 8, "<H", 65534), 10, "<H", 65534), "20,000 files are allowed"),
    "more entries than it says": (lambda: end(end(ORIGINAL, 8, "<H", 2), 10, "<H", 2), "its directory has 6"),
    "a directory elsewhere": (lambda: end(ORIGINAL, 16, "<L", 4), "belong to no file"),
    "a bomb by ratio": (lambda: bomb("results.json", 60 * MIB), "a bomb"),
    "a bomb by size": (
        lambda: central(central(bomb("results.json", 10), 24, "<L", 3 * 2**30), 20, "<L", 2**30),
        "are allowed",
    ),
    "a bomb that says it is small": (lying_bomb, "damaged|over"),
    "a bomb of many files": (many_large, "bytes together"),
    "two entries of one file": (shared_bytes, "overlaps"),
    "encrypted": (lambda: central(ORIGINAL, 8, "<H", 1), "is encrypted"),
    "strongly encrypted": (lambda: central(ORIGINAL, 8, "<H", 0x41), "is encrypted"),
    "bzip2": (lambda: plus(f"frames/{FLIGHTS[0]}/cameras.txt", compress_type=12), "method 12"),
    "lzma": (lambda: plus(f"frames/{FLIGHTS[0]}/cameras.txt", compress_type=14), "method 14"),
    "a method nobody knows": (lambda: central(ORIGINAL, 10, "<H", 99), "method 99"),
    "stored in another size": (lambda: central(ORIGINAL, 24, "<L", 5), "in another size"),
    "a wrong checksum": (lambda: central(ORIGINAL, 16, "<L", 1), "is damaged"),
    "another name before the file": (lambda: ORIGINAL.replace(b"results.json", b"resulte.json", 1), "damaged"),
    "a second name in a field": (
        lambda: plus(f"frames/{FLIGHTS[0]}/cameras.txt", extra=struct.pack("<HHB4s", 0x7075, 5, 1, b"evil")),
        "extra field 0x7075",
    ),
    "a second size in a field": (
        lambda: plus(f"frames/{FLIGHTS[0]}/cameras.txt", extra=struct.pack("<HHQ", 1, 8, 2**40)),
        "extra field 0x0001|damaged",
    ),
}  # fmt: skip
CONTENTS: dict[str, Case] = {
    "no manifest": (lambda: without("manifest.json"), "has no manifest.json"),
    "no results": (lambda: zipped({"manifest.json": manifest({})}), "has no results.json"),
    "a file that is not listed": (lambda: zipped({"manifest.json": manifest({}), **good()}), "there but not listed"),
    "a listed file that is not there": (lambda: without(FRAME), "listed but not there"),
    "a changed file": (
        lambda: zipped({**whole(good()), "results.json": json.dumps(record("other")).encode()}),
        "not the file that manifest.json lists",
    ),
    "a manifest of another version": (lambda: listed(version=2), "version: Input should be 1"),
    "a manifest of something else": (lambda: listed(format="wheel"), "format: Input should be"),
    "a manifest with a command": (lambda: listed(run="rm -rf ~"), "run: Extra inputs"),
    "a manifest with a list": (lambda: listed(files=[]), "files"),
    "a manifest with NaN": (lambda: listed(version=float("nan")), "NaN is not a number"),
    "a manifest of 200 levels": (lambda: zipped({"manifest.json": b"[" * 200, **good()}), "nested deeper"),
    "a manifest that is a pickle": (lambda: zipped({"manifest.json": PICKLE, **good()}), "is not UTF-8"),
    "results that are a pickle": (lambda: with_file("results.json", PICKLE), "is not UTF-8"),
    "results that are a zip": (lambda: with_file("results.json", ORIGINAL), "is not UTF-8|is not JSON"),
    "a camera file that is a pickle": (lambda: with_file(f"frames/{FLIGHTS[0]}/cameras.txt", PICKLE), "not plain text"),
    "a frame that is a zip": (lambda: with_file(FRAME, ORIGINAL), "is not a PNG"),
    "a frame that is a page": (lambda: with_file(FRAME, b"<svg onload=alert(1)>"), "is not a PNG"),
    "a frame of another size": (lambda: with_file(FRAME, png(1, width=60_000)), "not 8-bit RGB of 6 x 1"),
    "a frame of 16 bits": (lambda: with_file(FRAME, png(1, depth=16)), "not 8-bit RGB"),
    "a frame with a palette": (lambda: with_file(FRAME, png(1, color=3)), "not 8-bit RGB"),
    "changed frames": (lambda: with_file(FRAME, png(77)), "not those that results.json has the hash of"),
    "a frame more": (lambda: plus(FRAME.replace("000001", "000002"), png(5)), "not those that results.json"),
    "a gap": (lambda: plus(FRAME.replace("000001", "000003"), png(5)), "not numbered"),
    "a flight more": (lambda: with_frames({"frames/generation/x/000001.png": png(8)}, {}), "no hash in results.json"),
    "a flight without frames": (lambda: with_frames({}, {"generation/more": "9a" * 32}), "a hash but no frames"),
    "NaN": (lambda: texted("90.0", "NaN"), "NaN is not a number"),
    "Infinity": (lambda: texted("90.0", "Infinity"), "Infinity is not a number"),
    "1e308": (lambda: texted("90.0", "1e308"), "larger than"),
    "a number of 10^7 digits": (lambda: texted("90.0", "9" * 10**7), "larger than"),
    "200 levels": (lambda: texted('"scored"', "[" * 200 + "]" * 200), "nested deeper"),
    "a number in quotes": (lambda: texted("90.0", '"90.0"'), "valid number"),
    "a list for a number": (lambda: texted("90.0", "[90.0]"), "valid number"),
    "the same key twice": (lambda: texted('"status"', '"status": "failed", "status"'), "there twice"),
    "half a character": (lambda: texted('"scored"', '"\\ud800"'), "lone surrogate"),
    "an unknown key": (lambda: claimed(put("tier", "regenerated")), "Extra inputs"),
}  # fmt: skip
CLAIMS: dict[str, Case] = {
    "a script as name": (lambda: named("<script>alert(1)</script>"), "cannot be a name"),
    "an image as name": (lambda: named('"><img src=x onerror=alert(1)>'), "cannot be a method's name"),
    "a path as name": (lambda: named("../../evil"), "cannot be a name"),
    "a formula as name": (lambda: named("=cmd()"), "cannot be a method's name"),
    "a Cyrillic letter": (lambda: named("\u043eurs"), "cannot be a method's name"),
    "a zero for an o": (lambda: named("0urs"), "reads like ours"),
    "like one handed in": (lambda: named("ear1ier"), "reads like earlier"),
    "a measured name": (lambda: named("ours"), "was measured here"),
    "the floor": (lambda: named("real"), "cannot be a method's name"),
    "a value that does not follow": (lambda: claimed(put("values|1|value", 22.5)), "raw values mean 21"),
    "a value outside its interval": (lambda: claimed(put("values|0|low", 95.0)), "outside its own interval"),
    "a start left out": (lambda: claimed(lambda claim: claim["starts"].pop(STARTS[1])), "it lacks"),
    "another protocol": (lambda: claimed(put("protocol|hash", "ef" * 32)), "not the one measured here"),
    "other weights": (lambda: claimed(put("weights|metric:lite0", "00" * 32)), "weights for lite0 are not ours"),
    "another floor": (lambda: claimed(put("values|0|floor", 1.0)), "its floor of fd_lite0"),
    "a failed method": (lambda: claimed(put("status", "failed")), "its method failed"),
    "frames used twice": (
        lambda: with_frames({SECOND: png(0)}, {FLIGHTS[1]: content_key([hashlib.sha256(png(0)).hexdigest()])}),
        "have the same frames",
    ),
    "hashes of another method's frames": (
        lambda: zipped(whole({"results.json": json.dumps(record("theirs", frames="a")).encode()})),
        "are those of ours",
    ),
    "hashes of another submission's frames": (
        lambda: zipped(whole({"results.json": json.dumps(record("theirs", frames="b")).encode()})),
        "are those of earlier",
    ),
    "no hashes of frames": (
        lambda: zipped(whole({"results.json": json.dumps(record("theirs") | {"frames_sha256": {}}).encode()})),
        "does not say which frames",
    ),
}  # fmt: skip
CASES = {**PATHS, **ARCHIVES, **CONTENTS, **CLAIMS}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_workspace(tmp_path_factory.mktemp("hostile") / "w")


def snapshot(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def check_refused(workspace: Workspace, path: Path, says: str) -> None:
    """Refused by check and by add, each in one printable line with a remedy; nothing is written anywhere."""
    before = snapshot(workspace.root.parent)
    for hand_in in (check_submission, add_submission):
        with pytest.raises(InputError, match=says) as caught:
            hand_in(workspace, path)
        assert str(caught.value).isprintable()
        assert len(caught.value.message) < 700
        assert caught.value.remedy
    assert snapshot(workspace.root.parent) == before


def test_the_good_one_is_accepted(workspace: Workspace) -> None:
    file = workspace.root.parent / "good.zip"
    file.write_bytes(ORIGINAL)
    assert check_submission(workspace, file).result.method.name == "theirs"
    assert sum(count for count in check_submission(workspace, file).flights.values()) == len(FLIGHTS)


def test_there_are_at_least_a_hundred_each_of_its_own_name() -> None:
    assert len(CASES) >= 100
    assert len(CASES) == len(PATHS) + len(ARCHIVES) + len(CONTENTS) + len(CLAIMS)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("what", CASES)
def test_hostile_zips(workspace: Workspace, what: str) -> None:
    content, says = CASES[what]
    file = workspace.root.parent / "theirs.zip"
    file.write_bytes(content())
    check_refused(workspace, file, says)


def linked(folder: Path) -> None:
    (folder / "results.json").rename(folder.parent / "elsewhere.json")
    (folder / "results.json").symlink_to(folder.parent / "elsewhere.json")


def linked_folder(folder: Path) -> None:
    (folder / "frames").symlink_to(folder.parent)


def deep(folder: Path) -> None:
    (folder / "frames/generation/a/b").mkdir(parents=True)


def hidden(folder: Path) -> None:
    (folder / ".env").write_text("x")


def many(folder: Path) -> None:
    for place in range(12):
        (folder / f"{place}").mkdir()


FOLDERS: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a link to a file": (linked, "is a symbolic link"),
    "a link to a folder": (linked_folder, "is a symbolic link"),
    "a pipe": (lambda folder: os.mkfifo(folder / "manifest.json"), "is a pipe"),
    "a folder too deep": (deep, "is a folder too deep"),
    "a hidden file": (hidden, "not a file of a submission"),
    "too many": (many, "over 5 files"),
    "no results": (lambda folder: (folder / "results.json").unlink(), "has no results.json"),
}


@pytest.mark.parametrize("what", FOLDERS)
def test_hostile_folders(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    change, says = FOLDERS[what]
    monkeypatch.setattr(entries, "MAX_FILES", 5)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "results.json").write_text(json.dumps(record("theirs")))
    change(tmp_path / "theirs")
    check_refused(workspace, tmp_path / "theirs", says)
