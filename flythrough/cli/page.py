"""Self-contained HTML pages in one style: reports, views, the leaderboard."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup, escape

if TYPE_CHECKING:
    from jinja2 import Environment
    from matplotlib.figure import Figure


@lru_cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(loader=PackageLoader("flythrough.cli", "templates"), autoescape=True, undefined=StrictUndefined)


def page(title: str, body: str, *, subtitle: str = "") -> str:
    """A complete HTML document. ``body`` is inserted as HTML; the titles are escaped."""
    template = _environment().get_template("page.html")
    return str(template.render(title=title, subtitle=subtitle, body=Markup(body)))


def table(headers: Sequence[str], rows: Iterable[Sequence[object]], *, css: str = "") -> str:
    """An HTML table. Cells are escaped unless they are ``Markup``; numbers are aligned right."""
    head = "".join(f"<th>{escape(h)}</th>" for h in headers)
    body = "".join("<tr>" + "".join(_cell(value) for value in row) + "</tr>" for row in rows)
    whole = f'<table class="{escape(css)}"><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>'
    return f'<div class="scroll">{whole}</div>'


def _cell(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)):
        return f"<td>{'' if value is None else escape(value)}</td>"
    return f'<td class="number">{value if isinstance(value, (int, np.integer)) else format(value, ".4g")}</td>'


def png_uri(image: UInt8[np.ndarray, "h w 3"]) -> str:
    """An RGB image as a PNG data URI."""
    return _image_uri(image, ".png", [])


def jpeg_uri(image: UInt8[np.ndarray, "h w 3"], quality: int = 85) -> str:
    """An RGB image as a JPEG data URI; ``quality`` 0 to 100."""
    import cv2

    return _image_uri(image, ".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality])


def _image_uri(image: np.ndarray, extension: str, options: list[int]) -> str:
    import cv2

    written, data = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    assert written
    return data_uri(data.tobytes(), "image/png" if extension == ".png" else "image/jpeg")


def file_uri(path: Path, mime: str) -> str:
    """A file's bytes as a data URI."""
    return data_uri(Path(path).read_bytes(), mime)


def svg(figure: Figure) -> str:
    """A matplotlib figure as inline SVG whose text can be selected; the figure is closed."""
    import matplotlib.pyplot as plt

    buffer = io.StringIO()
    with plt.rc_context({"svg.fonttype": "none", "svg.hashsalt": "flythrough"}):
        figure.savefig(buffer, format="svg", bbox_inches="tight", transparent=True, metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    return f'<figure class="plot">{text[text.index("<svg") :]}</figure>'


def data_uri(data: bytes, mime: str) -> str:
    """Bytes as a data URI; ``mime`` is their media type."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"
