"""Shot boundaries against known edits."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from flythrough.curate.boundaries import segment
from flythrough.curate.boundaries.segment import Segmenter
from flythrough.curate.boundaries.strips import Strip, Transition, tiny_of
from flythrough.curate.config import CurateConfig, Shots
from flythrough.curate.scan import find_boundaries
from flythrough.errors import InputError
from flythrough.media.video_reader import frames
from tests.curate.curate_edits import Edit, matches, overlaps, pan, scenery

SIZE = (192, 108)
CHEAP = CurateConfig(shots=Shots(detector="cheap"))


def take(seed: int, frames: int = 48, step_px: float = 1.4) -> np.ndarray:
    return pan(scenery(seed), frames, step_px, SIZE, (10 * seed, 17 * seed % 180))


def found(edit: Edit, path: Path, config: CurateConfig = CHEAP) -> tuple[list[int], list[tuple[int, int]]]:
    transitions, times_us = find_boundaries(edit.write(path / "edit.mp4"), config)
    assert len(times_us) == len(edit.frames)
    return [t.start for t in transitions if t.kind == "cut"], [(t.start, t.end) for t in transitions if t.kind != "cut"]


def test_hard_cuts_are_found_to_the_frame(tmp_path) -> None:
    edit = Edit()
    for seed, length in enumerate((31, 17, 40, 24, 29)):
        edit.cut(take(seed, length))
    cuts, graduals = found(edit, tmp_path)
    assert cuts == edit.cuts == [31, 48, 88, 112]
    assert graduals == []


def test_cuts_inside_fast_pans(tmp_path) -> None:
    edit = Edit()
    for seed, step_px in enumerate((8, 14, -11, 18)):
        edit.cut(pan(scenery(seed, 1500), 24, abs(step_px), SIZE, (0 if step_px > 0 else 400, 40)))
    cuts, graduals = found(edit, tmp_path)
    assert (cuts, graduals) == (edit.cuts, [])


def test_a_fast_pan_and_a_steady_flight_have_no_boundaries(tmp_path) -> None:
    for step_px in (0.3, 2.0, 16.0):
        assert found(Edit().cut(take(3, 60, step_px)), tmp_path) == ([], [])


def test_flashes_are_not_cuts(tmp_path) -> None:
    edit = Edit().cut(take(5, 60)).cut(take(6, 60))
    edit.flash(20, 1, 1.0).flash(38, 3, 0.6).flash(90, 2, 0.8)
    assert found(edit, tmp_path) == ([60], [])


def test_dissolves_and_fades_are_spans_that_cover_the_edit(tmp_path) -> None:
    edit = Edit().cut(take(1, 60))
    edit.dissolve(take(2, 80), 0.6).dissolve(take(4, 90), 1.2)
    edit.fade(take(7, 70), 1.0).fade(take(8, 60), 0.8, level=255)
    cuts, graduals = found(edit, tmp_path)
    assert cuts == []
    assert overlaps(graduals, edit.graduals) == len(graduals) == 4
    for (start, end), (true_start, true_end) in zip(graduals, edit.graduals, strict=True):
        assert abs(start - true_start) <= 6
        assert abs(end - true_end) <= 6


def test_a_spin_is_one_transition(tmp_path) -> None:
    edit = Edit().cut(take(1, 40)).spin(take(2, 40), 0.3)
    cuts, graduals = found(edit, tmp_path)
    assert cuts == []
    assert overlaps(graduals, edit.graduals) == len(graduals) == 1


def test_the_network_alone_finds_cuts_and_a_dissolve(tmp_path) -> None:
    edit = Edit().cut(take(1, 40)).cut(take(2, 50)).dissolve(take(4, 50), 0.8)
    cuts, graduals = found(edit, tmp_path, CurateConfig(shots=Shots(detector="transnet")))
    assert matches(cuts, edit.cuts) == len(cuts) == 1
    assert overlaps(graduals, edit.graduals) == len(graduals) == 1


def test_a_file_without_frames_is_an_error(tmp_path) -> None:
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(InputError, match="empty"):
        find_boundaries(tmp_path / "empty.mp4", CHEAP)


def test_a_flight_whose_view_changes_and_blurs_is_no_dissolve(shared_data, tmp_path) -> None:
    flight = list(frames(shared_data / "real/infinite_nature_generated.mp4", end_us=45_000_000))[1230:]
    assert found(Edit().cut(np.array([frame.image for frame in flight])), tmp_path) == ([], [])


def feed(monkeypatch, transitions: list[Transition], frames: int, config: Shots) -> list[tuple[int, int]]:
    """Run a segmenter over blank frames at 25 per second with given transitions."""

    def known(strip: Strip, arbiter: object = None) -> list[Transition]:
        return [t for t in transitions if strip.first < t.start and t.end < strip.first + len(strip)]

    monkeypatch.setattr("flythrough.curate.boundaries.segment.find_transitions", known)
    segmenter = Segmenter(config)
    tiny, gray = np.zeros((27, 48, 3), np.uint8), np.zeros((8, 8), np.uint8)
    spans = []
    for index in range(frames):
        spans += list(segmenter.add(index * 40_000, tiny, gray))
    spans += list(segmenter.close())
    assert segmenter.transitions == [t for t in transitions if t.end < frames]
    return [(s.start, s.end) for s in spans]


def test_shots_fill_what_transitions_and_margins_leave(monkeypatch) -> None:
    transitions = [Transition(700, 700, "cut"), Transition(1490, 1530, "dissolve"), Transition(1600, 1600, "cut")]
    spans = feed(monkeypatch, transitions, 2000, Shots(margin_frames=2, max_s=60.0))
    assert spans == [(0, 698), (702, 1488), (1532, 1598), (1602, 2000)]


def test_long_shots_are_split_without_loss_and_without_crumbs(monkeypatch) -> None:
    spans = feed(monkeypatch, [Transition(2100, 2100, "cut")], 2400, Shots(max_s=20.0, margin_frames=0))
    assert spans[0][0] == 0
    assert spans[-1] == (2100, 2400)
    assert all(a[1] == b[0] for a, b in pairwise(spans))
    assert all(200 < b - a <= 500 for a, b in spans)


def test_memory_does_not_grow_with_length(monkeypatch) -> None:
    monkeypatch.setattr("flythrough.curate.boundaries.segment.find_transitions", lambda strip, arbiter=None: [])
    segmenter = Segmenter(Shots())
    tiny, gray = np.zeros((27, 48, 3), np.uint8), np.zeros((8, 8), np.uint8)
    held = []
    for index in range(6000):
        list(segmenter.add(index * 40_000, tiny, gray))
        held.append(len(segmenter._gray))
    assert max(held) <= 600


def test_a_long_black_stretch_is_not_searched_again_for_every_frame(monkeypatch) -> None:
    searched = []

    def black(strip: Strip, arbiter: object = None) -> list[Transition]:
        searched.append(len(strip))
        return [Transition(strip.first, strip.first + len(strip), "fade")]

    monkeypatch.setattr("flythrough.curate.boundaries.segment.find_transitions", black)
    segmenter = Segmenter(Shots())
    tiny, gray = np.zeros((27, 48, 3), np.uint8), np.zeros((8, 8), np.uint8)
    spans = [span for index in range(3000) for span in segmenter.add(index * 40_000, tiny, gray)]
    assert [*spans, *segmenter.close()] == []
    assert sum(searched) < 8 * 3000


@pytest.mark.parametrize("start", [0, 80])
def test_a_long_black_stretch_is_not_held_in_memory(monkeypatch, start: int) -> None:
    lit = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in take(3, 160)]
    black = np.random.default_rng(0).integers(16, 19, (600, *lit[0].shape), dtype=np.uint8)
    film = [*lit[:start], *black, *lit[start:]]
    seen = []
    for blank_s in (segment.BLANK_S, np.inf):
        monkeypatch.setattr(segment, "BLANK_S", blank_s)
        segmenter, held, spans = Segmenter(Shots(detector="cheap")), [], []
        for index, gray in enumerate(film):
            spans += list(segmenter.add(index * 100_000, tiny_of(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB)), gray))
            held.append(len(segmenter._gray))
        spans += list(segmenter.close())
        seen.append((spans, segmenter.transitions, max(held)))
    assert seen[0][:2] == seen[1][:2]
    assert [(t.start, t.end) for t in seen[0][1]] == [(start, start + len(black))]
    assert seen[0][2] <= 300 < len(black) <= seen[1][2]
