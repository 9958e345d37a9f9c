"""What ``--input`` was given, remembered by the workspace."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable

from ..errors import DamagedFile, InputError
from .addresses import AddressKeys
from .catalog import Workspace
from .config import setting_of
from .files import write_text

_SCHEME = re.compile(r"[A-Za-z][\w+.-]+:")


def known_inputs(workspace: Workspace) -> list[str]:
    """The inputs in the workspace's ``inputs.txt``.

    Raises:
        DamagedFile: it cannot be parsed.
    """
    file = workspace / "inputs.txt"
    try:
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        return [str(json.loads(line)) if line.startswith('"') else line for line in text.split("\n") if line]
    except ValueError as error:
        remedy = "Fix the line, or delete the file and give --input again"
        raise DamagedFile(f"{file} is damaged: {error}", remedy=remedy) from error


def as_setting(inputs: list[str]) -> list[str]:
    """The setting that passes inputs to acquire; an empty list if there are none."""
    return [setting_of("acquire.inputs", inputs)] if inputs else []


def remember_inputs(workspace: Workspace, inputs: Iterable[str]) -> list[str]:
    """Add inputs to the workspace's ``inputs.txt``; returns all inputs in it, for this run.

    Paths are made absolute, their folders free of ``..`` and links, so that each file has one spelling. URLs are
    written as they may be stored (:meth:`AddressKeys.storable`), but those just given are returned complete. An input
    that begins like ``scheme:`` (a URL, ``ytsearch5:coast``) is not a path, unless such a file exists.

    Raises:
        InputError: a name is empty or not UTF-8.
    """
    known = known_inputs(workspace)
    keys = AddressKeys(workspace.root)
    given = {_storable(entry, keys): entry for entry in map(_plain, inputs)}
    if new := [entry for entry in given if entry not in known]:
        known += new
        write_text(workspace / "inputs.txt", "".join(f"{_line(entry)}\n" for entry in known))
    return [given.get(entry, entry) for entry in known]


def _plain(entry: str) -> str:
    if not entry.strip():
        raise InputError("An input is empty", remedy="Name a file, folder, list or URL; this folder is: --input .")
    if _SCHEME.match(entry) and not os.path.exists(entry):
        plain = entry
    else:
        folder, name = os.path.split(os.path.abspath(entry))
        plain = os.path.join(os.path.realpath(folder), name)
    if plain != plain.encode("utf-8", "replace").decode("utf-8"):
        raise InputError(f"{plain!a} has a name that is not UTF-8", remedy="Rename it, then give it again")
    return plain


def _storable(entry: str, keys: AddressKeys) -> str:
    return keys.storable(entry) if re.match(r"[A-Za-z][\w+.-]+://", entry) else entry


def _line(entry: str) -> str:
    """The entry as one line: quoted as JSON if it has line breaks or begins with a quote."""
    return entry if entry.splitlines() == [entry] and not entry.startswith('"') else json.dumps(entry)
