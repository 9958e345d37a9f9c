"""Labels against shots: who is right, how sure that is, and what a bad file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flythrough.curate.config import CurateConfig
from flythrough.curate.rules import Rules
from flythrough.curate.score.figures import Tally, summary, wilson
from flythrough.curate.score.labels import Label, Span, match, read_labels, unmet
from flythrough.curate.score.sheet import write_sheet
from flythrough.curate.score.spans import names_of
from flythrough.curate.score.sweep import Said, left_out_together, sweep
from flythrough.errors import InputError
from tests.curate.test_curate_rules import GOOD


def test_the_interval_is_wilsons() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_shots_are_counted_by_the_label_that_covers_them() -> None:
    labels = [Label("a.mp4", 0, 4, "keep"), Label("a.mp4", 4, 9, "drop"), Label("b", 0, float("inf"), "keep")]
    spans = [
        Span("a-0-3", ("a", "a.mp4"), 0, 3, None),
        Span("a-5-9", ("a", "a.mp4"), 5, 9, None),
        Span("b-0-3", ("b", "b.mp4"), 0, 3, "still"),
        Span("a-8-20", ("a", "a.mp4"), 8, 20, None),  # less than half of it is labelled
    ]
    lines = summary(match(labels, spans))
    assert lines[0] == "4 shots: 3 labelled keep or drop, 1 unsure or unlabelled"
    assert lines[1].startswith("precision 0.500 (1 of 2;")
    assert lines[2].startswith("recall 0.500 (1 of 2;")
    assert "F1 0.500" in lines
    assert "still: dropped 0 rightly, 1 wrongly" in lines
    assert [line for line in lines if line.startswith("differs")] == [
        "differs: a-5-9 labelled drop, kept",
        "differs: b-0-3 labelled keep, still",
    ]


@pytest.mark.parametrize("line", ["a,3,2,keep", "a,x,2,keep", "a,0,2,perhaps"])
def test_a_line_that_is_no_label_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"video,start,end,verdict\na,,,drop\n{line}\n")
    with pytest.raises(InputError, match="line 3"):
        read_labels(file)


def test_a_label_names_a_video_by_its_file() -> None:
    span = Span("x", names_of("sea-sea-c8ff4b0faaa3"), 0, 3, None)
    label = Label("sea_sea.mp4", 0, 9, "drop")
    assert match([label], [span]) == [(span, label)]
    assert match([Label("sea.mp4", 0, 9, "drop")], [span]) == [(span, None)]


def test_a_label_names_a_video_whose_id_has_only_the_start_of_a_long_name() -> None:
    file = "opencv_multi_window_fullscreen_display_aerial.mp4"
    span = Span("x", names_of("opencv-multi-window-fullscreen-display-a-7a620277c689"), 0, 3, None)
    label = Label(file, 0, 9, "drop")
    assert match([label], [span]) == [(span, label)]


def test_a_label_to_keep_that_no_shot_has_is_a_miss() -> None:
    told = [Label("a.mp4", 0, 4, "keep"), Label("a.mp4", 4, 9, "keep"), Label("b.mp4", 0, 9, "drop")]
    matched = match(told, [Span("a-0-3", ("a", "a.mp4"), 0, 3, None)])
    lines = summary(matched, unmet(told, matched))
    assert lines[2].startswith("recall 0.500 (1 of 2;")
    assert lines[-1] == "differs: a.mp4 from 4 s labelled keep, no such shot"


def shots_with(*figures: tuple[float, bool]) -> list[Said]:
    """Shots that differ in ``nature`` only, each of a video of its own."""
    return [Said(f"v{i}", keep, {**GOOD, "nature": nature}) for i, (nature, keep) in enumerate(figures)]


def test_a_threshold_has_its_margin_its_best_and_what_it_does_without_a_video() -> None:
    said = shots_with((0.05, False), (0.3, False), (0.6, True), (0.8, True))
    one = next(x for x in sweep(said, Rules()) if x.limit.measure == "nature")
    assert (one.low, one.high) == (0.05, 0.3)
    assert one.f1 == pytest.approx(0.8)
    assert (one.best, one.best_low, one.best_high) == (1.0, 0.3, 0.6)
    # Without the shot of 0.3 the threshold stays and keeps it; without that of 0.6 it goes to 0.55 and keeps it.
    assert one.left_out == Tally(right=2, kept=3, wanted=2)
    assert left_out_together(said, Rules()) == one.left_out


def test_a_threshold_that_decides_nothing_has_no_ends() -> None:
    one = next(x for x in sweep(shots_with((0.05, False), (0.6, True)), Rules()) if x.limit.measure == "length_s")
    assert (one.low, one.high) == (float("-inf"), GOOD["length_s"])
    assert one.f1 == one.best == 1.0


def test_the_sheet_shows_the_shots_that_differ_and_no_other(tmp_path: Path) -> None:
    spans = [
        Span("a-0-3", ("a", "a.mp4"), 0, 3, None, GOOD),
        Span("a-3-6", ("a", "a.mp4"), 3, 6, "still", {**GOOD, "pictures": "p"}),
        Span("a-6-9", ("a", "a.mp4"), 6, 9, None, GOOD),
    ]
    for number in range(3):
        (tmp_path / f"p.{number}.jpg").write_bytes(b"picture")
    told = [Label("a.mp4", 0, 6, "keep"), Label("a.mp4", 6, 9, "drop")]
    write_sheet(tmp_path / "s.html", match(told, spans), [], [], tmp_path, CurateConfig())
    page = (tmp_path / "s.html").read_text()
    assert page.count("<figure>") == 2
    assert "a-3-6: still" in page
    assert "a-6-9: kept" in page
    assert "a-0-3:" not in page
    assert page.count("data:image/jpeg") == 3
