"""Preview pictures for links to a page: a title, a rank and a figure, as a small PNG."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from flythrough.results.ranking import FLOOR_METHOD, ProtocolBoards
from flythrough.workspace.printing import one_line

from .document import link, number
from .model import Row, Site, protocol_page

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFont import FreeTypeFont, ImageFont

SIZE = 1200, 630  # pixels, the usual size of link previews
PAPER, INK, SOFT, ACCENT = 0, 1, 2, 3
PALETTE = (251, 252, 253, 28, 39, 51, 91, 107, 122, 11, 110, 143)


def draw_cards(site: Site) -> Iterator[tuple[str, bytes]]:
    """The PNG of every method's and protocol's page, by path."""
    for method, rows in site.methods.items():
        yield card_of(rows[0].page), card(method, list(_method_lines(rows)), site.config.title)
    for protocol in site.standing.protocols:
        yield card_of(protocol_page(protocol.hash)), card(protocol.name, list(_best(protocol)), site.config.title)


def card_of(page: str) -> str:
    """Path of a page's picture, from the top of the site."""
    return link("cards", *page.partition("#")[0].removesuffix(".html").split("/")) + ".png"


def card_link(page: str, base_url: str) -> str:
    """URL of a page's picture: absolute if the site's own is known, as most sites need, else relative to the page."""
    return f"{base_url.rstrip('/') if base_url else '..'}/{card_of(page)}"


def card(title: str, lines: Sequence[tuple[str, str]], foot: str) -> bytes:
    """A PNG of four colours with a title and up to four lines, each a figure and its name."""
    from PIL import Image as Pictures

    image = Pictures.new("P", SIZE, PAPER)
    image.putpalette(PALETTE)
    image.paste(ACCENT, (0, 0, 25, SIZE[1]))
    _write(image, (80, 60), _fitting(title, 26), INK, 72)
    for place, (figure, what) in enumerate(lines[:4]):
        _write(image, (80, 190 + 85 * place), _fitting(figure, 22), ACCENT, 52)
        _write(image, (480, 202 + 85 * place), _fitting(what, 46), SOFT, 32)
    _write(image, (80, 550), _fitting(foot, 60), SOFT, 32)
    found = io.BytesIO()
    image.save(found, "PNG", bits=2, compress_level=1)
    return found.getvalue()


def _method_lines(rows: list[Row]) -> Iterator[tuple[str, str]]:
    """A method's places, the best first; if it has none, the reason."""
    if rows[0].held.method == FLOOR_METHOD:
        yield "the floor", "recorded frames against recorded frames"
        return
    ranked = [(entry, board, row) for row in rows for board, entry in row.places if entry.rank]
    for entry, board, row in sorted(ranked, key=lambda each: each[0].rank or (0, 0)):
        value = number(entry.cells[board.primary].value)
        yield f"rank {entry.place}", f"{board.primary} {value}, {row.protocol.name}"
    if not ranked:
        yield "not ranked", ", ".join(dict.fromkeys(row.protocol.name for row in rows))


def _best(protocol: ProtocolBoards) -> Iterator[tuple[str, str]]:
    for board in protocol.boards:
        if board.ranked:
            first = board.ranked[0]
            yield (
                f"{board.primary} {number(first.cells[board.primary].value)}",
                f"{first.method}: best of {len(board.ranked)}",
            )


def _fitting(text: str, most: int) -> str:
    """The text with only the letters that the font has."""
    plain = text.replace("\u2013", "-").encode("ascii", "replace").decode()
    return one_line(plain, most)


def _write(image: Image, at: tuple[int, int], text: str, color: int, size: int) -> None:
    """Letter by letter, each drawn once for all cards: a site of 500 methods has 10^5."""
    x = float(at[0])
    for letter in text:
        mask, advance = _letter(letter, size)
        image.paste(color, (round(x), at[1]), mask)
        x += advance


@lru_cache(maxsize=1000)
def _letter(letter: str, size: int) -> tuple[Image, float]:
    """A letter's mask, and the advance to the next."""
    from PIL import Image as Pictures
    from PIL import ImageDraw

    advance = _font(size).getlength(letter)
    mask = Pictures.new("1", (round(advance) + size // 4, size * 3 // 2))
    ImageDraw.Draw(mask).text((0, 0), letter, 1, _font(size))
    return mask, advance


@lru_cache
def _font(size: int) -> FreeTypeFont | ImageFont:
    from PIL import ImageFont

    return ImageFont.load_default(size)
