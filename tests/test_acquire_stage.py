"""The stage end to end: every entry ends as a video, a drop with its reason, or an error with its kind."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from fractions import Fraction
from pathlib import Path

import pytest
from acquire_world import acquire, kinds, make_video, tables
from flythrough.acquire.budget import OverBudget, Purse
from flythrough.acquire.config import AcquireConfig, Budget
from flythrough.acquire.sources import entries
from flythrough.acquire.urls import url_id
from http_server import Page, Server, serve

from flythrough.catalog import Workspace
from flythrough.config import describe, load_config
from flythrough.errors import ConfigError, InputError
from flythrough.executor import LocalExecutor
from flythrough.video import OPTIONS, ffmpeg_path, open_video


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """good.mp4 and everything that can be wrong with one."""
    folder = tmp_path_factory.mktemp("films")
    good = make_video(folder / "good.mp4", seed=1)
    data = good.read_bytes()
    (folder / "truncated.mp4").write_bytes(data[: len(data) * 2 // 3])
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "text.mp4").write_text("This is a text.\n" * 50)
    ffmpeg(folder, "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", "audio.mp4")
    return folder


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def ffmpeg(folder: Path, *arguments: str) -> None:
    subprocess.run([ffmpeg_path(), "-loglevel", "error", "-y", *arguments], cwd=folder, check=True)


def test_a_good_file(films: Path, tmp_path: Path) -> None:
    acquire(tmp_path, inputs=[str(films / "good.mp4")])
    (row,) = tables(tmp_path)["videos"]
    data = (films / "good.mp4").read_bytes()
    assert row["sha256"] == hashlib.sha256(data).hexdigest()
    assert (row["bytes"], row["width"], row["height"], row["frame_count"]) == (len(data), 96, 64, 30)
    assert Fraction(row["fps_num"], row["fps_den"]) == Fraction(30000, 1001)
    assert row["duration_us"] == 1_001_000
    assert (row["rotation"], row["pixel_format"], row["variable_frame_rate"]) == (0, "yuv420p", False)
    assert (tmp_path / row["path"]).samefile(films / "good.mp4")  # a hard link
    assert row["sha256"] in (tmp_path / "CITATIONS.md").read_text()


def test_bad_input_is_an_error_for_that_item_alone(films: Path, tmp_path: Path) -> None:
    report = acquire(tmp_path / "w", inputs=[str(films), str(films / "missing.mp4"), str(tmp_path / "none")])
    found = tables(tmp_path / "w")
    assert [row["id"].rpartition("-")[0] for row in found["videos"]] == ["good"]
    by_name = {row["id"].rpartition("-")[0]: row for row in found["errors"]}
    assert {name: row["kind"] for name, row in by_name.items()} == {
        "truncated": "format", "empty": "format", "text": "format", "audio": "format", "missing": "input",
        "none": "input",
    }  # fmt: skip
    assert "no picture stream" in by_name["audio"]["message"]
    assert all(row["remedy"] and "\n" not in row["message"] for row in found["errors"])
    assert report.tasks == 7 == report.done + report.failed


def test_files_that_are_none_and_names_that_are_no_text(films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"-o.mp4", b"new\nline.mp4", b"no\xfftext.mp4"):
        (folder / os.fsdecode(name)).write_bytes((films / "good.mp4").read_bytes())
    os.mkfifo(folder / "pipe.mp4")
    (folder / "broken.mp4").symlink_to("nowhere")
    acquire(tmp_path / "w", inputs=[str(folder)])
    found = tables(tmp_path / "w")
    assert (len(found["videos"]), len(found["drops"])) == (1, 1)
    assert {row["kind"] for row in found["errors"]} == {"input"}
    messages = "\n".join(row["message"] for row in found["errors"])
    assert messages.count("is not a file") == 2
    assert "has a name that is no UTF-8" in messages


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights(films: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    acquire(tmp_path / "w", inputs=[str(closed), str(films / "good.mp4")])
    assert len(tables(tmp_path / "w")["videos"]) == 1
    assert list(kinds(tmp_path / "w").values()) == ["input"]


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi", "webm"])
def test_other_containers_and_their_truncation(films: Path, tmp_path: Path, suffix: str) -> None:
    codec = (
        ["-c:v", "libvpx", "-b:v", "200k", "-deadline", "realtime", "-cpu-used", "8"]
        if suffix == "webm"
        else ["-c:v", "mpeg4"]
    )
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


def test_lists_refuse_what_is_no_web_address(films: Path, tmp_path: Path, server: Server) -> None:
    server.pages["/ä b.mp4"] = server.pages["/%C3%A4%20b.mp4"] = Page((films / "good.mp4").read_bytes())
    lines = [
        "\ufeff# a comment", "", server.url("/%C3%A4%20b.mp4"), "file:///etc/passwd", "FILE:/etc/passwd", "/etc/passwd",
        "-o/tmp/x", "--exec=touch x", "ftp://h/v.mp4", "C:\\films\\a.mp4", "http://", "concat:a|b", "javascript:1",
        server.url("/gone.mp4"), server.url("/%C3%A4%20b.mp4"), "http://a b/", "../../x",
    ]  # fmt: skip
    (tmp_path / "list.txt").write_text("\r\n".join(lines), encoding="utf-8")
    report = acquire(tmp_path / "w", inputs=[str(tmp_path / "list.txt")])
    found = tables(tmp_path / "w")
    assert report.tasks == 15
    assert len(found["videos"]) + len(found["drops"]) + len(found["errors"]) == 15
    assert [row["reason"] for row in found["drops"]] == ["listed before"]
    refused = [row for row in found["errors"] if row["message"].endswith("refused")]
    assert len(refused) == 12
    assert all("list.txt:" in row["message"] for row in refused)
    assert [row["kind"] for row in found["errors"] if row not in refused] == ["removed"]
    assert server.hits("/%C3%A4%20b.mp4") == 1


def test_a_wrong_content_length(films: Path, tmp_path: Path, server: Server) -> None:
    """A server that announces too little sends a file without its end: no video, also where that would play."""
    data = (films / "good.mp4").read_bytes()
    server.pages["/a.mp4"] = Page(data, extra_length=-len(data) // 3)
    acquire(tmp_path, inputs=[server.url("/a.mp4")])
    (error,) = tables(tmp_path)["errors"]
    assert error["kind"] == "format"
    assert "cut short" in error["message"]


def test_csv_lists(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('name,url\n"one, two",http://h/1.mp4\nthree,http://h/2.mp4\nfour,\n')
    (tmp_path / "b.csv").write_text("http://h/3.mp4,x\n")
    config = AcquireConfig(inputs=(str(tmp_path / "a.csv"), str(tmp_path / "b.csv")))
    found = list(entries(Workspace(tmp_path), config))
    assert [entry.inputs.get("url") for entry in found] == ["http://h/1.mp4", "http://h/2.mp4", None, "http://h/3.mp4"]
    assert found[2].where == f"{tmp_path}/a.csv:4"


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=5s", "https://youtu.be/dQw4w9WgXcQ?si=x",
        "http://m.youtube.com/watch?list=PL1&v=dQw4w9WgXcQ", "https://www.youtube.com/shorts/dQw4w9WgXcQ",
        "https://www.youtube.com/embed/dQw4w9WgXcQ",
    ],
)  # fmt: skip
def test_one_id_for_the_spellings_of_a_youtube_address(url: str) -> None:
    assert url_id(url) == "youtube-dQw4w9WgXcQ"


@pytest.mark.parametrize("name", ["..%2F..%2Fx", "%2E%2E/%2E%2E/x", "-rf", "a" * 300, "%E6%B5%B7%00", ".hidden", "con"])
def test_hostile_names_make_harmless_ids(name: str) -> None:
    id = url_id(f"http://h/{name}.mp4")
    assert id.replace("-", "").isalnum()
    assert id[0] != "-"
    assert len(id) < 64


def test_unfinished_downloads_go_on_and_finished_ones_are_kept(films: Path, tmp_path: Path, server: Server) -> None:
    data = (films / "good.mp4").read_bytes()
    server.pages["/a.mp4"] = Page(data, cut_at=0.6, cuts=99, statuses=[])
    one_try = {"download": {"attempts": 1, "backoff_s": 0}}
    server.pages["/b.mp4"] = Page(data[:-1] + b"x")
    inputs = [server.url("/a.mp4"), server.url("/b.mp4")]
    acquire(tmp_path, inputs=inputs, **one_try)
    assert list(kinds(tmp_path).values()) == ["network"]
    server.pages["/a.mp4"] = Page(data)
    acquire(tmp_path, inputs=inputs, **one_try)
    assert list(kinds(tmp_path).values()) == ["network"]  # errors are tried again only when asked
    acquire(tmp_path, inputs=inputs, retry_errors=True, **one_try)
    assert len(tables(tmp_path)["videos"]) == 1  # b has the same pictures
    assert server.sent["/a.mp4"] == len(data)
    changed = {**one_try, "verify": {"full_decode_max_s": 0}}  # another key: examined again, not fetched again
    acquire(tmp_path, inputs=inputs, **changed)
    assert server.hits("/b.mp4") == 1


def test_a_changed_setting_runs_again_only_what_it_touches(films: Path, tmp_path: Path, server: Server) -> None:
    server.pages["/a.mp4"] = Page((films / "good.mp4").read_bytes())
    inputs = [str(films / "good.mp4"), server.url("/a.mp4")]
    changes: list[tuple[dict[str, object], int]] = [
        ({}, 2),
        ({"download": {"per_host": 1}}, 0),  # how it is fetched
        ({"rules": {"skip_words": ["storm"]}}, 0),  # rules for what is found by searches
        ({"rules": {"uploaded_from": "2020-01-01"}}, 1),  # for every URL
        ({"budget": {"videos": 9}}, 1),  # for what is fetched
        ({"verify": {"full_decode_max_s": 0}}, 2),
        ({"verify": {"duplicate_bits": 3}}, 0),  # a rule over all videos, applied in every run
        ({"frames": {"height_px": 90}}, 0),  # for camera files
        ({}, 0),
    ]
    for settings, ran in changes:
        assert acquire(tmp_path / "w", inputs=inputs, **settings).ran == ran
    assert server.hits("/a.mp4") == 1


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("rules.uploaded_from=2020-13-01", r"uploaded_from = '2020-13-01' is refused"),
        ("rules.uploaded_to=soon", r"uploaded_to = 'soon' is refused"),
        ("rules={uploaded_from=2021-01-01, uploaded_to=2020-01-01}", "uploaded_from is after uploaded_to"),
        ("rules.max_duration_s=1", "min_duration_s is above max_duration_s"),
        ('sources=[{kind="channel"}]', "needs a location"),
    ],
)
def test_impossible_settings_are_refused(tmp_path: Path, setting: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_config(tmp_path / "none.toml", [f"acquire.{setting}"])


def test_days_are_written_as_anybody_would(tmp_path: Path) -> None:
    config = load_config(tmp_path / "none.toml", ["acquire.rules.uploaded_from=2020-01-31"])
    again = tmp_path / "flythrough.toml"
    again.write_text(describe(config))
    assert load_config(again, [])["acquire"].rules.uploaded_from == date(2020, 1, 31)


def test_a_video_that_turned_out_broken_is_fetched_anew(films: Path, tmp_path: Path, server: Server) -> None:
    server.pages["/a.mp4"] = Page(b"no video at all" * 1000)
    acquire(tmp_path, inputs=[server.url("/a.mp4")])
    assert list(kinds(tmp_path).values()) == ["format"]
    server.pages["/a.mp4"] = Page((films / "good.mp4").read_bytes())
    acquire(tmp_path, inputs=[server.url("/a.mp4")], retry_errors=True)
    assert len(tables(tmp_path)["videos"]) == 1


@pytest.mark.parametrize(
    ("budget", "reason"),
    [({"videos": 2}, "budget: videos"), ({"gigabytes": 2.5e-5}, "budget: bytes"), ({"hours": 1e-9}, "budget: hours")],
)
def test_budget(tmp_path: Path, server: Server, budget: dict[str, float], reason: str) -> None:
    inputs = []
    for seed in range(4):
        data = make_video(tmp_path / "src.mp4", seed=seed, frames=12).read_bytes()
        server.pages[f"/{seed}.mp4"] = Page(data + b"\x00\x00\x27\x10free" + bytes(9992))  # 10 kB to spend
        inputs.append(server.url(f"/{seed}.mp4"))
    acquire(tmp_path / "w", inputs=inputs, budget=budget)
    found = tables(tmp_path / "w")
    assert {row["reason"] for row in found["drops"]} == {reason}
    assert len(found["videos"]) + len(found["drops"]) == 4
    assert 1 <= len(found["videos"]) <= 2
    acquire(tmp_path / "w", inputs=inputs)
    assert len(tables(tmp_path / "w")["videos"]) == 4
    assert all(server.hits(f"/{seed}.mp4") <= 2 for seed in range(4))


def test_the_budget_counts_what_was_not_announced_and_what_was_fetched_in_vain(tmp_path: Path, server: Server) -> None:
    inputs = []
    for seed in range(4):
        size = (64, 96) if seed == 0 else (96, 64)
        data = make_video(tmp_path / "src.mp4", seed=seed, frames=12, size=size).read_bytes()
        data += (10**6).to_bytes(4, "big") + b"free" + bytes(10**6 - 8)
        server.pages[f"/{seed}.mp4"] = Page(data, chunked=True)  # without a Content-Length
        inputs.append(server.url(f"/{seed}.mp4"))
    rules = {"apply_to": "all", "min_duration_s": 0, "min_width_px": 0, "min_height_px": 0}
    acquire(tmp_path / "w", inputs=inputs, rules=rules, budget={"gigabytes": 2.5e-3})
    found = tables(tmp_path / "w")
    assert [row["reason"] for row in found["drops"]] == ["not landscape", "budget: bytes"]  # at 1, 2 and 3 megabytes
    assert len(found["videos"]) == 2
    acquire(tmp_path / "w2", inputs=inputs, rules=rules, budget={"videos": 2})
    assert [row["reason"] for row in tables(tmp_path / "w2")["drops"]] == ["not landscape", "budget: videos"]


def test_workers_do_not_overspend_the_budget_together(tmp_path: Path) -> None:
    def spend(n: int) -> bool:
        try:
            Purse(tmp_path, Budget(videos=5)).spend(f"v{n}", 1000, 10)
        except OverBudget:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(spend, range(40))) == 5


def test_nothing_to_acquire_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing to acquire.*--input"):
        acquire(tmp_path)


def test_a_movie_that_refers_to_another_file_reads_only_itself(films: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.mov"
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
    path = str(target).encode() + b" " * (len(str(target)) % 2)
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


def test_tables_are_the_same_from_worker_processes(films: Path, tmp_path: Path, server: Server) -> None:
    data = (films / "good.mp4").read_bytes()
    for n in range(6):
        server.pages[f"/{n}.mp4"] = Page(data[:-1] + bytes([n]))
    inputs = [*(server.url(f"/{n}.mp4") for n in range(6)), str(films), server.url("/gone.mp4")]
    acquire(tmp_path / "one", inputs=inputs)
    acquire(tmp_path / "many", inputs=inputs, executor=LocalExecutor(workers=2))
    for name in ("drops", "errors"):
        assert (tmp_path / "one" / f"{name}.parquet").read_bytes() == (
            tmp_path / "many" / f"{name}.parquet"
        ).read_bytes()
    one, many = ({row["id"]: {**row, "fetched": ""} for row in tables(tmp_path / w)["videos"]} for w in ("one", "many"))
    assert one == many
