"""Build sdist and wheel of what is committed into dist/, twice, and compare the bytes of both builds.

Each build starts from a clone of its own. Times are those of the commit (``SOURCE_DATE_EPOCH`` overrules), owners and
modes are fixed, and the wheel is made from the sdist. Same commit, same setuptools, same Python: same bytes.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def normalise(source: Path, target: Path, epoch: int) -> None:
    """Write a tar.gz again with times, owners, modes and order that depend on its contents and ``epoch`` alone."""
    with (
        tarfile.open(source) as old,
        target.open("wb") as file,
        gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new,
    ):
        for member in sorted(old.getmembers(), key=lambda member: member.name):
            fresh = tarfile.TarInfo(member.name)
            fresh.type, fresh.size, fresh.linkname = member.type, member.size, member.linkname
            fresh.mtime, fresh.mode = epoch, 0o755 if member.isdir() or member.mode & 0o100 else 0o644
            new.addfile(fresh, old.extractfile(member) if member.isfile() else None)


def build(target: Path, epoch: int) -> None:
    """One sdist, and one wheel made from it, into ``target``."""
    environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch)}

    def make(what: str, out: Path, source: Path) -> None:
        command = [sys.executable, "-m", "build", f"--{what}", "--outdir", str(out), str(source)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{done.stdout}\n{done.stderr}\nThe {what} was not built")

    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(scratch / "clone")], check=True)
        make("sdist", scratch / "raw", scratch / "clone")
        (raw,) = (scratch / "raw").iterdir()
        normalise(raw, target / raw.name, epoch)
        with tarfile.open(target / raw.name) as archive:
            archive.extractall(scratch / "unpacked", filter="data")
        (source,) = (scratch / "unpacked").iterdir()
        make("wheel", target, source)


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file by its name."""
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(folder.iterdir())}


def main() -> None:
    """Build twice, compare, and leave one of both in dist/."""

    def git(*words: str) -> str:
        done = subprocess.run(["git", "-C", str(ROOT), *words], check=True, capture_output=True, text=True)
        return done.stdout.strip()

    os.umask(0o022)
    epoch = int(os.environ.get("SOURCE_DATE_EPOCH") or git("log", "-1", "--format=%ct"))
    if git("status", "--porcelain", "--untracked-files=no"):
        print("Changes that are not committed are left out.", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        found = []
        for name in ("first", "second build"):
            (Path(folder) / name).mkdir()
            build(Path(folder) / name, epoch)
            found.append(digests(Path(folder) / name))
        if found[0] != found[1]:
            raise SystemExit(f"Two builds differ: {found[0]} and {found[1]}")
        shutil.rmtree(ROOT / "dist", ignore_errors=True)
        shutil.copytree(Path(folder) / "first", ROOT / "dist")
    for file, digest in found[0].items():
        print(f"{digest}  dist/{file}")


if __name__ == "__main__":
    main()
