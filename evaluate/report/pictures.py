"""The report's pictures: all methods side by side as a video and as a grid, and each one's best and worst case."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from flythrough.cli import page
from flythrough.results.schema import Result

from ..generation.frames import read_png
from ..generation.generate import FLIGHT, VIEW, frame_name
from ..protocols.real_frames import RealFrame
from ..protocols.source import Source

FPS = 8
MARKS = (1, 10, 25, 50, 100, 250, 500)  # steps of the grid, besides the last
CAPTION_HEIGHT = 18


def flights(flown: list[tuple[str, Path]]) -> list[str]:
    """The first start that every method flew: a video and a grid of frames.

    Args:
        flown: (method, folder of its frames).
    """
    sets = [{path.name for path in (folder / FLIGHT).glob("*") if path.is_dir()} for _, folder in flown]
    starts = sorted(set.intersection(*sets)) if sets else []
    if not starts:
        return []
    shown = [(name, folder / FLIGHT / starts[0]) for name, folder in flown]
    steps = min(len(list(folder.glob("*.png"))) for _, folder in shown)
    marks = [*(mark for mark in MARKS if mark < steps), steps]
    return [
        f"<h2>One start, all methods</h2><p class='note'>{escape(starts[0])}, {steps} steps, {FPS} a second.</p>",
        _video(shown, steps),
        f"<h2>Frames at steps {', '.join(map(str, marks))}</h2>",
        _grid(shown, marks),
    ]


def _video(flights: list[tuple[str, Path]], steps: int) -> str:
    """All methods side by side, as a video that is part of the page."""
    from flythrough.media.video_writer import VideoWriter

    first = read_png(flights[0][1] / frame_name(1))
    times = max(1, round(240 / first.shape[1]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flights.mp4"
        height, width = _tiles(flights, 1, times).shape[:2]
        with VideoWriter(path, width=width, height=height, fps=FPS) as writer:
            for step in range(1, steps + 1):
                writer.write(_tiles(flights, step, times))
        uri = page.file_uri(path, "video/mp4")
    return f'<video controls loop muted playsinline src="{uri}"></video>'


def _tiles(flights: list[tuple[str, Path]], step: int, times: int, most: int = 4) -> np.ndarray:
    tiles = [_captioned(read_png(folder / frame_name(step)), name, times) for name, folder in flights]
    columns = min(most, len(tiles))
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % columns)
    sheet = np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])
    return np.pad(sheet, ((0, sheet.shape[0] % 2), (0, sheet.shape[1] % 2), (0, 0)), mode="edge")  # H.264 wants even


def _captioned(image: np.ndarray, name: str, times: int) -> np.ndarray:
    import cv2

    large = np.repeat(np.repeat(image, times, 0), times, 1)
    caption = np.full((CAPTION_HEIGHT, large.shape[1], 3), 255, np.uint8)
    cv2.putText(caption, name, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (30, 30, 30), 1, cv2.LINE_AA)
    return np.vstack([caption, large])


def _grid(flights: list[tuple[str, Path]], marks: list[int]) -> str:
    rows = []
    for name, folder in flights:
        cells = [_image(read_png(folder / frame_name(mark)), f"{name} at step {mark}") for mark in marks]
        rows.append([name, *cells])
    return page.table(["method", *(f"step {mark}" for mark in marks)], rows)


def cases(results: list[Result], folders: dict[str, Path], source: Source | None) -> list[str]:
    """The start where each method's picture is nearest to the recorded one, and the one where it is farthest."""
    rows: list[list[Any]] = []
    for result in results:
        folder = folders.get(result.method.name)
        steps = [v.step for v in result.values if v.metric == "psnr" and v.value is not None and v.step]
        if not steps or folder is None:
            continue
        step = min(steps)
        known = [(v[f"psnr@{step}"], start) for start, v in result.starts.items() if v.get(f"psnr@{step}") is not None]
        cells = []
        for value, start in (max(known), min(known)):
            made = _image(
                read_png(folder / VIEW / start / frame_name(step)),
                f"{start}, step {step}, {value:.1f} dB",
                caption=True,
            )
            cells += [made, _recorded(source, start, step)]
        rows.append([result.method.name, *cells])
    if not rows:
        return []
    table = page.table(["method", "best", "recorded", "worst", "recorded"], rows)
    return ["<h2>View synthesis: best and worst start of each method, by PSNR</h2>", table]


def _recorded(source: Source | None, id: str, step: int) -> Markup:
    start = next((s for s in source.protocol.view_starts() if s.id == id), None) if source else None
    if source is None or start is None:
        return Markup('<span class="note">gone</span>')
    return _image(source.frame(RealFrame(start.clip, source.recorded(start)[step - 1])), f"{id}, recorded")


def _image(image: np.ndarray, text: str, *, caption: bool = False) -> Markup:
    below = Markup('<br><span class="note">{}</span>').format(text) if caption else ""
    return Markup('<img alt="{}" width="192" src="{}">{}').format(text, page.png_uri(image), below)
