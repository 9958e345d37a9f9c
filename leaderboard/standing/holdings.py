"""Every result that a leaderboard shows, with its tier, date and digest; and the raw values of its starts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic_core import to_json

from flythrough.results.schema import Result, result_from
from flythrough.results.strict_json import read_limited
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import JsonObject, read_json, sha256_of, write_json

from .. import store
from ..submissions import submissions_by_file
from ..tiers import Tier, measured_rows

_PLAIN = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
DATES = "leaderboard/dates.json"  # by SHA-256; unlike a file's time, it survives a copy or a clone


@dataclass(frozen=True)
class Holding:
    """One results file.

    Attributes:
        result: its content.
        tier: see :mod:`..tiers`.
        date: when it was submitted or scored here; UTC, YYYY-MM-DDThh:mm:ssZ.
        sha256: of the file.
        file: its path.
    """

    result: Result
    tier: Tier
    date: str
    sha256: str
    file: Path

    @property
    def method(self) -> str:
        """Name of the method."""
        return self.result.method.name

    @property
    def stated(self) -> JsonObject:
        """Its record in ``flythrough leaderboard list --json``."""
        known = {"method": self.method, "protocol": self.result.protocol.name}
        known["protocol_hash"] = self.result.protocol.hash
        return known | {"tier": self.tier, "date": self.date, "sha256": self.sha256}


def page_name(name: str) -> str:
    """A name as part of a path and a link: itself if short and of ``a-z0-9._-`` only, else a hash."""
    return name if _PLAIN.fullmatch(name) else hashlib.sha256(name.encode()).hexdigest()[:24]


def holdings(workspace: Workspace, rows: list[Row] | None = None) -> list[Holding]:
    """Every existing results file behind the page, by protocol and method.

    Args:
        workspace: the leaderboard's.
        rows: the rows measured here, if they were read already.
    """
    dates = _known_dates(workspace)
    tiers = _files(workspace, measured_rows(workspace) if rows is None else rows)
    found = [_measured(path, tier, dates) for path, tier in tiers.items()]
    for path, result in submissions_by_file(workspace).items():
        found.append(_holding(path, result, sha256_of(path), "submitted", dates))
    return sorted(found, key=lambda e: (e.result.protocol.name, e.result.protocol.hash, e.method, e.tier))


def _known_dates(workspace: Workspace) -> dict[str, str]:
    """Dates by SHA-256; the log has precedence."""
    found = read_json(workspace / DATES) if (workspace / DATES).is_file() else {}
    return found | {event.sha256: event.date for event in store.events(workspace) if event.event == "added"}


def _files(workspace: Workspace, rows: list[Row]) -> dict[Path, Tier]:
    """The existing files measured here."""
    tiers: dict[str, Tier] = {row["results_file"]: row["source"] for row in rows}
    return {workspace / file: tier for file, tier in tiers.items() if file and (workspace / file).is_file()}


def _measured(path: Path, tier: Tier, dates: dict[str, str]) -> Holding:
    """Read once: a leaderboard may have thousands of files."""
    content = read_limited(path)
    return _holding(path, result_from(content, str(path)), hashlib.sha256(content).hexdigest(), tier, dates)


def _holding(path: Path, result: Result, sha256: str, tier: Tier, dates: dict[str, str]) -> Holding:
    return Holding(result, tier, dates.get(sha256) or _written(path), sha256, path)


def _written(path: Path) -> str:
    return datetime.fromtimestamp(int(path.stat().st_mtime), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def dates_of(held: Iterable[Holding]) -> dict[str, str]:
    """When each result was handed in or scored, by the SHA-256 of its file."""
    return {each.sha256: each.date for each in held}


def remember_dates(workspace: Workspace, dates: dict[str, str]) -> None:
    """Store the dates of results (:func:`dates_of`); known ones stay as they are."""
    file = workspace / DATES
    written = read_json(file) if file.is_file() else {}
    if set(dates) - set(written):
        write_json(file, dates | written)


def as_jsonl(held: Iterable[Holding]) -> bytes:
    """One line per result and start: raw values, and the SHA-256 of the flights' frames and of the results file."""
    return b"".join(to_json(line) + b"\n" for each in held for line in _lines(each))


def _lines(held: Holding) -> Iterator[JsonObject]:
    result, hashes = held.result, held.result.frames_sha256
    common = {"method": held.method, "protocol": result.protocol.name, "protocol_hash": result.protocol.hash}
    common |= {"results_sha256": held.sha256, "tier": held.tier}
    frames: dict[str, dict[str, str]] = {}
    for flight, sha256 in hashes.items():
        kind, _, start = flight.partition("/")
        frames.setdefault(start, {})[kind] = sha256
    for start, values in sorted(result.starts.items()):
        yield common | {"start": start, "values": values, "frames_sha256": frames.get(start, {})}
