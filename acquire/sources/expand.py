"""From the config to entries, in order, every repetition accounted for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from flythrough.errors import FlythroughError, InputError
from flythrough.workspace.addresses import AddressKeys, redact
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import JsonObject, content_key, read_json, write_json, write_text

from ..config import AcquireConfig, Source
from ..urls import checked_url, host_name, slug, youtube_key
from .camera_files import camera_entries
from .entries import Entry, failed_entry, file_entry, folder_entries, url_entry
from .lists import LIST_SUFFIXES, read_list

# Addresses of YouTube that list videos; those of other platforms are given as a source of kind "playlist".
_LISTING = re.compile(r"https?://(www\.|m\.)?youtube\.com/(playlist\?|@|channel/|c/|user/)")
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


def camera_folder(workspace: Workspace, config: AcquireConfig) -> Path | None:
    """The folder of camera files; as with inputs, a workspace remembers it for runs that do not name it."""
    note = workspace / "camera_files.txt"
    if config.camera_files is None:
        return Path(note.read_text(encoding="utf-8").strip()) if note.is_file() else None
    folder = config.camera_files.absolute()
    if not note.is_file() or note.read_text(encoding="utf-8") != f"{folder}\n":
        write_text(note, f"{folder}\n")
    return folder


def _listed(workspace: Workspace, config: AcquireConfig) -> Iterator[Entry]:
    keys = AddressKeys(workspace.root)
    if (folder := camera_folder(workspace, config)) is not None:
        yield from camera_entries(folder, keys)
    for text in config.inputs:
        yield from _input(text, workspace, config, keys)
    for source in config.sources:
        yield from _source(source, workspace, config, keys)


def _input(text: str, workspace: Workspace, config: AcquireConfig, keys: AddressKeys) -> Iterator[Entry]:
    where = "input"
    if match := _SEARCH.fullmatch(text):
        count = None if match[1] == "all" else int(match[1] or 1)
        yield from _expanded(text, count, f"search {match[2]!r}", workspace, config, keys)
    elif re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text) and not Path(text).exists():
        yield from _address(text, where, workspace, config, keys)
    else:
        yield from _path(Path(text), where, workspace, keys)


def _source(source: Source, workspace: Workspace, config: AcquireConfig, keys: AddressKeys) -> Iterator[Entry]:
    where = f"acquire.sources ({source.kind})"
    if source.kind == "search":
        for words in source.words:
            query = f"ytsearch{source.count or 'all'}:{words}"
            yield from _expanded(query, source.count or None, f"search {words!r}", workspace, config, keys)
    elif source.kind in ("channel", "playlist"):
        yield from _expanded(source.location, source.count or None, where, workspace, config, keys)
    elif source.kind == "list":
        yield from read_list(Path(source.location), keys)
    elif source.kind == "path":
        yield from _path(Path(source.location), where, workspace, keys)
    else:
        yield url_entry(source.location, where, keys)


def _path(path: Path, where: str, workspace: Workspace, keys: AddressKeys) -> Iterator[Entry]:
    if path.is_dir():
        yield from folder_entries(path, where, besides=workspace.root)
    elif path.suffix.lower() in LIST_SUFFIXES:
        yield from read_list(path, keys)
    else:
        yield file_entry(path, where)


def _address(url: str, where: str, workspace: Workspace, config: AcquireConfig, keys: AddressKeys) -> Iterator[Entry]:
    if _LISTING.match(url) and not youtube_key(url):
        yield from _expanded(url, None, where, workspace, config, keys)
    else:
        yield url_entry(url, where, keys)


def _expanded(
    query: str, count: int | None, where: str, workspace: Workspace, config: AcquireConfig, keys: AddressKeys
) -> Iterator[Entry]:
    """What a search, channel or playlist lists. Kept in the workspace, so that a rerun works on the same entries."""
    address = query if query.startswith("ytsearch") else keys.storable(query)
    kept = lists_folder(workspace) / f"{slug(redact(query))}-{content_key(address, count)[:12]}.json"
    try:
        if kept.exists():
            found = read_json(kept)["entries"]
        else:
            found = _ask(query, count, workspace, config)
            stored = [{**each, "url": keys.storable(each["url"])} for each in found]
            write_json(kept, {"query": redact(query), "entries": stored})
        if not found:
            raise InputError(f"{where}: {redact(query)} lists nothing", remedy="Use other words or another address")
    except FlythroughError as error:
        yield failed_entry(query, where, error)
        return
    for item in found:
        entry = url_entry(item["url"], where, keys, found=True)
        yield replace(entry, hints={**entry.hints, "title": item["title"], "duration_s": item["duration_s"]})


def lists_folder(workspace: Workspace) -> Path:
    """Where the answers of searches, channels and playlists are kept; delete it to ask again."""
    return workspace / "acquire" / ".lists"


def _ask(query: str, count: int | None, workspace: Workspace, config: AcquireConfig) -> list[JsonObject]:
    from ..fetch.hosts import Host
    from ..fetch.platforms import listing
    from ..fetch.retry import persist
    from ..fetch.watch import Watch

    search = query.startswith("ytsearch")
    query = query if search else checked_url(query, "acquire.sources")
    host = Host(workspace / "acquire" / ".hosts", "youtube.com" if search else host_name(query), config.download)
    answer: list[JsonObject] = []

    def attempt() -> None:
        with host.connection():
            answer[:] = listing(query, count, config.download)

    watch = Watch(query, config.download, lambda size: None)
    persist(attempt, lambda: 0, host.pause, config.download, watch)
    return [{"url": each["url"], "title": each.get("title"), "duration_s": each.get("duration")} for each in answer]
