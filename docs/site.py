"""What mkdocs cannot know by itself: the settings with their defaults, and which files are not on the site."""

from __future__ import annotations

import re

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.pages import Page


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the settings; of a link that leaves docs/, only its text stays."""
    if page.file.src_uri == "reference/settings.md":
        from flythrough.workspace.config import describe, load_config

        markdown = markdown.replace("{{ settings }}", describe(load_config()))
    outside = r"\[([^\]]+)\]\(\.\./[\w./-]+\)"
    return markdown if "/" in page.file.src_uri else re.sub(outside, r"\1", markdown)
