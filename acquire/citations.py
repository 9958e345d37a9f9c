"""``CITATIONS.md`` of the workspace: whose videos these are."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from flythrough.workspace.catalog import Row
from flythrough.workspace.files import write_text

_HEAD = """# Where the videos of this workspace come from

Written by `flythrough acquire`. Each video belongs to its author; the licence is what the platform states.
Hashes are of the files as fetched and kept here.
"""


def write_citations(rows: Iterable[Row], file: Path) -> None:
    """Write the list, in the order of the table ``videos``."""
    write_text(file, "\n".join([_HEAD, *map(_entry, rows)]) + "\n")


def _entry(row: Row) -> str:
    source = f"<{row['url']}>" if row["url"] else "a local file"
    lines = [f"## {_plain(row['title'] or row['id'])}", "", f"- id: `{row['id']}`", f"- source: {source}"]
    facts = {
        "platform": " ".join(filter(None, (row["platform"], row["platform_id"]))),
        "channel": row["channel"],
        "licence": row["license"] or "not stated",
        "uploaded": row["uploaded"],
        "fetched": row["fetched"],
        "sha256": row["sha256"],
        "tools": row["tools"],
    }
    lines += [f"- {name}: {_plain(value)}" for name, value in facts.items() if value]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    """Text that Markdown shows as it is, on one line: titles may hold anything."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return "".join(f"\\{c}" if c in "\\`*_[]<>#|!" else c for c in line)
