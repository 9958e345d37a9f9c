"""Real side and floor: other videos where there are two, all frames accounted for, the same on every machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from flythrough.evaluate.protocols.build import Choices, build_from_workspace
from flythrough.evaluate.protocols.protocol import Header, Sets
from flythrough.evaluate.protocols.real_frames import split_real
from tests.clip_factory import make_workspace

LENGTHS = {"a0": 30, "a1": 10, "b0": 25, "c0": 12, "c1": 13}
VIDEOS = {"a0": "a", "a1": "a", "b0": "b", "c0": "c", "c1": "c"}


@pytest.fixture
def header(tmp_path: Path) -> Header:
    workspace = make_workspace(tmp_path, clips=1, frames=12, splits=("test",))
    return build_from_workspace(workspace, Choices(view_steps=(2,))).header


def with_most(header: Header, most: int, seed: int = 0) -> Header:
    sets = header.sets.model_copy(update={"reference_frames": most, "floor_frames": most})
    assert isinstance(sets, Sets)
    return header.model_copy(update={"sets": sets, "seed": seed})


@pytest.mark.parametrize("seed", range(20))
def test_no_video_is_on_both_sides_and_no_frame_is_lost(header: Header, seed: int) -> None:
    reference, floor = split_real(LENGTHS, VIDEOS, with_most(header, 1000, seed))
    assert not {VIDEOS[clip] for clip in reference} & {VIDEOS[clip] for clip in floor}
    assert {clip: tuple(range(n)) for clip, n in LENGTHS.items()} == reference | floor
    sizes = sorted(sum(map(len, side.values())) for side in (reference, floor))
    assert sizes == [40, 50]  # a against b and c


def test_each_side_has_no_more_than_it_may(header: Header) -> None:
    reference, floor = split_real(LENGTHS, VIDEOS, with_most(header, 7))
    assert [sum(map(len, side.values())) for side in (reference, floor)] == [7, 7]
    assert (reference, floor) == split_real(LENGTHS, VIDEOS, with_most(header, 7))


def test_equal_videos_are_drawn_by_the_seed(header: Header) -> None:
    lengths = {f"v{i}": 10 for i in range(6)}
    videos = {clip: clip for clip in lengths}
    sides = [split_real(lengths, videos, with_most(header, 99, seed))[0] for seed in range(8)]
    assert {len(side) for side in sides} == {3}
    assert len({tuple(side) for side in sides}) > 1


def test_one_video_is_divided_by_frames(header: Header) -> None:
    reference, floor = split_real({"x": 10, "y": 11}, {"x": "v", "y": "v"}, with_most(header, 1000))
    pairs = [{(clip, frame) for clip, frames in side.items() for frame in frames} for side in (reference, floor)]
    assert (len(pairs[0]), len(pairs[1])) == (11, 10)
    assert not pairs[0] & pairs[1]
