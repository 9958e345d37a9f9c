"""Lists of URLs: text with one per line, or CSV. Every line that is not a comment becomes an entry."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from flythrough.errors import InputError
from flythrough.workspace.addresses import AddressKeys

from .entries import Entry, failed_entry, url_entry

LIST_SUFFIXES = frozenset({".txt", ".csv"})


def read_list(path: Path, keys: AddressKeys) -> Iterator[Entry]:
    """The entries of a list: one URL per line (``#`` starts a comment), or CSV, by column ``url`` or else the first."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        yield _failed(path, f"cannot be read ({error.strerror})", "Check the path and its permissions")
        return
    except UnicodeDecodeError:
        yield _failed(path, "is not UTF-8 text", "Save the list as UTF-8")
        return
    count = 0
    try:
        for number, url in _csv_urls(text) if path.suffix.lower() == ".csv" else _text_urls(text):
            count += 1
            yield url_entry(url, f"{path}:{number}", keys)
    except csv.Error as error:
        yield _failed(path, f"is not CSV after {count} URLs ({error})", "Check its quotes and line ends")
        return
    if count == 0:
        yield _failed(path, "lists nothing", "Write one URL per line")


def _failed(path: Path, problem: str, remedy: str) -> Entry:
    return failed_entry(str(path), str(path), InputError(f"{path} {problem}", remedy=remedy))


def _text_urls(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _csv_urls(text: str) -> Iterator[tuple[int, str]]:
    reader = csv.reader(io.StringIO(text))
    column = 0
    for first, row in enumerate(reader):
        cells = [cell.strip() for cell in row]
        if first == 0 and "url" in [cell.lower() for cell in cells]:
            column = [cell.lower() for cell in cells].index("url")
        elif any(cells):
            yield reader.line_num, cells[column] if column < len(cells) else ""
