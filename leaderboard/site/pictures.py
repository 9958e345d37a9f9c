"""Flights of all methods side by side: frames in a grid, and one video."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

FPS = 10
MARKS = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500)
COLUMNS = 6


def shown_starts(flights: Mapping[str, Path], count: int) -> list[str]:
    """The first starts that every method flew."""
    sets = [{folder.name for folder in root.iterdir() if folder.is_dir()} for root in flights.values()]
    return sorted(set.intersection(*sets))[:count] if sets else []


def frame_files(folder: Path) -> list[Path]:
    """A flight's frames in order of step; the first is step 1."""
    return sorted(folder.glob("[0-9]*.png"))


def shown_steps(steps: int) -> list[int]:
    """A few steps from the first to the last."""
    marks = [mark for mark in MARKS if mark < steps]
    if len(marks) > COLUMNS - 1:
        marks = [marks[round(k)] for k in np.linspace(0, len(marks) - 1, COLUMNS - 1)]
    return [*marks, steps]


def read_frame(path: Path, width: int) -> UInt8[np.ndarray, "h w 3"]:
    """A frame, RGB, at this width."""
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path} is no picture")
    height = max(round(image.shape[0] * width / image.shape[1]), 1)
    kernel = cv2.INTER_AREA if width <= image.shape[1] else cv2.INTER_LINEAR
    return cv2.cvtColor(cv2.resize(image, (width, height), interpolation=kernel), cv2.COLOR_BGR2RGB)


def grid(flights: Mapping[str, Path], start: str, width: int) -> tuple[list[int], dict[str, list[np.ndarray]]]:
    """Steps shown and, by method, the frames at those steps; a method that stopped early has fewer."""
    files = {method: frame_files(root / start) for method, root in flights.items()}
    steps = shown_steps(max(map(len, files.values())))
    return steps, {
        method: [read_frame(found[step - 1], width) for step in steps if step <= len(found)]
        for method, found in files.items()
        if found
    }


def side_by_side(flights: Mapping[str, Path], start: str, width: int) -> bytes:
    """All flights from a start as one H.264 video; a name above each."""
    from flythrough.media.video_writer import VideoWriter

    files = {method: found for method, root in flights.items() if (found := frame_files(root / start))}
    steps = max(map(len, files.values()))
    across = min(len(files), 4)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flights.mp4"
        first = _sheet(files, 0, width, across)
        with VideoWriter(path, width=first.shape[1], height=first.shape[0], fps=FPS, crf=26) as video:
            video.write(first)
            for step in range(1, steps):
                video.write(_sheet(files, step, width, across))
        return path.read_bytes()


def _sheet(files: Mapping[str, Sequence[Path]], step: int, width: int, across: int) -> UInt8[np.ndarray, "h w 3"]:
    tiles = [_tile(method, read_frame(found[min(step, len(found) - 1)], width)) for method, found in files.items()]
    tiles += [np.full_like(tiles[0], 24)] * (-len(tiles) % across)
    return np.vstack([np.hstack(tiles[row : row + across]) for row in range(0, len(tiles), across)])


def _tile(method: str, image: np.ndarray) -> np.ndarray:
    import cv2

    label = np.full((20, image.shape[1], 3), 24, np.uint8)
    text = method.encode("ascii", "replace").decode()
    cv2.putText(label, text, (5, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
    tile = np.vstack([label, image])
    return np.pad(tile, ((0, tile.shape[0] % 2), (0, tile.shape[1] % 2), (0, 0)), mode="edge")
