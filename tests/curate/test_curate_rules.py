"""Rules, duplicates and verdicts: what each figure leads to."""

from __future__ import annotations

import json

import numpy as np
import pytest

from flythrough.curate.config import CurateConfig
from flythrough.curate.decide import decide
from flythrough.curate.duplicates import find_duplicates
from flythrough.curate.review.verdicts import FILE, Verdict, append_verdicts, read_verdicts
from flythrough.curate.rules import Rules
from flythrough.errors import InputError
from flythrough.rules import MissingMeasure
from flythrough.workspace.catalog import Workspace, to_json
from flythrough.workspace.stage import Outcome

GOOD = {
    "length_s": 5.0, "frames": 150, "brightness": 0.45, "picture_area": 1.0, "tracked": 0.8, "speed_widths_s": 0.1,
    "travel_widths": 0.5, "windows": 6.0, "blur": 0.3, "shake_widths_s2": 0.2, "translation": 0.1, "parallax": 0.15,
    "firm": 0.7, "shift_widths": 0.1, "moving_area": 0.1, "overlay_area": 0.01, "text_area": 0.0,
    "sky": 0.3, "water": 0.3, "land": 0.4, "small_movers": 1.0, "nature": 0.6, "built": 0.02, "hash": "1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("length_s", 0.4, "short"),
        ("frames", 3, "short"),
        ("brightness", 0.01, "dark"),
        ("brightness", 0.99, "bright"),
        ("picture_area", 0.2, "bars"),
        ("tracked", 0.05, "untracked"),
        ("firm", 0.1, "untracked"),
        ("shift_widths", 0.001, "still"),
        ("windows", 0.0, "lost"),
        ("blur", 0.95, "blurred"),
        ("shake_widths_s2", 9.0, "shaky"),
        ("translation", 0.001, "no_parallax"),
        ("moving_area", 0.9, "moving"),
        ("overlay_area", 0.5, "overlay"),
        ("text_area", 0.05, "overlay"),
        ("nature", 0.001, "not_nature"),
        ("built", 0.5, "not_nature"),
    ],
)
def test_one_bad_figure_gives_its_reason(name: str, value: float, reason: str) -> None:
    assert Rules().judge(GOOD) == (None, [])
    assert Rules().judge({**GOOD, name: value}).reason == reason


def test_open_water_is_little_land_and_much_that_moves() -> None:
    sea = {**GOOD, "land": 0.1, "moving_area": 0.3}
    assert Rules().judge(sea)[0] == "water"
    assert Rules().judge({**sea, "moving_area": 0.02}) == (None, [])  # snow in the shade
    assert Rules().judge({**sea, "land": 0.4}) == (None, [])  # a coast


def test_score_reports_and_off_is_silent() -> None:
    slow = {**GOOD, "shift_widths": 0.0}
    assert Rules.model_validate({"still": {"mode": "score"}}).judge(slow) == (None, ["still"])
    assert Rules.model_validate({"still": {"mode": "off"}}).judge(slow) == (None, [])


def test_a_missing_measure_is_an_error_not_a_verdict() -> None:
    partial = {k: v for k, v in GOOD.items() if k != "translation"}
    with pytest.raises(MissingMeasure, match="translation"):
        Rules().judge(partial)


def test_duplicates_within_the_distance_and_no_further() -> None:
    rng = np.random.default_rng(0)
    one, two = ([int(x) for x in rng.integers(2**63, size=30)] for _ in range(2))
    near = [x ^ 0b1001001 for x in one[7:20]]  # a piece of the first, three bits off

    def text(hashes: list[int]) -> str:
        return "-".join(f"{h:016x}" for h in hashes)

    shots = [
        ("a", ("v", 0, 10), text(one)),
        ("b", ("v", 20, 30), text(two)),
        ("c", ("w", 0, 9), text(near)),
        ("d", ("w", 9, 12), text(two[:4] + near[:3])),
    ]
    assert find_duplicates(shots, 3) == {"c": "a"}
    assert find_duplicates(shots, 2) == {}
    assert find_duplicates(shots[::-1], 3) == {"a": "c"}
    pieces = [("a", ("v", 0, 10), text(one)), ("b", ("v", 10, 20), text(one))]  # of one long shot
    assert find_duplicates(pieces, 3) == {}
    assert find_duplicates([pieces[0], ("b", ("w", 10, 20), text(one))], 3) == {"b": "a"}


def test_duplicates_are_those_that_comparing_all_pairs_finds() -> None:
    """The index loses none, at distances that it serves and at larger ones."""
    rng = np.random.default_rng(1)
    shots: list[tuple[str, tuple[str, int, int], str]] = []
    films = rng.integers(2**63, size=(12, 24))
    for n in range(90):
        start, count = int(rng.integers(12)), int(rng.integers(5, 12))
        hashes = [int(x) for x in films[rng.integers(12)][start : start + count]]
        hashes = [x ^ sum(1 << int(b) for b in rng.choice(63, int(rng.integers(9)), replace=False)) for x in hashes]
        shots.append((f"s{n}", (f"v{n}", 0, 9), "-".join(f"{x:016x}" for x in hashes)))
    for bits in (0, 3, 6, 7, 8, 12):
        kept: dict[str, list[int]] = {}
        expected = {}
        for id, _, text in shots:
            mine = [int(x, 16) for x in text.split("-")]
            for other, theirs in kept.items():
                short, long = sorted((theirs, mine), key=len)
                close = sum(any((x ^ y).bit_count() <= bits for y in long) for x in short)
                if close >= 0.8 * len(short):
                    expected[id] = other
                    break
            else:
                kept[id] = mine
        assert find_duplicates(shots, bits) == expected
        assert bits < 6 or expected


def _row(id: str, **measures: object) -> dict[str, object]:
    figures = {**GOOD, "hash": f"{int.from_bytes(id.encode()):x}", **measures}
    return {
        "id": id, "video_id": "v", "start_frame": 0, "end_frame": 9, "start_us": 0, "end_us": 9,
        "camera_file": None, "measures": to_json(figures),
    }  # fmt: skip


def test_verdicts_outrank_rules_and_nothing_is_lost(tmp_path) -> None:
    rows = [_row("good"), _row("still", shift_widths=0.0), _row("other"), _row("broken", translation=None)]
    append_verdicts(tmp_path, [Verdict("still", "accept"), Verdict("good", "reject", "ugly")])
    found = decide(Outcome(rows=rows), Workspace(tmp_path), CurateConfig())
    assert [r["id"] for r in found.rows] == ["still", "other"]
    assert [(d["id"], d["reason"]) for d in found.drops] == [("good", "ugly")]
    assert [e["id"] for e in found.errors] == ["broken"]
    assert json.loads(found.rows[0]["measures"])["rule"] == "still"  # what the rules would have said


def test_given_shots_are_kept_whatever_the_rules_say(tmp_path) -> None:
    row = {**_row("given", shift_widths=0.0), "camera_file": "acquire/v/given.txt"}
    found = decide(Outcome(rows=[row]), Workspace(tmp_path), CurateConfig())
    assert [r["id"] for r in found.rows] == ["given"]
    assert json.loads(found.rows[0]["measures"])["scored"] == ["still"]


def test_the_last_verdict_counts_and_undo_takes_one_back(tmp_path) -> None:
    append_verdicts(tmp_path, [Verdict("s", "accept"), Verdict("s", "reject", "shaky"), Verdict("t", "accept")])
    assert read_verdicts(tmp_path)["s"].reason == "shaky"
    append_verdicts(tmp_path, [Verdict("s", "undo"), Verdict("t", "undo")])
    assert {id: v.verdict for id, v in read_verdicts(tmp_path).items()} == {"s": "accept"}


def test_half_a_line_from_a_killed_writer_costs_nothing(tmp_path) -> None:
    append_verdicts(tmp_path, [Verdict("a", "accept")])
    with open(tmp_path / FILE, "ab") as file:
        file.write(b'{"id": "b", "ver')
    append_verdicts(tmp_path, [Verdict("c", "reject", "dark")])
    assert set(read_verdicts(tmp_path)) == {"a", "c"}
    (tmp_path / FILE).write_text('{"id": "a"}\n')
    with pytest.raises(InputError, match="jsonl:1"):
        read_verdicts(tmp_path)
