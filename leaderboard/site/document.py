"""A document of the site: the common style, and a content security policy that allows only the site's own scripts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

from markupsafe import Markup, escape

from flythrough.cli.page import page
from flythrough.results.metrics import METRICS

if TYPE_CHECKING:
    from jinja2 import Environment

_INLINE = re.compile(r"<(style|script)([^>]*)>(.*?)</\1>", re.DOTALL)
_HEAD = '<meta charset="utf-8">'


@lru_cache
def environment() -> Environment:
    """The templates, with what all of them use."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    found = Environment(
        loader=PackageLoader("flythrough.leaderboard.site", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.globals |= {"number": number, "arrow": arrow}
    return found


def document(title: str, template: str, *, subtitle: str = "", picture: str = "", **known: object) -> str:
    """A whole page from one of the templates.

    Args:
        title: heading, as plain text.
        template: file of ``templates/``.
        subtitle: below the heading, as plain text.
        picture: URL of the preview picture for links to the page; empty: none.
        known: values for the template; text is escaped.
    """
    text = page(title, fragment(template, **known), subtitle=subtitle)
    return with_policy(
        text.replace("</title>", f"</title>{_shown_with(title, subtitle, picture)}", 1) if picture else text
    )


def _shown_with(title: str, subtitle: str, picture: str) -> str:
    """Open Graph's elements."""
    alt = f"{title}: its ranks and figures in large letters"
    known = {"type": "website", "title": title, "description": subtitle, "image": picture, "image:alt": alt}
    known |= {"image:width": "1200", "image:height": "630"}
    tags = [f'\n<meta property="og:{name}" content="{escape(text)}">' for name, text in known.items()]
    return "".join([*tags, '\n<meta name="twitter:card" content="summary_large_image">'])


def fragment(template: str, **known: object) -> str:
    """HTML of one of the templates; text is escaped."""
    meanings = {name: metric.meaning for name, metric in METRICS.items()}
    return environment().get_template(template).render(meanings=meanings, **known)


def with_policy(text: str) -> str:
    """The page with a Content-Security-Policy: styles and scripts by their hashes, files only from the site itself."""
    hashes: dict[str, list[str]] = {"style": [], "script": []}
    for kind, attributes, block in _INLINE.findall(text):
        if "application/json" not in attributes:
            digest = base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()
            hashes[kind].append(f"'sha256-{digest}'")
    policy = "default-src 'none'; img-src 'self' data:; media-src 'self' data:; base-uri 'none'; form-action 'none'; "
    policy += f"style-src {' '.join(hashes['style'])}; script-src 'self' {' '.join(hashes['script'])}"
    return text.replace(_HEAD, f'{_HEAD}\n<meta http-equiv="Content-Security-Policy" content="{policy}">', 1)


def json_block(value: object) -> Markup:
    """A value as the text of a ``<script type="application/json">``."""
    return Markup(json.dumps(value, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c"))


def html(text: str) -> str:
    """Text as HTML. A site has 10^5 of them: names that come again and again, and hashes, which need no escape."""
    return text if text.isalnum() else _escaped(text)


@lru_cache(maxsize=10_000)
def _escaped(text: str) -> str:
    return str(escape(text))


def number(value: float | None, figures: int = 4) -> str:
    """A number with this many significant figures, or a dash."""
    return "–" if value is None else f"{value:.{figures}g}"


def arrow(metric: str) -> str:
    """Which way is better, in words."""
    return METRICS[metric].arrow if metric in METRICS else "lower is better"


def link(*parts: str) -> str:
    """A path as a relative URL."""
    return "/".join(quote(part) for part in parts)
