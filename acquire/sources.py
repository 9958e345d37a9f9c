"""From the config to entries: what was asked for, in order, every repetition accounted for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from flythrough.catalog import Workspace
from flythrough.errors import InputError

from .config import AcquireConfig, Source
from .entries import LIST_SUFFIXES, Entry, failed_entry, file_entry, folder_entries, read_list, url_entry

_SEARCH = re.compile(r"ytsearch(?:date)?(\d*|all):(.+)", re.DOTALL)


def entries(workspace: Workspace, config: AcquireConfig) -> Iterator[Entry]:
    """All entries, each with an id of its own; what is listed again is an entry of kind ``repeat``."""
    seen: Counter[str] = Counter()
    for entry in _listed(workspace, config):
        seen[entry.id] += 1
        if (times := seen[entry.id]) == 1:
            yield entry
        else:
            yield Entry("repeat", f"{entry.id}-again-{times}", entry.where, {"of": entry.id, "where": entry.where})


def _listed(workspace: Workspace, config: AcquireConfig) -> Iterator[Entry]:
    for text in config.inputs:
        yield from _input(text, workspace, config)
    for source in config.sources:
        yield from _source(source, workspace, config)


def _input(text: str, workspace: Workspace, config: AcquireConfig) -> Iterator[Entry]:
    where = "--input"
    if match := _SEARCH.fullmatch(text):
        count = None if match[1] == "all" else int(match[1] or 1)
        yield from _search(match[2], count, workspace, config)
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text) and not Path(text).exists():
        yield from _address(text, where, workspace, config)
    else:
        yield from _path(Path(text), where)


def _source(source: Source, workspace: Workspace, config: AcquireConfig) -> Iterator[Entry]:
    where = f"acquire.sources ({source.kind})"
    if source.kind == "search":
        for words in source.words:
            yield from _search(words, source.count, workspace, config)
    elif source.kind in ("channel", "playlist"):
        yield from _expanded(source.location, source.count, where, workspace, config)
    elif source.kind == "list":
        yield from read_list(Path(source.location))
    elif source.kind == "path":
        yield from _path(Path(source.location), where)
    else:
        yield url_entry(source.location, where)


def _path(path: Path, where: str) -> Iterator[Entry]:
    if path.is_dir():
        yield from folder_entries(path, where)
    elif path.suffix.lower() in LIST_SUFFIXES:
        yield from read_list(path)
    else:
        yield file_entry(path, where)


def _address(url: str, where: str, workspace: Workspace, config: AcquireConfig) -> Iterator[Entry]:
    yield url_entry(url, where)


def _search(words: str, count: int | None, workspace: Workspace, config: AcquireConfig) -> Iterator[Entry]:
    yield from _expanded(f"ytsearch{count or 'all'}:{words}", count, f"search {words!r}", workspace, config)


def _expanded(
    query: str, count: int | None, where: str, workspace: Workspace, config: AcquireConfig
) -> Iterator[Entry]:
    problem = InputError(f"{where} is not there yet", remedy="Wait for it")
    yield failed_entry(query, where, problem)
