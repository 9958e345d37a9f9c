"""Downloading one weight file: resumable, and never mixed from two versions."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import FlythroughError
from ..workspace.files import disk_errors, publish

if TYPE_CHECKING:
    import httpx

REVISION = "revision"  # in the record: commit of the repository that the files are from


@dataclass(frozen=True)
class Stated:
    """What the server stated about a file: its repository's commit, and its SHA-256 where the hub knows it."""

    revision: str = ""
    sha256: str = ""

    def record(self, name: str) -> dict[str, str]:
        """As entries of the weights' record."""
        return {key: value for key, value in ((REVISION, self.revision), (name, self.sha256)) if value}


def download(url: str, path: Path) -> Stated:
    """Download a file; resumes a partial one if the server still has the same version.

    Raises:
        FlythroughError: of kind "network".
    """
    import httpx

    partial = path.with_name(f".{path.name}.part")
    version = path.with_name(f".{path.name}.version")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        stated = _receive(url, path.name, partial, version)
        if stated is None:  # the server no longer has the partial file's version
            partial.unlink()
            version.unlink(missing_ok=True)
            stated = _receive(url, path.name, partial, version)
    except httpx.HTTPError as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise _failed(url, reason, path) from error
    if stated is None:
        raise _failed(url, "the server does not send the complete file", path)
    with publish(path) as scratch:
        partial.replace(scratch)
    version.unlink(missing_ok=True)
    return stated


def _receive(url: str, name: str, partial: Path, version: Path) -> Stated | None:
    """Download the missing part of the file; None if it cannot be resumed."""
    import httpx

    from ..workspace.progress import bar

    start = partial.stat().st_size if partial.exists() else 0
    headers = {"Range": f"bytes={start}-"} if start else {}
    if start and version.is_file():
        headers["If-Range"] = version.read_text(encoding="utf-8")
    with httpx.stream("GET", url, headers=headers, follow_redirects=True, timeout=30) as response:
        total = response.headers.get("Content-Range", "").rpartition("/")[2]
        if response.status_code == 416 and start:
            return _stated(response) if total == str(start) else None  # already complete
        response.raise_for_status()
        resumed = response.status_code == 206
        if resumed and not response.headers.get("Content-Range", f"bytes {start}-").startswith(f"bytes {start}-"):
            return None
        etag = response.headers.get("ETag", "")
        validator = response.headers.get("Last-Modified", "") if etag.startswith("W/") or not etag else etag
        length = int(response.headers.get("Content-Length", 0)) + (start if resumed else 0)
        with (
            disk_errors(partial),
            open(partial, "ab" if resumed else "wb") as out,
            bar(name, length, "B") as advance,
        ):
            if validator and not resumed:
                version.write_text(validator, encoding="utf-8")
            advance(start if resumed else 0)
            for chunk in response.iter_bytes(1 << 20):
                out.write(chunk)
                advance(len(chunk))
    return _stated(response)


def _stated(response: httpx.Response) -> Stated:
    """From the hub's headers; after a redirect to a store, they are on the response before it."""
    said = {name.lower(): value for each in (*response.history, response) for name, value in each.headers.items()}
    revision, digest = said.get("x-repo-commit", ""), said.get("x-linked-etag", "").strip('"')
    return Stated(
        revision if re.fullmatch(r"[0-9a-f]{40}", revision) else "",
        digest if re.fullmatch(r"[0-9a-f]{64}", digest) else "",
    )


def _failed(url: str, reason: str, path: Path) -> FlythroughError:
    return FlythroughError(
        f"Could not download {url}: {reason}",
        remedy=f"Check the network and run the command again, or copy the file to {path}",
        kind="network",
    )
