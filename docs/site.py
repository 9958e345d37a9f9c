"""What mkdocs cannot know by itself: the settings, the columns of tables, and which files are not on the site."""

from __future__ import annotations

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in settings and tables; of a link that leaves docs/, only its text stays."""
    if page.file.src_uri == "reference/settings.md":
        from flythrough.workspace.config import describe, load_config

        markdown = markdown.replace("{{ settings }}", describe(load_config()))
    if page.file.src_uri == "reference/tables.md":
        markdown = markdown.replace("{{ tables }}", _tables())
    outside = r"\[([^\]]+)\]\(\.\./[\w./-]+\)"
    return markdown if "/" in page.file.src_uri else re.sub(outside, r"\1", markdown)


def _tables() -> str:
    """A section for each table of the catalog."""
    from flythrough.workspace.catalog import TABLES

    lines: list[str] = []
    for name, columns in TABLES.items():
        lines += [f"## {name}", "", "| column | type | |", "|---|---|---|"]
        lines += [f"| `{key}` | {one.type}{'?' * one.nullable} | {one.help} |" for key, one in columns.items()] + [""]
    return "\n".join(lines)
