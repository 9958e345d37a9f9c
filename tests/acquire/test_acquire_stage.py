"""The stage end to end: every entry ends as a video, a drop with its reason, or an error with its kind."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest

from flythrough.acquire.config import AcquireConfig
from flythrough.acquire.report import report
from flythrough.acquire.stage import STAGE
from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.executor import LocalExecutor
from flythrough.workspace.files import read_json, sha256_of
from tests.acquire.acquire_world import acquire, ffmpeg, kinds, make_video, tables
from tests.acquire.http_server import Page, Server, serve


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


def test_a_good_file(films: Path, tmp_path: Path) -> None:
    acquire(tmp_path, inputs=[str(films / "good.mp4")])
    (row,) = tables(tmp_path)["videos"]
    data = (films / "good.mp4").read_bytes()
    assert row["sha256"] == hashlib.sha256(data).hexdigest()
    assert (row["bytes"], row["width"], row["height"], row["frame_count"]) == (len(data), 96, 64, 30)
    assert Fraction(row["fps_num"], row["fps_den"]) == Fraction(30000, 1001)
    assert row["duration_us"] == 1_001_000
    assert (row["rotation"], row["pixel_format"], row["variable_frame_rate"]) == (0, "yuv420p", False)
    assert not (tmp_path / row["path"]).samefile(films / "good.mp4")  # an edit in place must not reach it
    assert row["sha256"] in (tmp_path / "CITATIONS.md").read_text()
    assert read_json((tmp_path / row["path"]).with_name("provenance.json"))["file_name"] == "good.mp4"


def test_bad_input_is_an_error_for_that_item_alone(films: Path, tmp_path: Path) -> None:
    report = acquire(tmp_path / "w", inputs=[str(films), str(films / "missing.mp4"), str(tmp_path / "none")])
    found = tables(tmp_path / "w")
    assert [row["id"].rpartition("-")[0] for row in found["videos"]] == ["good"]
    by_name = {row["id"].rpartition("-")[0]: row for row in found["errors"]}
    assert {name: row["kind"] for name, row in by_name.items()} == {
        "truncated": "format", "empty": "format", "text": "format", "audio": "format", "missing": "input",
        "none": "input",
    }  # fmt: skip
    assert "no video stream" in by_name["audio"]["message"]
    assert all(row["remedy"] and "\n" not in row["message"] for row in found["errors"])
    assert report.tasks == 7 == report.done + report.failed


def test_files_that_are_none_and_names_that_are_no_text(films: Path, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    for name in (b"-o.mp4", b"new\nline.mp4", b"no\xfftext.mp4"):
        (folder / os.fsdecode(name)).write_bytes((films / "good.mp4").read_bytes())
    os.mkfifo(folder / "pipe.mp4")
    (folder / "broken.mp4").symlink_to("nowhere")
    (folder / "broken\nhere.mp4").symlink_to("nowhere")
    acquire(tmp_path / "w", inputs=[str(folder)])
    found = tables(tmp_path / "w")
    assert (len(found["videos"]), len(found["drops"])) == (1, 1)
    assert {row["kind"] for row in found["errors"]} == {"input"}
    assert not any("\n" in row["message"] for row in found["errors"])
    messages = "\n".join(row["message"] for row in found["errors"])
    assert messages.count("is not a file") == 3
    assert "has a name that is not UTF-8" in messages


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights(films: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    acquire(tmp_path / "w", inputs=[str(closed), str(films / "good.mp4")])
    assert len(tables(tmp_path / "w")["videos"]) == 1
    assert list(kinds(tmp_path / "w").values()) == ["input"]


def test_a_wrong_content_length(films: Path, tmp_path: Path, server: Server) -> None:
    """A server that announces too little sends a file without its end: no video, also where that would play."""
    data = (films / "good.mp4").read_bytes()
    server.pages["/a.mp4"] = Page(data, extra_length=-len(data) // 3)
    acquire(tmp_path, inputs=[server.url("/a.mp4")])
    (error,) = tables(tmp_path)["errors"]
    assert error["kind"] == "format"
    assert "is truncated" in error["message"]


def test_unfinished_downloads_go_on_and_finished_ones_are_kept(films: Path, tmp_path: Path, server: Server) -> None:
    data = (films / "good.mp4").read_bytes()
    server.pages["/a.mp4"] = Page(data, cut_at=0.6, cuts=99, statuses=[])
    one_try = {"download": {"attempts": 1, "backoff_s": 0, "private_hosts": ["127.0.0.1"]}}
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


def test_a_video_that_turned_out_broken_is_fetched_anew(films: Path, tmp_path: Path, server: Server) -> None:
    server.pages["/a.mp4"] = Page(b"no video at all" * 1000)
    acquire(tmp_path, inputs=[server.url("/a.mp4")])
    assert list(kinds(tmp_path).values()) == ["format"]
    server.pages["/a.mp4"] = Page((films / "good.mp4").read_bytes())
    acquire(tmp_path, inputs=[server.url("/a.mp4")], retry_errors=True)
    assert len(tables(tmp_path)["videos"]) == 1


def test_a_download_whose_pictures_do_not_decode_is_fetched_anew(
    films: Path, tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long video is decoded only in part until its pictures are hashed."""

    def broken(path: Path, start_us: int, duration_us: int) -> str:
        raise InputError(f"{path} has no frame here", remedy="Download it again")

    server.pages["/a.mp4"] = Page((films / "good.mp4").read_bytes())
    with monkeypatch.context() as patched:
        patched.setattr("flythrough.acquire.verify.examine.perceptual_hash", broken)
        acquire(tmp_path, inputs=[server.url("/a.mp4")])
    (error,) = tables(tmp_path)["errors"]
    assert (error["kind"], error["message"]) == ("format", f"{server.url('/a.mp4')} has no frame here")
    acquire(tmp_path, inputs=[server.url("/a.mp4")], retry_errors=True)
    assert len(tables(tmp_path)["videos"]) == 1
    assert server.hits("/a.mp4") == 2


def test_a_stopped_run_with_a_longer_list_has_no_report(films: Path, tmp_path: Path) -> None:
    acquire(tmp_path, inputs=[str(films / "good.mp4")])
    workspace = Workspace(tmp_path)
    assert report(workspace)[1]["entries"] == 1
    longer = AcquireConfig(inputs=(str(films / "good.mp4"), str(films / "missing.mp4")))
    list(STAGE.tasks(workspace, longer))  # listed, and stopped before the new one has an outcome
    with pytest.raises(InputError, match="has no finished acquire"):
        report(workspace)


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


@pytest.mark.parametrize("link", [False, True])
def test_an_edit_of_an_input_in_place_reaches_the_workspace_only_where_it_is_linked(tmp_path: Path, link: bool) -> None:
    film = make_video(tmp_path / "a.mp4")
    acquire(tmp_path / "w", inputs=[str(film)], link_inputs=link)
    (row,) = tables(tmp_path / "w")["videos"]
    with open(film, "r+b") as file:
        file.write(b"edited")
    assert (sha256_of(tmp_path / "w" / row["path"]) == row["sha256"]) is not link
