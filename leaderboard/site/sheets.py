"""Pictures of single flights: all frames of one on a sheet, which a page shows whole and a player frame by frame."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from flythrough.media import flight_grid

from ..standing.holdings import page_name
from .document import link
from .model import Row, Site


@dataclass(frozen=True)
class Sheet:
    """Where a flight's frames are.

    Attributes:
        path: of the JPEG, from the top of the site.
        steps: of the frames, row by row.
        across: frames in a row.
        width: pixels of a frame.
        height: pixels of a frame.
    """

    path: str
    steps: tuple[int, ...]
    across: int
    width: int
    height: int


Sheets = Mapping[tuple[str, str], Mapping[str, Sheet]]  # by protocol's hash and row's name, then by start


def draw_sheets(site: Site) -> Iterator[tuple[Row, str, Sheet, bytes]]:
    """Every sheet of the site: its method, start and content, and the JPEG."""
    for row in site.rows:
        for start in site.shown_starts(row):
            if (folder := site.flight(row, start)) is None:
                continue
            steps, image = flight_grid.sheet(folder, site.config.picture_width)
            across = flight_grid.COLUMNS
            height = image.shape[0] // -(-len(steps) // across)
            path = link("frames", row.protocol.hash[:16], page_name(row.name), f"{page_name(start)}.jpg")
            found = Sheet(path, tuple(steps), across, image.shape[1] // across, height)
            yield row, start, found, _jpeg(image)


def _jpeg(image: object) -> bytes:
    import cv2
    import numpy as np

    ordered = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)
    written, data = cv2.imencode(".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert written
    return data.tobytes()
