"""The report's pictures: all methods side by side as a video and as a grid, and each one's best and worst case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from markupsafe import Markup, escape

from flythrough.cli import page
from flythrough.media import flight_grid
from flythrough.results.schema import Result

from ..generation.frames import read_png
from ..generation.generate import FLIGHT, VIEW, frame_name
from ..protocols.real_frames import RealFrame
from ..protocols.source import Source

WIDTH = 240  # pixels of a frame, so that three methods fit beside each other
GONE = Markup('<span class="note">gone</span>')


def flights(flown: list[tuple[str, Path]]) -> list[str]:
    """The first start that every method flew: a video and a grid of frames.

    Args:
        flown: (method, folder of its frames).
    """
    folders = {name: folder / FLIGHT for name, folder in flown}
    shared = flight_grid.shared_starts(folders)
    start = next((each for each in shared if any(_has_frames(folder / each) for folder in folders.values())), None)
    if start is None:
        return []
    video = page.data_uri(flight_grid.side_by_side(folders, start, WIDTH), "video/mp4")
    steps, frames = flight_grid.grid(folders, start, WIDTH)
    rows = [
        [name, *(_image(image, f"{name} at step {step}") for step, image in zip(steps, found, strict=False))]
        for name, found in frames.items()
    ]
    note = f"{escape(start)}, {steps[-1]} steps, {flight_grid.FPS} a second."
    return [
        f"<h2>One start, all methods</h2><p class='note'>{note}</p>",
        f'<video controls loop muted playsinline src="{video}"></video>',
        f"<h2>Frames at steps {', '.join(map(str, steps))}</h2>",
        page.table(["method", *(f"step {step}" for step in steps)], rows),
    ]


def _has_frames(flight: Path) -> bool:
    return next(flight.glob("[0-9]*.png"), None) is not None


def cases(results: list[Result], folders: dict[str, Path], source: Source | None) -> list[str]:
    """The start where each method's picture is nearest to the recorded one, and the one where it is farthest."""
    rows: list[list[object]] = []
    for result in results:
        folder = folders.get(result.method.name)
        steps = [v.step for v in result.values if v.metric == "psnr" and v.value is not None and v.step]
        if not steps or folder is None:
            continue
        step = min(steps)
        known = [(v[f"psnr@{step}"], start) for start, v in result.starts.items() if v.get(f"psnr@{step}") is not None]
        cells = []
        for value, start in (max(known), min(known)):
            file, text = folder / VIEW / start / frame_name(step), f"{start}, step {step}, {value:.1f} dB"
            made = _image(read_png(file), text, caption=True) if file.is_file() else GONE
            cells += [made, _recorded(source, start, step)]
        rows.append([result.method.name, *cells])
    if not rows:
        return []
    table = page.table(["method", "best", "recorded", "worst", "recorded"], rows)
    return ["<h2>View synthesis: best and worst start of each method, by PSNR</h2>", table]


def _recorded(source: Source | None, id: str, step: int) -> Markup:
    start = next((s for s in source.protocol.view_starts() if s.id == id), None) if source else None
    if source is None or start is None:
        return GONE
    return _image(source.frame(RealFrame(start.clip, source.recorded(start)[step - 1])), f"{id}, recorded")


def _image(image: np.ndarray, text: str, *, caption: bool = False) -> Markup:
    below = Markup('<br><span class="note">{}</span>').format(text) if caption else ""
    return Markup('<img alt="{}" width="192" src="{}">{}').format(text, page.png_uri(image), below)
