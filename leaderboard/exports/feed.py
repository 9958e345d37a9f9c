"""New results as an Atom feed (RFC 4287): one file, the same for the same results."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Iterable
from urllib.parse import quote
from xml.etree import ElementTree

from flythrough.errors import ConfigError
from flythrough.results.ranking import FLOOR_METHOD
from flythrough.workspace.printing import number, one_line

from ..standing.holdings import Holding, page_name
from ..submissions import describe
from ..tiers import MEANINGS

ATOM = "http://www.w3.org/2005/Atom"
XML = "http://www.w3.org/XML/1998/namespace"
MOST = 100  # entries, newest first: readers ask for the whole file each time


def as_atom(held: Iterable[Holding], *, title: str = "Flythrough leaderboard", base_url: str = "") -> str:
    """The feed.

    Args:
        held: all results; failed ones and the floor are left out.
        title: of the leaderboard.
        base_url: address of page and feed; empty: links are relative to the feed, as Atom allows.

    Raises:
        ConfigError: ``base_url`` is not an http(s) URL.
    """
    if base_url and not re.fullmatch(r"https?://[^\s/?#]+(/[^\s?#]*)?", base_url):
        raise ConfigError(f"{base_url!r} is not the URL of a folder", remedy="Give one such as https://HOST/PATH/")
    ElementTree.register_namespace("", ATOM)
    feed = ElementTree.Element(f"{{{ATOM}}}feed")
    if base_url:
        feed.set(f"{{{XML}}}base", base_url.rstrip("/") + "/")
    shown = [each for each in held if each.result.status == "scored" and each.method != FLOOR_METHOD]
    shown.sort(key=lambda each: each.sha256)
    shown.sort(key=lambda each: each.date, reverse=True)
    _text(feed, "id", _urn("feed", title, base_url))
    _text(feed, "title", title)
    _text(feed, "updated", shown[0].date if shown else "1970-01-01T00:00:00Z")
    _text(ElementTree.SubElement(feed, f"{{{ATOM}}}author"), "name", title)
    _link(feed, "self", "feed.xml")
    _link(feed, "alternate", "index.html")
    for each in shown[:MOST]:
        _entry(feed, each)
    ElementTree.indent(feed, " ")
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ElementTree.tostring(feed, encoding="unicode") + "\n"


def _entry(feed: ElementTree.Element, held: Holding) -> None:
    entry = ElementTree.SubElement(feed, f"{{{ATOM}}}entry")
    protocol = held.result.protocol
    values = {name: x for name, x in describe(held.result).items() if name not in ("method", "protocol")}
    said = ", ".join(f"{name} {number(value)}" for name, value in values.items())
    _text(entry, "id", _urn("result", protocol.hash, held.method, held.sha256))
    _text(entry, "title", f"{held.method} on {protocol.name} ({held.tier})")
    _text(entry, "updated", held.date)
    _link(entry, "alternate", _page(held))
    _text(
        entry, "summary", one_line(f"{said or 'no primary value'}. {MEANINGS[held.tier]}. SHA-256 {held.sha256}", 500)
    )


def _page(held: Holding) -> str:
    anchor = held.result.protocol.hash[:8] + ("-submitted" if held.tier == "submitted" else "")
    return f"methods/{quote(page_name(held.method))}.html#{anchor}"


def _text(parent: ElementTree.Element, name: str, text: str) -> None:
    ElementTree.SubElement(parent, f"{{{ATOM}}}{name}").text = one_line(text, 500)


def _link(parent: ElementTree.Element, relation: str, target: str) -> None:
    ElementTree.SubElement(parent, f"{{{ATOM}}}link", rel=relation, href=target)


def _urn(*parts: str) -> str:
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return uuid.UUID(bytes=digest[:16], version=4).urn
