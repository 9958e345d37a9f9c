"""Flights of several methods from the same start: frames in a grid, one video of all, and a video of each.

``flights`` maps a method's name to a folder that holds a folder of PNG frames for each start.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

FPS = 10  # of the videos
MARKS = (1, 2, 5, 10, 20, 30, 50, 75, 100, 150, 200, 300, 500)  # steps that a grid may show
COLUMNS = 6  # of a grid, at most
ACROSS = 4  # methods in a row of the video, at most
BACKGROUND = 24  # grey level


def shared_starts(flights: Mapping[str, Path]) -> list[str]:
    """The starts that every method flew, by name."""
    sets = [{folder.name for folder in root.glob("*") if folder.is_dir()} for root in flights.values()]
    return sorted(set.intersection(*sets)) if sets else []


def grid(
    flights: Mapping[str, Path], start: str, width: int
) -> tuple[list[int], dict[str, list[UInt8[np.ndarray, "h w 3"]]]]:
    """A few frames of each flight from a start.

    Args:
        flights: each method's folder.
        start: one of :func:`shared_starts`.
        width: pixels of a frame.

    Returns:
        The steps shown (the first frame is step 1) and, by method, its frames at those steps; a method that stopped
        early has fewer.
    """
    files = {method: _frame_files(root / start) for method, root in flights.items()}
    steps = shown_steps(max(map(len, files.values())))
    return steps, {
        method: [_read_frame(found[step - 1], width) for step in steps if step <= len(found)]
        for method, found in files.items()
        if found
    }


def sheet(
    folder: Path, width: int, across: int = COLUMNS, most: int = 60
) -> tuple[list[int], UInt8[np.ndarray, "h w 3"]]:
    """The frames of one flight in rows, resized to one width; the last row is padded.

    Args:
        folder: of PNG frames, one per step, at least one.
        width: pixels of a frame.
        across: frames in a row.
        most: frames shown; a longer flight is sampled evenly from its first frame to its last.

    Returns:
        The steps shown (the first frame is step 1), and the sheet.
    """
    files = _frame_files(folder)
    taken = [round(k) for k in np.linspace(0, len(files) - 1, min(most, len(files)))]
    frames = [_read_frame(files[place], width) for place in taken]
    frames += [np.full_like(frames[0], BACKGROUND)] * (-len(frames) % across)
    rows = [np.hstack(frames[row : row + across]) for row in range(0, len(frames), across)]
    return [place + 1 for place in taken], np.vstack(rows)


def side_by_side(flights: Mapping[str, Path], start: str, width: int) -> bytes:
    """All flights from a start as one H.264 video in MP4, ``FPS`` steps per second, method names above the frames.

    A method that stopped early holds its last frame. Arguments are those of :func:`grid`.
    """
    files = {method: found for method, root in flights.items() if (found := _frame_files(root / start))}
    return _video(_sheet(files, step, width) for step in range(max(map(len, files.values()))))


def film(folder: Path, width: int) -> bytes:
    """One flight as an H.264 video in MP4, ``FPS`` steps per second.

    Args:
        folder: with a PNG a step; at least one.
        width: pixels of a frame.

    Raises:
        MissingDependency: the extra ``video`` is not installed.
    """
    return _video(_even(_read_frame(file, width)) for file in _frame_files(folder))


def _video(frames: Iterator[UInt8[np.ndarray, "h w 3"]]) -> bytes:
    from .video_writer import VideoWriter

    first = next(frames)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flights.mp4"
        with VideoWriter(path, width=first.shape[1], height=first.shape[0], fps=FPS, crf=26, b_frames=False) as video:
            video.write(first)
            for frame in frames:
                video.write(frame)
        return path.read_bytes()


def shown_steps(steps: int) -> list[int]:
    """At most ``COLUMNS`` steps from the first to the last."""
    marks = [mark for mark in MARKS if mark < steps]
    if len(marks) > COLUMNS - 1:
        marks = [marks[round(k)] for k in np.linspace(0, len(marks) - 1, COLUMNS - 1)]
    return [*marks, steps]


def _frame_files(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*.png"))


def _read_frame(path: Path, width: int) -> UInt8[np.ndarray, "h w 3"]:
    import cv2

    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise ValueError(f"{path} is not an image")
    height = max(round(image.shape[0] * width / image.shape[1]), 1)
    kernel = cv2.INTER_AREA if width <= image.shape[1] else cv2.INTER_LINEAR
    return cv2.cvtColor(cv2.resize(image, (width, height), interpolation=kernel), cv2.COLOR_BGR2RGB)


def _sheet(files: Mapping[str, Sequence[Path]], step: int, width: int) -> UInt8[np.ndarray, "h w 3"]:
    tiles = [_tile(method, _read_frame(found[min(step, len(found) - 1)], width)) for method, found in files.items()]
    across = min(len(tiles), ACROSS)
    tiles += [np.full_like(tiles[0], BACKGROUND)] * (-len(tiles) % across)
    return np.vstack([np.hstack(tiles[row : row + across]) for row in range(0, len(tiles), across)])


def _tile(method: str, image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "tall wide 3"]:
    import cv2

    label = np.full((20, image.shape[1], 3), BACKGROUND, np.uint8)
    text = method.encode("ascii", "replace").decode()
    cv2.putText(label, text, (5, 14), cv2.FONT_HERSHEY_SIMPLEX, 0.42, (235, 235, 235), 1, cv2.LINE_AA)
    return _even(np.vstack([label, image]))


def _even(image: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "tall wide 3"]:
    """With even sides, as H.264 needs them: the last row and column repeated."""
    return np.pad(image, ((0, image.shape[0] % 2), (0, image.shape[1] % 2), (0, 0)), mode="edge")
