from __future__ import annotations

import subprocess
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flythrough.errors import FlythroughError, MissingDependency
from flythrough.media.video_reader import frames, microseconds, seek_frame
from flythrough.media.video_writer import VideoWriter, ffmpeg_path

RE_ENCODED = {
    "open.mp4": ["-c:v", "libx264", "-x264-params", "keyint=12:open-gop=1:bframes=3"],
    "stream.ts": ["-c:v", "libx264", "-g", "10", "-bf", "2", "-f", "mpegts"],
    "sparse.ts": ["-c:v", "libx264", "-g", "250", "-f", "mpegts"],
    "mpeg2.ts": ["-c:v", "mpeg2video", "-g", "60", "-bf", "2", "-f", "mpegts"],
    "mpeg4.ts": ["-c:v", "mpeg4", "-g", "60", "-f", "mpegts"],
    "program.mpg": ["-c:v", "mpeg2video", "-g", "60", "-bf", "2"],
    "late.mkv": ["-c:v", "libx264", "-g", "25", "-output_ts_offset", "7.3"],
    "packed.avi": ["-c:v", "mpeg4", "-g", "15"],
    "plain.y4m": ["-pix_fmt", "yuv420p"],
    "moving.gif": [],
}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    rows, columns = np.mgrid[0:48, 0:64]
    with VideoWriter(path, width=64, height=48, fps=Fraction(25)) as writer:
        for k in range(100):
            picture = np.stack([(rows * 5 + k * 2) % 256, (columns * 4 + k) % 256, np.full_like(rows, 2 * k)], -1)
            writer.write(picture.astype(np.uint8))
    return path


@pytest.mark.parametrize("name", ["film.mp4", *RE_ENCODED])
def test_a_piece_is_that_piece_of_the_whole(film: Path, tmp_path: Path, name: str) -> None:
    path = film
    if name in RE_ENCODED:
        path = tmp_path / name
        command = [ffmpeg_path(), "-loglevel", "error", "-i", str(film), *RE_ENCODED[name], str(path)]
        subprocess.run(command, check=True)
    whole = list(frames(path))
    assert len(whole) == 100
    first_us = whole[0].time_us
    for start, end in ((0, 3), (13, 14), (47, 60), (95, 100)):
        end_us = whole[end].time_us if end < 100 else None
        piece = list(frames(path, start_us=whole[start].time_us, end_us=end_us))
        assert [f.time_us for f in piece] == [f.time_us for f in whole[start:end]]
        for ours, other in zip(piece, whole[start:end], strict=True):
            np.testing.assert_array_equal(ours.image, other.image)
    assert [f.time_us for f in frames(path, start_us=first_us - 10_000_000)] == [f.time_us for f in whole]
    assert list(frames(path, start_us=whole[-1].time_us + 1_000_000)) == []
    for wanted in (0, 13, 58, 99):
        shown = seek_frame(path, whole[wanted].time_us + 1, width=64, height=48)
        np.testing.assert_array_equal(shown, whole[wanted].image)
    for outside_s, shown_there in ((-10, 0), (10, 99)):
        picture = seek_frame(path, whole[shown_there].time_us + outside_s * 10**6, width=64, height=48)
        np.testing.assert_array_equal(picture, whole[shown_there].image)


def test_a_late_piece_is_not_decoded_from_the_beginning(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import flythrough.media.video_reader as video

    decoded = []

    def counting(*arguments: object) -> object:
        for each in original(*arguments):
            decoded.append(each[1])
            yield each

    original = video.timed
    monkeypatch.setattr(video, "timed", counting)
    assert list(frames(film, start_us=3_900_000))
    assert len(decoded) < 50  # key frames are 48 apart


@given(st.integers(-(10**6), 10**15), st.fractions(Fraction(1, 10**7), 1))
@example(-3, Fraction(1, 2_000_000))
@example(5, Fraction(1, 2_000_000))
def test_microseconds_are_rounded_as_fractions_are(ticks: int, base: Fraction) -> None:
    assert microseconds(ticks, base) == round(ticks * base * 10**6)


def test_the_first_error_of_an_ffmpeg_that_died_is_the_one_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = tmp_path / "ffmpeg"
    dying.write_text("#!/bin/sh\necho the disk is full >&2\nexit 1\n")
    dying.chmod(0o755)
    monkeypatch.setenv("FLYTHROUGH_FFMPEG", str(dying))
    writer = VideoWriter(tmp_path / "film.mp4", width=640, height=480, fps=25)
    with pytest.raises(FlythroughError, match="the disk is full"), writer:
        writer.write(np.zeros((480, 640, 3), np.uint8))  # more than a pipe holds
    assert writer._process.stdin.closed
    assert writer._process.stderr.closed


def test_the_bundled_ffmpeg_is_used_unless_another_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "ffmpeg"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.delenv("FLYTHROUGH_FFMPEG", raising=False)
    assert ffmpeg_path() != str(other)
    monkeypatch.setenv("FLYTHROUGH_FFMPEG", str(other))
    assert ffmpeg_path() == str(other)
    monkeypatch.setenv("FLYTHROUGH_FFMPEG", str(tmp_path / "none"))
    with pytest.raises(MissingDependency, match="FLYTHROUGH_FFMPEG"):
        ffmpeg_path()
