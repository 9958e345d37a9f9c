"""Labels against shots: who is right, how sure that is, and what a bad file says."""

from __future__ import annotations

from pathlib import Path

import pytest

from flythrough.curate.config import CurateConfig
from flythrough.curate.rules import Rules
from flythrough.curate.score.figures import Tally, summary, wilson
from flythrough.curate.score.labels import Label, Span, match, read_labels, unmet
from flythrough.curate.score.sheet import write_sheet
from flythrough.curate.score.spans import file_names
from flythrough.curate.score.sweep import Said, left_out_together, sweep
from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_json
from tests.curate.test_curate_rules import GOOD


def test_the_interval_is_wilsons() -> None:
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 0) == (0.0, 1.0)


def test_shots_are_counted_by_the_label_that_covers_them() -> None:
    labels = [Label("a.mp4", 0, 4, "keep"), Label("a.mp4", 4, 9, "drop"), Label("b", 0, float("inf"), "keep")]
    spans = [
        Span("a-0-3", "a", 0, 3, None),
        Span("a-5-9", "a", 5, 9, None),
        Span("b-0-3", "b", 0, 3, "still"),
        Span("a-8-20", "a", 8, 20, None),  # less than half of it is labelled
    ]
    lines = summary(match(labels, spans, {"a": "a.mp4"}))
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


@pytest.mark.parametrize(("name", "met"), [
    ("sea_sea.mp4", True), ("Sea-Sea.MOV", True), ("sea-sea", True), ("sea-sea-c8ff4b0faaa3", True),
    ("sea.mp4", False), ("sea-sea-c8ff4b0faaa", False),
])  # fmt: skip
def test_a_label_names_a_video_by_its_id_or_its_file(name: str, met: bool) -> None:
    span, label = Span("x", "sea-sea-c8ff4b0faaa3", 0, 3, None), Label(name, 0, 9, "drop")
    assert match([label], [span], {span.video: "sea_sea.mp4"}) == [(span, label if met else None)]


def test_without_a_file_name_a_label_names_a_video_by_its_id_alone() -> None:
    span, files = Span("x", "sea-sea-c8ff4b0faaa3", 0, 3, None), {"other": "sea_sea.mp4"}
    by_id = Label(span.video, 0, 9, "drop")
    assert match([Label("sea_sea.mp4", 0, 9, "drop"), by_id], [span], files) == [(span, by_id)]


def test_file_names_are_those_of_urls_and_of_what_acquire_took_in(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    videos = {"web": "https://example.org/a/Cape%20Fear.mp4", "local": None, "older": None}
    rows = [
        {
            "id": id, "url": url, "path": f"acquire/{id}/video.mp4", "sha256": "", "bytes": 1, "width": 1, "height": 1,
            "fps_num": 1, "fps_den": 1, "time_base_num": 1, "time_base_den": 1, "frame_count": 1, "duration_us": 1,
            "rotation": 0, "pixel_format": "", "variable_frame_rate": False,
        }
        for id, url in videos.items()
    ]  # fmt: skip
    workspace.write("videos", rows)
    write_json(tmp_path / "acquire/local/provenance.json", {"file_name": "long_name_of_a_file_that_an_id_cuts.mp4"})
    write_json(tmp_path / "acquire/older/provenance.json", {})
    assert file_names(workspace) == {"web": "Cape Fear.mp4", "local": "long_name_of_a_file_that_an_id_cuts.mp4"}


def test_a_label_to_keep_that_no_shot_has_is_a_miss() -> None:
    told = [Label("a.mp4", 0, 4, "keep"), Label("a.mp4", 4, 9, "keep"), Label("b.mp4", 0, 9, "drop")]
    matched = match(told, [Span("a-0-3", "a", 0, 3, None)], {"a": "a.mp4"})
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
        Span("a-0-3", "a", 0, 3, None, GOOD),
        Span("a-3-6", "a", 3, 6, "still", {**GOOD, "pictures": "p"}),
        Span("a-6-9", "a", 6, 9, None, GOOD),
    ]
    for number in range(3):
        (tmp_path / f"p.{number}.jpg").write_bytes(b"picture")
    told = [Label("a.mp4", 0, 6, "keep"), Label("a.mp4", 6, 9, "drop")]
    write_sheet(tmp_path / "s.html", match(told, spans, {"a": "a.mp4"}), [], [], tmp_path, CurateConfig())
    page = (tmp_path / "s.html").read_text()
    assert page.count("<figure>") == 2
    assert "a-3-6: still" in page
    assert "a-6-9: kept" in page
    assert "a-0-3:" not in page
    assert page.count("data:image/jpeg") == 3
