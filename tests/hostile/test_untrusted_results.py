"""Untrusted results files: bytes that are not JSON, and claims that do not follow from raw values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flythrough.errors import InputError
from flythrough.leaderboard.standing.gather import gather
from flythrough.leaderboard.store import FOLDER
from flythrough.leaderboard.submissions import add_submission
from flythrough.results import strict_json as strict_json_module
from flythrough.results.schema import read_result
from flythrough.results.strict_json import Limits, read_strict_json
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_json
from tests.hostile.claims import FLIGHTS, HASH, hand_in, make_workspace, record


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_workspace(tmp_path / "w")


def kept(workspace: Workspace) -> list[str]:
    return sorted(file.name for file in (workspace / FOLDER).glob("*.json"))


def check_refused(workspace: Workspace, claim: dict[str, Any] | bytes, says: str) -> None:
    """The claim is refused in one printable line with a remedy, and nothing is kept of it."""
    before = kept(workspace)
    with pytest.raises(InputError, match=says) as caught:
        hand_in(workspace, claim)
    assert str(caught.value).isprintable()
    assert caught.value.remedy
    assert kept(workspace) == before


def with_text(old: str, new: str) -> bytes:
    """The good record with one piece of its text replaced."""
    text = json.dumps(record("theirs"))
    assert old in text
    return text.replace(old, new, 1).encode()


def test_the_good_record_is_accepted_twice(workspace: Workspace) -> None:
    assert hand_in(workspace, record("theirs")) == hand_in(workspace, record("theirs"))
    assert len(kept(workspace)) == 2


SETTINGS = '"follows_camera": true'
BYTES = {
    "empty": (b"", "is not JSON"),
    "text": (b"no json", "is not JSON"),
    "cut off": (json.dumps(record("theirs")).encode()[:-1], "is not JSON"),
    "two values": (json.dumps(record("theirs")).encode() * 2, "is not JSON"),
    "a list": (b"[]", "an object"),
    "null": (b"null", "an object"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0", "is not UTF-8"),
    "a pickle": (b"\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x05posix.", "is not UTF-8"),
    "UTF-16": (json.dumps(record("theirs")).encode("utf-16"), "is not UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf" + json.dumps(record("theirs")).encode(), "is not JSON"),
    "200 levels of lists": (with_text(SETTINGS, '"settings": {"a": ' + "[" * 200 + "]" * 200 + "}"), "nested deeper"),
    "200 levels of objects": (with_text(SETTINGS, '"settings": ' + '{"a":' * 200 + "1" + "}" * 200), "nested deeper"),
    "100 000 levels": (b"[" * 100_000, "nested deeper than 32"),
    "100 000 closed levels": (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 32"),
    "levels after a quote": (b'["\\"", ' + b"[" * 100_000, "nested deeper"),
    "the same key twice": (with_text(SETTINGS, f'{SETTINGS}, "status": "scored"'), "'status' is there twice"),
    "the same value twice": (with_text('"psnr@5": 20.0', '"psnr@5": 99.0, "psnr@5": 20.0'), "psnr@5' is there twice"),
    "the same key, escaped": (with_text(SETTINGS, f'{SETTINGS}, "statu\\u0073": "scored"'), "there twice"),
    "NaN": (with_text("90.0", "NaN"), "NaN is not a number"),
    "Infinity": (with_text("90.0", "Infinity"), "Infinity is not a number"),
    "-Infinity": (with_text("90.0", "-Infinity"), "-Infinity is not a number"),
    "1e308": (with_text("20.0", "1e308"), "1e308 is larger than"),
    "-1e308": (with_text("20.0", "-1e308"), "-1e308 is larger than"),
    "1e999": (with_text("90.0", "1e999"), "1e999 is larger than"),
    "an integer of 400 digits": (with_text("90.0", "9" * 400), "is larger than"),
    "an integer of 5000 digits": (with_text("90.0", "9" * 5000), "is larger than"),
    "a number nobody checks": (with_text(SETTINGS, '"settings": {"seed": 1e300}'), "is larger than"),
    "half a character": (with_text(SETTINGS, '"failure": "\\ud800"'), "lone surrogate"),
    "half a character in a key": (with_text(SETTINGS, '"not_measured": {"\\udfff": ""}'), "lone surrogate"),
    "hexadecimal": (with_text("90.0", "0x5a"), "is not JSON"),
    "a comment": (with_text("90.0", "90.0 /* better */"), "is not JSON"),
    "a raw line break in a string": (with_text("p-v1", "p-\nv1"), "is not JSON"),
}


@pytest.mark.parametrize("what", BYTES)
def test_bytes_that_are_no_results_file(workspace: Workspace, what: str) -> None:
    claim, says = BYTES[what]
    check_refused(workspace, claim, says)


def test_a_file_over_the_size_limit_is_not_parsed(tmp_path: Path) -> None:
    file = tmp_path / "r.json"
    file.write_bytes(b"[" + b" " * 100 + b"]")
    assert read_strict_json(file, Limits(bytes=102))[1] == []
    with pytest.raises(InputError, match="larger than"):
        read_strict_json(file, Limits(bytes=101))
    with file.open("wb") as sparse:
        sparse.truncate(Limits().bytes + 1)
    with pytest.raises(InputError, match="larger than 64 MiB"):
        read_result(file)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder.json").mkdir()
    (tmp_path / "dangling.json").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle.json").symlink_to(tmp_path / "circle.json")
    for name in ("pipe", "folder", "dangling", "circle", "missing"):
        with pytest.raises(InputError, match="cannot be read"):
            read_result(tmp_path / f"{name}.json")


@pytest.mark.parametrize("depth", [31, 32])
def test_brackets_within_strings_are_no_levels(tmp_path: Path, depth: int) -> None:
    value: Any = "[{" * 100 + '\\"['
    for _ in range(depth):
        value = [value]
    (tmp_path / "r.json").write_text(json.dumps(value), encoding="utf-8")
    assert read_strict_json(tmp_path / "r.json")[1] == value


NAMES = {
    "Cyrillic": "\u043eurs",
    "Greek": "\u03bfurs",
    "full width": "\uff4f\uff55\uff52\uff53",
    "a combining mark": "ours\u0301",
    "a zero-width space": "ou\u200brs",
    "right to left": "\u202esruo",
    "a no-break space": "ours\u00a0x",
    "mathematical letters": "\U0001d428urs",
    "a zero": "0urs",
    "a separator": "o-urs",
    "a final dot": "ours.",
    "a digit": "our5",
    "like one handed in": "ear1ier",
    "capitals": "Ours",
    "a script": "<script>alert(1)</script>",
    "an image": '"><img src=x onerror=alert(1)>',
    "a template": "{{ config }}",
    "LaTeX": "\\input{secret}",
    "a formula": "=cmd()",
    "Markdown": "[x](javascript:alert(1))",
    "a terminal": "\x1b[2Jours",
    "the floor": "real",
    "an option": "--replace",
    "empty": "",
    "only dots": "...",
}


@pytest.mark.parametrize("what", NAMES)
def test_names_that_are_markup_or_read_like_another(workspace: Workspace, what: str) -> None:
    check_refused(workspace, record(NAMES[what]), r"cannot be a (method's )?name|reads like|String should")


def test_a_smuggled_name_is_left_out(workspace: Workspace) -> None:
    for place, what in enumerate(("Cyrillic", "full width", "a script", "a formula")):
        write_json(workspace / FOLDER / f"{place}.json", record(NAMES[what]))
    assert [each.method.name for each in gather(workspace).claims[HASH]] == ["earlier"]


def put(path: str, value: Any) -> Any:
    """A change of the record: the value at a path such as ``values/0/low``."""

    def change(claim: Any) -> None:
        *parents, last = path.replace("~", "c-00000").split("|")
        for part in parents:
            claim = claim[int(part) if part.isdigit() else part]
        claim[int(last) if last.isdigit() else last] = value

    return change


CLAIMS = {
    "a mean of other raw values": (put("values|1|value", 22.5), "raw values mean 21"),
    "a mean over all steps": (put("values|2|value", 0.1), "style_lite0 is 0.1, but its raw values mean 0.5"),
    "a mean in the last digits": (put("values|1|value", 21.001), "raw values mean 21"),
    "a hard start without value": (put("starts|~0|psnr@5", None), "psnr@5 has a value, but its start c-000000"),
    "a hard start without style": (put("starts|~0|style_lite0", None), "style_lite0 has a value, but its start"),
    "an interval elsewhere": (put("values|0|low", 95.0), "outside its own interval"),
    "an interval upside down": (put("values|0|high", 1.0), "outside its own interval"),
    "an interval with one end": (put("values|0|low", None), "one end"),
    "more pairs than starts": (put("values|1|n", 2000), "says n = 2000"),
    "another value of the same": (lambda claim: claim["values"].append(claim["values"][0]), "two values of fd_lite0"),
    "a step nobody flew": (put("values|1|step", 7), "psnr@7 has no raw values"),
    "a negative step": (put("values|1|step", -5), "psnr@-5 has no raw values"),
    "a protocol of another name": (put("protocol|name", "p-v2"), "is called 'p-v2'"),
    "a protocol that is markup": (put("protocol|name", "<b>p-v1"), "is called '<b>p-v1'"),
    "no frames": (put("frames_sha256", {}), "does not say which frames"),
    "a flight left out": (lambda claim: claim["frames_sha256"].pop(FLIGHTS[0]), "does not say which frames view"),
    "frames of one flight twice": (put(f"frames_sha256|{FLIGHTS[3]}", "20" * 32), "have the same frames"),
    "frames of a method here": (put(f"frames_sha256|{FLIGHTS[3]}", "3a" * 32), "are those of ours"),
    "frames of one handed in": (put(f"frames_sha256|{FLIGHTS[0]}", "0b" * 32), "are those of earlier"),
    "frames in capitals": (put(f"frames_sha256|{FLIGHTS[3]}", "3A" * 32), "is not a SHA-256"),
    "frames without a hash": (put(f"frames_sha256|{FLIGHTS[3]}", "none"), "is not a SHA-256"),
    "a number in quotes": (put("values|0|value", "90.0"), "valid number"),
    "a number that is true": (put("values|0|value", True), "valid number"),
    "a count that is no integer": (put("values|0|n", 60.5), "valid integer"),
    "a word for true": (put("follows_camera", "yes"), "valid boolean"),
    "values as an object": (put("values", {"fd_lite0": 90.0}), "valid (tuple|array)"),
    "a start as a list": (put("starts|~0", [20.0]), "an object"),
    "an unknown key": (put("tier", "measured"), "Extra inputs"),
    "an unknown status": (put("status", "best"), "'scored' or 'failed'"),
    "another version": (put("schema_version", 2), "Input should be 1"),
    "a version in quotes": (put("schema_version", "1"), "Input should be 1"),
    "replicates of no step": (
        put("replicates", {"psnr@x": {"drawn": "a", "starts": 2, "values": [1.0, 2.0]}}),
        "replicates",
    ),
    "a key that clears the screen": (put("starts|\x1b[2J\nok", {"psnr@5": 1.0}), "is refused"),
    "a failure of many lines": (lambda claim: claim.update(status="failed", failure="a\n" * 9999), "its method failed"),
}


@pytest.mark.parametrize("what", CLAIMS)
def test_claims_that_do_not_follow_from_what_is_in_the_file(workspace: Workspace, what: str) -> None:
    change, says = CLAIMS[what]
    claim = record("theirs")
    change(claim)
    check_refused(workspace, claim, says)


def test_a_flight_that_cannot_be_posed_counts_as_the_worst(workspace: Workspace) -> None:
    """As evaluate counts it: a lost flight has the error of the worst other, and none of its frames posed."""
    claim = record("theirs")
    raw = {"c-000000": 0.1, "c-000004": None}
    for start, number in raw.items():
        claim["starts"][start] |= {"follow_sfm_deviation": number, "nate": number, "follow_sfm_registered": number}
    good = {"follow_sfm_deviation": 0.1, "nate": 0.1, "follow_sfm_registered": 0.05}
    claim["values"] += [{"metric": metric, "value": value, "n": 60} for metric, value in good.items()]
    assert hand_in(workspace, claim)
    for place, value in ((-3, 0.05), (-2, 0.09), (-1, 0.1)):
        changed = json.loads(json.dumps(claim))
        changed["method"]["name"] = "changed"
        changed["frames_sha256"] = record("changed", frames="c")["frames_sha256"]
        changed["values"][place]["value"] = value
        check_refused(workspace, changed, "but its raw values mean")


def test_one_method_may_replace_its_own_frames(workspace: Workspace) -> None:
    claim = record("earlier", frames="b") | {"seconds": {"score": 1.0}}
    with pytest.raises(InputError, match="listed already"):
        hand_in(workspace, claim)
    file = workspace.root.parent / "theirs.json"
    assert read_result(add_submission(workspace, file, replace=True)).seconds == {"score": 1.0}


PIECES = ("{", "}", "[", "]", ":", ",", '"a"', '"b:"', '"\\u003a"', '"\\ud800"', "1", "-0", "01", "1.", "1e999", "2e30",
          "9" * 40, "NaN", "null", "true", " ", '"a": ', '{"a": 1}', '{"a": 1, "a": ":"}',
          "[" * 33 + "]" * 33)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
@example('{"a": 1, "a": 2}')
@example('{"a": {"b": 1, "b": 2}}')
@example('{"a": "::", "a": 1}')
@example('{"a": 1, "a": "\\u003a"}')
@example('{"a:": 1, "b": ":", "c": [":"]}')
@example('[{"a": 1}, {"a": 1}]')
@example("[" * 32 + "]" * 32)
def test_the_short_way_takes_nothing_that_the_long_one_refuses(text: str) -> None:
    short = strict_json_module._plainly_sound(text, Limits())
    if short is not None:
        assert short == strict_json_module._checked(text, Limits())


def test_a_sound_file_goes_the_short_way() -> None:
    text = json.dumps(record("theirs") | {"failure": "at 12:30: {[nothing"}, indent=1)
    assert strict_json_module._plainly_sound(text, Limits()) == (text, json.loads(text))
