"""What is in a file: containers, damage, rotation, HDR, likeness, and files that pretend to be videos."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from flythrough.acquire.config import Verify
from flythrough.acquire.failures import FetchError
from flythrough.acquire.verify.integrity import check_readable, verify
from flythrough.errors import InputError
from flythrough.media.video_reader import OPTIONS, open_video
from flythrough.media.video_writer import ffmpeg_path
from tests.acquire.acquire_world import acquire, ffmpeg, kinds, make_video, tables
from tests.acquire.http_server import Server, serve


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good.mp4, and truncated.mp4, which is its beginning."""
    folder = tmp_path_factory.mktemp("films")
    data = make_video(folder / "good.mp4", seed=1).read_bytes()
    (folder / "truncated.mp4").write_bytes(data[: len(data) * 2 // 3])
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


CODECS = {
    "webm": ["-c:v", "libvpx", "-b:v", "200k", "-deadline", "realtime", "-cpu-used", "8"],
    "m2ts": ["-c:v", "libx264", "-g", "250"],  # key frames far apart, and no index
}


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi", *CODECS])
def test_other_containers_and_their_truncation(films: Path, tmp_path: Path, suffix: str) -> None:
    codec = CODECS.get(suffix, ["-c:v", "mpeg4"])
    ffmpeg(tmp_path, "-stream_loop", "9", "-i", str(films / "good.mp4"), *codec, f"a.{suffix}")
    data = (tmp_path / f"a.{suffix}").read_bytes()
    acquire(tmp_path / "w", inputs=[str(tmp_path / f"a.{suffix}")])
    (row,) = tables(tmp_path / "w")["videos"]
    assert abs(row["frame_count"] - 300) <= 1
    if suffix in ("mkv", "webm"):
        (tmp_path / f"cut.{suffix}").write_bytes(data[: len(data) // 2])
        acquire(tmp_path / "w2", inputs=[str(tmp_path / f"cut.{suffix}")])
        assert list(kinds(tmp_path / "w2").values()) == ["format"]


def test_rotation_and_variable_frame_rate(films: Path, tmp_path: Path) -> None:
    ffmpeg(tmp_path, "-display_rotation", "90", "-i", str(films / "good.mp4"), "-c", "copy", "turned.mp4")
    drop_some = "select='not(between(n,5,8))'"
    ffmpeg(tmp_path, "-i", str(films / "good.mp4"), "-vf", drop_some, "-fps_mode", "vfr", "uneven.mp4")
    acquire(tmp_path / "w", inputs=[str(tmp_path / "turned.mp4"), str(tmp_path / "uneven.mp4")])
    found = {row["id"].rpartition("-")[0]: row for row in tables(tmp_path / "w")["videos"]}
    assert (found["turned"]["width"], found["turned"]["height"]) == (64, 96)
    assert found["turned"]["rotation"] in (90, 270)
    assert (found["uneven"]["variable_frame_rate"], found["uneven"]["frame_count"]) == (True, 26)


def test_long_videos_are_verified_by_key_frames_with_the_same_facts(films: Path, tmp_path: Path) -> None:
    acquire(tmp_path / "full", inputs=[str(films / "good.mp4")])
    acquire(tmp_path / "quick", inputs=[str(films / "good.mp4")], verify={"full_decode_max_s": 0})
    (full,), (quick,) = tables(tmp_path / "full")["videos"], tables(tmp_path / "quick")["videos"]
    assert {**full, "path": ""} == {**quick, "path": ""}
    acquire(tmp_path / "cut", inputs=[str(films / "truncated.mp4")], verify={"full_decode_max_s": 0})
    assert list(kinds(tmp_path / "cut").values()) == ["format"]


def test_damaged_frames_are_found(films: Path, tmp_path: Path) -> None:
    data = bytearray((films / "good.mp4").read_bytes())
    mdat = data.index(b"mdat")
    for at in range(mdat + 1500, mdat + 2500):
        data[at] ^= 0x5A
    (tmp_path / "a.mp4").write_bytes(data)
    acquire(tmp_path / "w", inputs=[str(tmp_path / "a.mp4")])
    assert list(kinds(tmp_path / "w").values()) == ["format"]


def test_hdr_is_refused_or_tone_mapped(films: Path, tmp_path: Path) -> None:
    ffmpeg(
        tmp_path, "-i", str(films / "good.mp4"), "-vf", "setparams=color_trc=smpte2084:color_primaries=bt2020:"
        "colorspace=bt2020nc", "-c:v", "libx264", "-pix_fmt", "yuv420p10le", "hdr.mp4",
    )  # fmt: skip
    acquire(tmp_path / "w", inputs=[str(tmp_path / "hdr.mp4")])
    assert [row["reason"] for row in tables(tmp_path / "w")["drops"]] == ["hdr"]
    acquire(tmp_path / "w", inputs=[str(tmp_path / "hdr.mp4")], verify={"hdr": "tonemap"})
    (row,) = tables(tmp_path / "w")["videos"]
    assert (row["pixel_format"], row["color_transfer"], row["frame_count"]) == ("yuv420p", "bt709", 30)
    assert "smpte2084 to bt709" in row["tools"]


def test_duplicates_point_to_the_better_one(films: Path, tmp_path: Path) -> None:
    workspace_inside = tmp_path / "w"  # a workspace inside the input is no input
    ffmpeg(tmp_path, "-i", str(films / "good.mp4"), "-vf", "scale=64:44", "-crf", "30", "small.mp4")
    (tmp_path / "copy.mp4").write_bytes((films / "good.mp4").read_bytes())
    make_video(tmp_path / "other.mp4", seed=2)
    acquire(workspace_inside, inputs=[str(tmp_path)])
    acquire(workspace_inside, inputs=[str(tmp_path), str(films / "good.mp4")])
    found = tables(workspace_inside)
    assert [row["id"].rpartition("-")[0] for row in found["videos"]] == ["copy", "other"]
    best = found["videos"][0]["id"]
    reasons = {row["id"].rpartition("-")[0]: (row["reason"], row["values"]) for row in found["drops"]}
    assert reasons == {
        "small": ("same pictures", f'{{"of": "{best}"}}'),
        "good": ("same file", f'{{"of": "{best}"}}'),
    }


def test_a_movie_that_refers_to_another_file_reads_only_itself(films: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mov"
    if len(str(secret)) % 2:  # an alias is padded to an even length, and libav keeps the padding as part of the name
        secret = tmp_path / "secrets.mov"
    ffmpeg(tmp_path, "-i", str(films / "good.mp4"), "-c", "copy", str(secret))
    (tmp_path / "sly.mov").write_bytes(without_pictures(secret.read_bytes(), secret))
    acquire(tmp_path / "w", inputs=[str(tmp_path / "sly.mov")])
    assert list(kinds(tmp_path / "w").values()) == ["format"]
    # It does refer to the other file: whoever lets libav follow references gets all pictures from it.
    options = ["-xerror", "-enable_drefs", "1", "-use_absolute_path", "1"]
    ffmpeg(tmp_path, *options, "-i", "sly.mov", "out.mp4")
    with open_video(tmp_path / "out.mp4") as (_, stream):
        assert stream.frames == 30


def without_pictures(movie: bytes, target: Path) -> bytes:
    """A QuickTime movie whose pictures are zeros, and whose index says (box ``dref``) that they are in ``target``."""
    path = str(target).encode()
    assert len(path) % 2 == 0
    alias = bytes(150) + b"\x00\x02" + len(path).to_bytes(2, "big") + path + b"\xff\xff\x00\x00"
    entry = (12 + len(alias)).to_bytes(4, "big") + b"alis\x00\x00\x00\x00" + alias
    data, index = bytearray(movie), movie.rindex(b"moov")
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):  # each holds the next
        at = movie.index(name, index) - 4
        data[at : at + 4] = (int.from_bytes(data[at : at + 4], "big") + len(entry) - 12).to_bytes(4, "big")
    data[at + 16 : at + 28] = entry  # in place of the entry that says: in this file
    pictures = movie.index(b"mdat") + 4
    data[pictures : index - 4] = bytes(index - 4 - pictures)
    return bytes(data)


def test_playlists_in_disguise_read_nothing(tmp_path: Path, server: Server) -> None:
    secret = tmp_path / "secret.mp4"
    make_video(secret, frames=12)
    texts = {
        "m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n",
        "web": f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{server.url('/x.ts')}\n#EXT-X-ENDLIST\n",
        "concat": f"ffconcat version 1.0\nfile '{secret}'\n",
        "dash": f'<?xml version="1.0"?><MPD><Period><AdaptationSet><Representation><BaseURL>file://{secret}</BaseURL>'
        "</Representation></AdaptationSet></Period></MPD>",
        "sdp": f"v=0\nc=IN IP4 127.0.0.1\nm=video {server.httpd.server_port} RTP/AVP 96\n",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.mp4").write_text(text)
    acquire(tmp_path / "w", inputs=[str(tmp_path / f"{name}.mp4") for name in texts])
    assert list(kinds(tmp_path / "w").values()) == ["format"] * len(texts)
    options = [word for name, value in OPTIONS.items() for word in (f"-{name}", value)]
    for name in texts:
        command = [ffmpeg_path(), "-loglevel", "error", *options, "-i", f"{name}.mp4", "-f", "null", "-"]
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0
    assert server.requests == []
    with open_video(secret) as (_, stream):
        assert stream.width == 96


def test_what_cannot_be_opened_says_why(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    for path, said in ((tmp_path / "gone.mp4", "does not exist"), (tmp_path, "is not a file")):
        with pytest.raises(InputError, match=said):
            check_readable(path)
    with pytest.raises(FetchError, match="is empty"):
        check_readable(tmp_path / "empty.mp4")


@pytest.mark.parametrize(
    "tail",
    [
        b"\x00\x00\x00\x04mdat",  # a box shorter than its own head
        b"\x00\x00\x00\x01mdat\x00\x00\x00\x01",  # a long box whose length is cut off
        b"\x00\x00\x00\x01mdat" + (1 << 40).to_bytes(8, "big"),  # a long box beyond the file
        b"\x00\x00",
    ],
)
def test_boxes_that_cannot_be_are_a_truncated_file(films: Path, tmp_path: Path, tail: bytes) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes((films / "good.mp4").read_bytes() + tail)
    with pytest.raises(FetchError, match="truncated"):
        verify(path, "a.mp4", Verify())


def test_a_last_box_may_reach_to_the_end_of_the_file(films: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes((films / "good.mp4").read_bytes() + b"\x00\x00\x00\x00free" + bytes(40))
    assert verify(path, "a.mp4", Verify()).frame_count > 0
