"""Labels against shots: who is right, how sure that is, and what a bad file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flythrough.curate.score.figures import summary, wilson
from flythrough.curate.score.labels import Label, Span, match, read_labels
from flythrough.curate.score.spans import names_of
from flythrough.errors import InputError


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
