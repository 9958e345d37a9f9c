"""Flights side by side: shared starts, shown steps, and flights cut short."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from flythrough.media.flight_grid import COLUMNS, film, grid, shared_starts, shown_steps, side_by_side
from flythrough.media.video_reader import frames as read_frames


@pytest.fixture
def flights(tmp_path: Path) -> dict[str, Path]:
    """Two methods from start ``a``, where ``short`` stops after 3 of 12 steps; start ``b`` is only in ``long``."""
    for method, start, steps in (("long", "a", 12), ("long", "b", 1), ("short", "a", 3)):
        folder = tmp_path / method / start
        folder.mkdir(parents=True)
        for step in range(1, steps + 1):
            cv2.imwrite(str(folder / f"{step:06d}.png"), np.full((24, 40, 3), 20 * step, np.uint8))
    return {name: tmp_path / name for name in ("long", "short")}


def test_only_starts_that_every_method_flew_are_shared(flights: dict[str, Path]) -> None:
    assert shared_starts(flights) == ["a"]
    assert shared_starts({}) == []


@pytest.mark.parametrize("steps", [1, 2, 12, 500, 1000])
def test_a_few_steps_are_shown_and_the_last_among_them(steps: int) -> None:
    shown = shown_steps(steps)
    assert shown == sorted(set(shown))
    assert shown[-1] == steps
    assert len(shown) <= COLUMNS


def test_a_flight_cut_short_has_fewer_frames_in_the_grid(flights: dict[str, Path]) -> None:
    steps, frames = grid(flights, "a", 80)
    assert steps == [1, 2, 5, 10, 12]
    assert [int(image[0, 0, 0]) for image in frames["long"]] == [20, 40, 100, 200, 240]
    assert [int(image[0, 0, 0]) for image in frames["short"]] == [20, 40]
    assert frames["long"][0].shape == (48, 80, 3)


def test_a_flight_cut_short_stays_at_its_last_frame_in_the_video(flights: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "both.mp4"
    file.write_bytes(side_by_side(flights, "a", 40))
    shown = [frame.image for frame in read_frames(file)]
    assert len(shown) == 12
    assert shown[-1].shape == (44, 80, 3)  # a line for the names above 24 rows
    assert int(shown[-1][32, 20, 0]) == pytest.approx(240, abs=6)
    assert int(shown[-1][32, 60, 0]) == pytest.approx(60, abs=6)


def test_a_film_of_odd_size_has_no_black_edge(flights: dict[str, Path], tmp_path: Path) -> None:
    file = tmp_path / "film.mp4"
    file.write_bytes(film(flights["long"] / "a", 45))  # 27 rows
    last = [frame.image for frame in read_frames(file)][-1]
    assert last.shape == (28, 46, 3)
    assert min(last[-1].min(), last[:, -1].min()) > 225  # of 240
