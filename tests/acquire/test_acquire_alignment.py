"""Clips whose frames were hashed are found in other copies of their video, and in no other video."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from flythrough.acquire.alignment import Copy, align
from flythrough.errors import InputError
from flythrough.media.frame_hashes import FrameHashes, hashes_file, read_frame_hashes, write_frame_hashes
from flythrough.media.perceptual_hash import to_hex
from flythrough.media.video_reader import frame_times
from flythrough.media.video_writer import VideoWriter
from flythrough.scene.cameras import read_cameras
from tests.acquire.acquire_world import FPS, acquire, tables
from tests.acquire.http_server import Page, Server, serve
from tests.acquire.test_acquire_cameras import line, write_lines

WHOLE = (0.0, 0.0, 1.0, 1.0)
FIRST, LAST = 40, 110  # the clip's frames


def views(seed: int, frames: int = 150) -> list[np.ndarray]:
    """A flight over a large random picture: it grows and turns."""
    ground = cv2.resize(np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8), (480, 480))
    found = []
    for index in range(frames):
        view = cv2.getRotationMatrix2D((240, 240), 2 * index, 0.5 + index / 150)
        view[:, 2] += [64 - 240, 48 - 240]
        found.append(cv2.warpAffine(ground, view, (128, 96), borderMode=cv2.BORDER_REFLECT))
    return found


def film(path: Path, images: list[np.ndarray], fps: Fraction = FPS, crf: int = 16) -> Path:
    height, width, _ = images[0].shape
    with VideoWriter(path, width=width, height=height, fps=fps, crf=crf) as writer:
        for image in images:
            writer.write(image)
    return path


@pytest.fixture(scope="module")
def original() -> list[np.ndarray]:
    return views(seed=1)


@pytest.fixture(scope="module")
def video(original: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("film") / "a.mp4", original)


@pytest.fixture(scope="module")
def clip(video: Path) -> FrameHashes:
    times_s, hashes = Copy(video).hashes(WHOLE)
    part = slice(FIRST, LAST)
    return FrameHashes(WHOLE, np.round(times_s[part] * 1e6).astype(np.int64), hashes[part])


Change = Callable[[list[np.ndarray]], list[np.ndarray]]
COPIES: dict[str, tuple[Change, Fraction, int, float]] = {  # and by how many frames later, and the rate
    "coded again at half size": (lambda images: [cv2.resize(each, (64, 48)) for each in images], FPS, 0, 1.0),
    "trimmed": (lambda images: images[15:], FPS, -15, 1.0),
    "cut within the clip": (lambda images: images[60:], FPS, -60, 1.0),
    "with a title before it": (lambda images: [np.zeros_like(images[0])] * 75 + images, FPS, 75, 1.0),
    "at 25 for 24 frames a second": (lambda images: images, FPS * Fraction(25, 24), 0, 0.96),
    "brighter": (lambda images: [cv2.convertScaleAbs(each, alpha=0.8, beta=40) for each in images], FPS, 0, 1.0),
}


@pytest.mark.parametrize("change", COPIES)
def test_a_clip_is_found_in_copies_of_its_video(
    original: list[np.ndarray], clip: FrameHashes, tmp_path: Path, change: str
) -> None:
    changed, fps, later, rate = COPIES[change]
    copy = Copy(film(tmp_path / "copy.mp4", changed(original), fps, crf=28))
    found = align(clip, copy)
    places = np.arange(FIRST, LAST) + later
    here = places >= 0
    expected = copy.hashes(WHOLE)[0][places[here]]
    assert np.abs(found.times_us(clip.times_us)[here] / 1e6 - expected).max() <= 0.5 / float(fps)
    assert found.rate == pytest.approx(rate, abs=0.004)
    assert found.matched == pytest.approx(here.mean(), abs=0.02)
    assert found.rival_bits is not None
    assert found.rival_bits > found.bits + 8


@pytest.mark.parametrize("change", ["mirrored", "reversed"])
def test_a_clip_is_not_found_in_what_shows_it_another_way(
    original: list[np.ndarray], clip: FrameHashes, tmp_path: Path, change: str
) -> None:
    images = original[::-1] if change == "reversed" else [each[:, ::-1].copy() for each in original]
    with pytest.raises(InputError, match="not in the video"):
        align(clip, Copy(film(tmp_path / "copy.mp4", images)))


def test_a_clip_is_not_found_in_another_video(clip: FrameHashes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not in the video"):
        align(clip, Copy(film(tmp_path / "b.mp4", views(seed=2))))


def test_a_video_of_one_frame_has_no_clip(original: list[np.ndarray], clip: FrameHashes, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="single frame"):
        align(clip, Copy(film(tmp_path / "one.mp4", original[:1])))


def test_frames_far_apart_cost_no_memory(video: Path, clip: FrameHashes, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Copy(video)
    times_s, hashes = copy.hashes(WHOLE)
    monkeypatch.setattr(copy, "hashes", lambda box: (np.append(times_s * 1e-5, 1e6), np.append(hashes, hashes[:1])))
    with pytest.raises(InputError, match="not in the video"):
        align(clip, copy)


def test_times_stay_as_they_are_where_nothing_moved(video: Path, clip: FrameHashes) -> None:
    found = align(clip, Copy(video))
    assert (found.offset_s, found.rate, found.bits, found.matched) == (0.0, 1.0, 0.0, 1.0)


BROKEN = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "more times than hashes": b'{"box": [0, 0, 1, 1], "times_us": [1, 2], "hashes": ["0123456789abcdef"]}',
    "times out of order": b'{"box": [0, 0, 1, 1], "times_us": [2, 1], "hashes": ["%b", "%b"]}' % (b"0" * 16, b"0" * 16),
    "no hash": b'{"box": [0, 0, 1, 1], "times_us": [1], "hashes": ["0123456789ABCDEF"]}',
    "an empty box": b'{"box": [1, 0, 0, 1], "times_us": [1], "hashes": ["0123456789abcdef"]}',
    "a box beyond the picture": b'{"box": [0, 0, 2, 1], "times_us": [1], "hashes": ["0123456789abcdef"]}',
    "NaN": b'{"box": [NaN, 0, 1, 1], "times_us": [1], "hashes": ["0123456789abcdef"]}',
    "a time as text": b'{"box": [0, 0, 1, 1], "times_us": ["1"], "hashes": ["0123456789abcdef"]}',
    "too much": b" " * (16 * 2**20 + 1),
}


@pytest.mark.parametrize("what", BROKEN)
def test_broken_hashes_are_refused_in_one_line(tmp_path: Path, what: str) -> None:
    (tmp_path / "a.hashes.json").write_bytes(BROKEN[what])
    with pytest.raises(InputError, match=r"^[^\n]*a\.hashes\.json[^\n]*$"):
        read_frame_hashes(tmp_path / "a.hashes.json")


def test_hashes_are_read_as_they_were_written(tmp_path: Path, clip: FrameHashes) -> None:
    write_frame_hashes(tmp_path / "a.hashes.json", (0.0, 0.25, 1.0, 0.75), clip.times_us, clip.hashes.tolist())
    found = read_frame_hashes(tmp_path / "a.hashes.json")
    assert found.box == (0.0, 0.25, 1.0, 0.75)
    assert np.array_equal(found.times_us, clip.times_us)
    assert [to_hex(int(each)) for each in found.hashes] == [to_hex(int(each)) for each in clip.hashes]


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def test_a_clip_is_rebuilt_from_a_trimmed_copy(
    original: list[np.ndarray], clip: FrameHashes, server: Server, tmp_path: Path
) -> None:
    copy = film(tmp_path / "copy.mp4", original[15:], crf=26)
    server.pages["/a.mp4"] = Page(copy.read_bytes())
    times = clip.times_us.tolist()
    for key, hashes in {"known": clip.hashes, "other": ~clip.hashes, "torn": None, "plain": None}.items():
        file = write_lines(tmp_path / f"index/train/{key}.txt", [server.url("/a.mp4"), *map(line, times)])
        if hashes is not None:
            write_frame_hashes(hashes_file(file), WHOLE, times, hashes.tolist())
    hashes_file(tmp_path / "index/train/torn.txt").write_text("{")
    root = tmp_path / "w"
    acquire(root, camera_files=tmp_path / "index", frames={"height_px": 48})
    found = tables(root)
    clips = {row["id"]: row for row in found["clips"]}
    assert sorted(clips) == ["known", "plain"]
    moved = read_cameras(root / clips["known"]["camera_file"])
    assert len(moved) == len(times)
    assert np.abs(moved.timestamps_us - frame_times(copy)[1][FIRST - 15 : LAST - 15]).max() <= 0.5e6 / float(FPS)
    assert np.array_equal(moved.poses, read_cameras(tmp_path / "index/train/known.txt").poses)
    assert {row["id"]: row["message"].split(": ", 1)[1][:20] for row in found["errors"]} == {
        "other": "its frames are not i",
        "torn": str(hashes_file(tmp_path / "index/train/torn.txt"))[:20],
    }
    with open(root / "acquire" / "coverage.csv", encoding="utf-8") as file:
        lines = {row["clip"]: row for row in csv.DictReader(file)}
    assert float(lines["known"]["certainty"]) == 1.0
    assert float(lines["known"]["offset_s"]) == pytest.approx(-0.5, abs=0.02)
    # Without hashes its times are trusted: wrongly, here.
    assert (lines["plain"]["certainty"], lines["plain"]["state"]) == ("", "whole")
    assert (lines["other"]["state"], lines["torn"]["state"]) == ("missing", "missing")
    assert json.loads(clips["known"]["measures"])["alignment"]["rate"] == 1.0
