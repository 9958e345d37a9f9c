"""The page of one protocol: what is flown, all its tables, its files, and how to enter a method."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flythrough.results.ranking import ProtocolBoards
from flythrough.results.schema import ProtocolRecord

from ..standing.holdings import page_name
from .boards import BoardView
from .cards import card_link
from .document import document
from .model import Row, Site, protocol_page
from .page import filters
from .speed import quality_against_speed

FACTS = (("scoring_version", "Scoring version"), ("steps", "Steps of a flight"), ("flights", "Flights"),
         ("starts", "Starts"), ("width", "Width, pixels"), ("height", "Height, pixels"), ("power", "Power"),
         ("dataset", "Dataset"), ("seed", "Seed"))  # fmt: skip


def protocol_document(protocol: ProtocolBoards, site: Site, views: list[BoardView], files: Mapping[str, str]) -> str:
    """The page ``protocols/HASH.html``; ``views`` are its tables, ``files`` from :func:`protocol_files`."""
    record = _record(site.by_protocol.get(protocol.hash, []))
    return document(
        protocol.name,
        "protocol.html",
        subtitle="A protocol: what every method on its tables has flown",
        picture=card_link(protocol_page(protocol.hash), site.config.base_url),
        name=protocol.name,
        hash=protocol.hash,
        facts=list(_facts(protocol, record)),
        left_out=sorted(record.left_out.items()) if record else [],
        tables=views,
        speed=list(quality_against_speed(protocol, site)),
        **filters(site, views),
        files=[path.removeprefix("protocols/") for path in files],
    )


def protocol_files(protocol: ProtocolBoards, site: Site) -> dict[str, str]:
    """The protocol's own files, which are needed to enter a method, as texts by path."""
    for row in site.by_protocol.get(protocol.hash, []):
        here = row.held.file.parent
        beside = [here / f"{protocol.name}{end}" for end in (".toml", ".json")]
        if row.held.tier != "submitted" and all(path.is_file() for path in beside):
            start = f"protocols/{protocol.hash[:16]}~{page_name(protocol.name)}"
            return {f"{start}{path.suffix}": path.read_text(encoding="utf-8") for path in beside}
    return {}


def _record(rows: list[Row]) -> ProtocolRecord | None:
    return next((row.held.result.protocol for row in rows if row.held.result.protocol.steps is not None), None)


def _facts(protocol: ProtocolBoards, record: ProtocolRecord | None) -> Iterator[tuple[str, str]]:
    yield "Hash", protocol.hash
    if record is None:
        return
    known = {**record.model_dump(), **(record.model_extra or {})}
    yield from ((name, str(known[key])) for key, name in FACTS if known.get(key) not in (None, "", {}))
    yield "Held out", "yes" if record.held_out else "no: its starts come from clips that may be trained on"
