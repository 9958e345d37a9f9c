"""Pictures of single flights: a sheet of frames for a page, and a video of all frames for comparisons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from flythrough.errors import MissingDependency
from flythrough.media import flight_grid

from ..config import LeaderboardConfig
from ..standing.holdings import page_name
from .document import link
from .model import Row, Site


@dataclass(frozen=True)
class Sheet:
    """The sheet and the video of a flight.

    Attributes:
        path: of the JPEG, from the top of the site.
        steps: of the frames, row by row; the last one is the flight's last.
        across: frames in a row.
        width: pixels of a frame.
        height: pixels of a frame.
        film: path of the video of all steps, from the top of the site; empty: there is none.
    """

    path: str
    steps: tuple[int, ...]
    across: int
    width: int
    height: int
    film: str = ""


Sheets = Mapping[tuple[str, str], Mapping[str, Sheet]]  # by protocol's hash and row's name, then by start


def draw_sheets(site: Site) -> Iterator[tuple[Row, str, Sheet, dict[str, bytes]]]:
    """Every sheet of the site: its method and start, its description, and its files by path."""
    for row in site.rows:
        for start in site.shown_starts(row):
            if (folder := site.flight(row, start)) is not None:
                yield row, start, *_draw(row, start, folder, site.config)


def _draw(row: Row, start: str, folder: Path, config: LeaderboardConfig) -> tuple[Sheet, dict[str, bytes]]:
    steps, image = flight_grid.sheet(folder, config.picture_width)
    across = flight_grid.COLUMNS
    height = image.shape[0] // -(-len(steps) // across)
    stem = link("frames", row.protocol.hash[:16], page_name(row.name), page_name(start))
    files = {f"{stem}.jpg": _jpeg(image)}
    if config.video:
        with suppress(MissingDependency):  # a comparison then shows the sheets' frames
            files[f"{stem}.mp4"] = flight_grid.film(folder, config.picture_width)
    film = f"{stem}.mp4" if f"{stem}.mp4" in files else ""
    return Sheet(f"{stem}.jpg", tuple(steps), across, image.shape[1] // across, height, film), files


def _jpeg(image: object) -> bytes:
    import cv2
    import numpy as np

    ordered = cv2.cvtColor(np.asarray(image), cv2.COLOR_RGB2BGR)
    written, data = cv2.imencode(".jpg", ordered, [cv2.IMWRITE_JPEG_QUALITY, 80])
    assert written
    return data.tobytes()
