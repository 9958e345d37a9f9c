"""Rebuilding a dataset from camera files: every line, clip and video accounted for."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from flythrough.acquire.given import nearest_frames
from flythrough.acquire.sources.camera_files import camera_entries, read_index
from flythrough.acquire.sources.camera_text import read_camera_text
from flythrough.media.video_reader import frame_times
from flythrough.media.video_writer import ffmpeg_path
from flythrough.scene.cameras import Cameras, read_cameras, write_cameras
from flythrough.workspace.addresses import AddressKeys
from tests.acquire.acquire_world import acquire, make_video, tables
from tests.acquire.http_server import Page, Server, serve

FRAME_US = 1_001_000 / 30
START = 2  # the test videos' first frame is shown two frames after zero, as H.264 with B-frames often is
POSE = "0.9 0.1 -0.2 1.5 -0.1 0.8 0.3 -2.5 0.2 -0.3 0.7 3.5"


def line(time: object, pose: str = POSE) -> str:
    return f"{time} 0.5 0.9 0.51 0.49 0 0 {pose}"


def write_lines(path: Path, lines: list[str], end: str = "\n", start: bytes = b"") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(start + end.join([*lines, ""]).encode())
    return path


def frame_time(index: int, shift_us: int = 0) -> int:
    return round((index + START) * FRAME_US) + shift_us


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve() as running:
        running.pages["/a.mp4"] = Page(make_video(tmp_path / "src.mp4", frames=40, size=(128, 72)).read_bytes())
        yield running


def test_reads_what_it_writes(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    given = Cameras(
        "http://h/v", np.arange(5, dtype=np.int64) * 33367, rng.random((5, 4)), rng.normal(size=(5, 3, 4)) * 1e-7
    )
    write_cameras(tmp_path / "a.txt", given)
    read = read_camera_text(tmp_path / "a.txt")
    assert (read.faults, read.notes, read.cameras.url) == ((), (), "http://h/v")
    for name in ("timestamps_us", "intrinsics", "poses"):
        np.testing.assert_array_equal(getattr(read.cameras, name), getattr(given, name))


def test_plain_decimals_are_read_exactly_as_python_reads_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    words = [f"{v:.{d}f}" for v, d in zip(rng.normal(size=1200) * 100, rng.integers(0, 13, 1200), strict=True)]
    rows = [line(1000 * i, " ".join(words[12 * i : 12 * i + 12])) for i in range(100)]
    read = read_camera_text(write_lines(tmp_path / "a.txt", ["http://h/v", *rows]))
    assert read.cameras.poses.ravel().tolist() == [float(word) for word in words]


def test_malformed_lines_are_named_and_the_rest_is_used(tmp_path: Path) -> None:
    lines = [
        "http://h/v", line(100), line(200) + " 7", line(300).rsplit(" ", 1)[0], line(400).replace("0.9", "nan", 1),
        line(-5), line(100), "", line(500, POSE.replace("3.5", "inf")), line(600).replace("0.51", "x51"), line("7.5"),
        line(800, POSE.replace("3.5", "3.5e0")), line(700), line(900, POSE.replace("3.5", "-")),
    ]  # fmt: skip
    read = read_camera_text(write_lines(tmp_path / "a.txt", lines))
    assert read.cameras.timestamps_us.tolist() == [100, 700, 800]
    assert read.cameras.poses[2, 2, 3] == 3.5
    assert {fault.line: fault.problem for fault in read.faults} == {
        3: "20 columns, not 19",
        4: "18 columns, not 19",
        5: "nan or infinite value",
        6: "negative time",
        7: "time 100 is there twice",
        9: "nan or infinite value",
        10: "'x51' is not a number",
        11: "time is not a whole number of microseconds",
        14: "'-' is not a number",
    }
    assert read.notes == ("line 13: not in time order",)


def test_bom_and_crlf_are_noted_and_do_no_harm(tmp_path: Path) -> None:
    lines = ["http://h/v", line(100), line(200)]
    plain = read_camera_text(write_lines(tmp_path / "a.txt", lines))
    odd = read_camera_text(write_lines(tmp_path / "b.txt", lines, end="\r\n", start=b"\xef\xbb\xbf"))
    assert odd.cameras.url == "http://h/v"
    assert odd.cameras.timestamps_us.tolist() == plain.cameras.timestamps_us.tolist() == [100, 200]
    assert odd.faults == ()
    assert [note.split(": ")[0] for note in odd.notes] == ["line 1", "line 1"]


@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    assert read_camera_text(tmp_path / "a.txt").faults[0].problem == "empty file"


def test_a_folder_is_read_as_it_is_now(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_lines(tmp_path / f"{name}.txt", ["https://example.org/v.mp4", line(0)])
        found = read_index(tmp_path, AddressKeys(tmp_path))
    assert sorted(found.clips) == ["a", "b"]


def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("train/a", "test/b"):
        write_lines(tmp_path / f"{name}.txt", ["https://example.org/v.mp4", line(0)])
    scan = os.scandir

    def scandir(path: str) -> object:  # a mode of 0 keeps root out of nothing
        if Path(path) == tmp_path / "test":
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", scandir)
    cameras, failed = camera_entries(tmp_path, AddressKeys(tmp_path))
    assert [clip[0] for clip in cameras.inputs["clips"]] == ["a"]
    assert failed.kind == "failed"
    assert failed.inputs["failure"]["message"] == f"{tmp_path / 'test'} cannot be read (Permission denied)"


def test_nearest_frame_within_half_a_frame() -> None:
    frames = np.array([0, 33_367, 66_733, 100_100, 133_467])
    place, here = nearest_frames(np.array([900, 50_100, 99_100, 116_700, 150_000, 151_000]), frames)
    assert place.tolist() == [0, 2, 3, 3, 4, 4]
    # 116.7 ms is nearest to frame 3 too, but 99.1 ms is nearer; 150.0 ms is within half a frame, 151.0 ms is not
    assert here.tolist() == [True, True, True, False, True, False]


def test_rebuild(tmp_path: Path, server: Server) -> None:
    cameras = tmp_path / "acid"
    url = server.url("/a.mp4")
    write_lines(cameras / "train/aaaa.txt", [url, *(line(frame_time(i, 300)) for i in range(3, 9))])
    late = [line(frame_time(i)) for i in (36, 38)] + [line(frame_time(60)), line(frame_time(61)) + " 1"]
    write_lines(cameras / "test/bbbb.txt", [url, *late])
    write_lines(cameras / "test/cccc.txt", [url, line(frame_time(99)), line(frame_time(100))])
    write_lines(cameras / "validation/dddd.txt", [server.url("/gone.mp4"), line(0), line(100), line(50) + " 3"])
    write_lines(cameras / "train/eeee.txt", [])
    write_lines(cameras / "train/ffff.txt", ["file:///etc/passwd", line(0)])
    write_lines(cameras / "train/gggg.txt", ["/home/me/video.mp4", line(0)])
    root = tmp_path / "w"
    acquire(root, camera_files=cameras, inputs=[url], frames={"height_px": 36})
    found = tables(root)

    (video,) = found["videos"]
    assert server.hits("/a.mp4") == 1
    clips = {row["id"]: row for row in found["clips"]}
    assert {id: (row["split"], row["frame_count"]) for id, row in clips.items()} == {
        "aaaa": ("train", 6),
        "bbbb": ("test", 2),
    }
    given = read_cameras(root / clips["aaaa"]["camera_file"])
    assert clips["aaaa"]["camera_file"] == f"{video['camera_folder']}/aaaa.txt"
    assert given.timestamps_us.tolist() == [frame_time(i, 300) for i in range(3, 9)]
    assert given.poses[0].ravel().tolist() == [float(word) for word in POSE.split()]
    assert json.loads(clips["bbbb"]["measures"]) == {
        "listed": 4, "malformed_lines": 1, "missing_us": [frame_time(60)],
    }  # fmt: skip

    frames = sorted((root / video["path"]).parent.glob("frames/aaaa/*.png"), key=lambda file: int(file.stem))
    assert [int(file.stem) for file in frames] == [frame_time(i, 300) for i in range(3, 9)]
    grays = [cv2.imread(str(file)) for file in frames]
    assert grays[0].shape == (36, 64, 3)
    # the block in the corner tells which frame it is: 4 gray levels a frame, blurred by 2
    np.testing.assert_allclose([image[1:3, 1:3].mean() for image in grays], [4 * i for i in range(3, 9)], atol=2.4)

    errors = {row["id"]: row for row in found["errors"]}
    assert errors["dddd"]["kind"] == "removed"
    assert "404" in errors["dddd"]["message"]
    assert errors["cccc"]["kind"] == "format"
    assert "test/bbbb.txt:5: 20 columns" in errors["bbbb:5"]["message"]
    assert "validation/dddd.txt:4: 20 columns" in errors["dddd:4"]["message"]
    assert "train/eeee.txt:1: empty file" in errors["eeee"]["message"]
    assert "file: URL" in errors["ffff"]["message"]
    assert "train/gggg.txt:1" in errors["gggg"]["message"]
    assert len(errors) == 8  # and the dead video itself
    assert [row["reason"] for row in found["drops"]] == ["listed before"]

    coverage = json.loads((root / "acquire/coverage.json").read_text())
    assert coverage["splits"]["train"] == {"whole": 1, "partial": 0, "missing": 0}
    assert coverage["splits"]["test"] == {"whole": 0, "partial": 1, "missing": 1}
    assert coverage["splits"]["validation"] == {"whole": 0, "partial": 0, "missing": 1}
    with open(root / "acquire/coverage.csv") as file:
        lines = {row["clip"]: row for row in csv.DictReader(file)}
    assert len(lines) == 7
    assert lines["bbbb"]["missing_us"] == str(frame_time(60))
    assert "404" in lines["dddd"]["why"]


@pytest.mark.parametrize("kind", ["as filmed", "milliseconds", "uneven", "turned"])
def test_frames_are_found_by_time_whatever_the_container_does(tmp_path: Path, kind: str) -> None:
    """Times up to 1 ms off find their frames; times of frames that are not there find none."""
    there = list(range(40))
    arguments = {
        "as filmed": ["-c", "copy", "a.mp4"],
        "milliseconds": ["-c", "copy", "a.mkv"],
        "uneven": ["-vf", "select='not(between(n,5,8)+eq(n,20))'", "-fps_mode", "vfr", "-crf", "12", "a.mp4"],
        "turned": ["-c", "copy", "a.mp4"],
    }[kind]
    if kind == "uneven":
        there = [n for n in there if n not in (5, 6, 7, 8, 20)]
    make_video(tmp_path / "src.mp4", frames=40, size=(128, 72))
    before = ["-display_rotation", "90"] if kind == "turned" else []
    command = [ffmpeg_path(), "-loglevel", "error", *before, "-i", "src.mp4", *arguments]
    subprocess.run(command, cwd=tmp_path, check=True)
    start_us = frame_times(tmp_path / arguments[-1])[1][0] - frame_time(0)
    rng = np.random.default_rng(4)
    times = [frame_time(n, int(start_us + rng.integers(-1000, 1000))) for n in range(40)]
    with serve() as server:
        server.pages["/a"] = Page((tmp_path / arguments[-1]).read_bytes())
        write_lines(tmp_path / "acid/aaaa.txt", [server.url("/a"), *map(line, times)])
        acquire(tmp_path / "w", camera_files=tmp_path / "acid", frames={"height_px": 360})
    found = tables(tmp_path / "w")
    (video,), (clip,) = found["videos"], found["clips"]
    assert json.loads(clip["measures"])["missing_us"] == [times[n] for n in range(40) if n not in there]
    assert read_cameras(tmp_path / "w" / clip["camera_file"]).timestamps_us.tolist() == [times[n] for n in there]
    assert video["variable_frame_rate"] == (kind == "uneven")
    assert (clip["width"], clip["height"]) == ((72, 128) if kind == "turned" else (128, 72))
    folder = (tmp_path / "w" / video["path"]).parent / "frames/aaaa"
    images = [cv2.imread(str(folder / f"{times[n]}.png")) for n in there]
    assert {image.shape for image in images} == {(clip["height"], clip["width"], 3)}
    if kind == "turned":  # by 90 degrees to the left: the corner that tells the frame went from top left to bottom left
        images = [np.rot90(image, -1) for image in images]
    np.testing.assert_allclose([image[4:12, 4:12].mean() for image in images], [4 * n for n in there], atol=2.4)


def test_rerun_does_nothing_and_changes_nothing(tmp_path: Path, server: Server) -> None:
    write_lines(tmp_path / "acid/aaaa.txt", [server.url("/a.mp4"), line(frame_time(0)), line(frame_time(1))])
    root = tmp_path / "w"
    acquire(root, camera_files=tmp_path / "acid")
    before = tables(root)
    report = acquire(root, camera_files=tmp_path / "acid")
    assert report.ran == 0
    assert tables(root) == before
    assert before["clips"][0]["split"] == "train"


def test_fps_of_the_test_video(tmp_path: Path, server: Server) -> None:
    """The frame times that the tests above count with are those of the file."""
    _, times_us = frame_times(tmp_path / "src.mp4")
    assert times_us.tolist() == [frame_time(i) for i in range(40)]
