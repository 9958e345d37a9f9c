"""What was asked for: lists, addresses, settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from flythrough.acquire.config import AcquireConfig
from flythrough.acquire.rules import UploadDay
from flythrough.acquire.sources.expand import entries
from flythrough.acquire.urls import url_id
from flythrough.errors import ConfigError, InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import describe, load_config
from tests.acquire.acquire_world import acquire, make_video, tables
from tests.acquire.http_server import Page, Server, serve


@pytest.fixture
def server() -> Iterator[Server]:
    with serve() as running:
        yield running


def test_lists_refuse_what_is_no_web_address(tmp_path: Path, server: Server) -> None:
    server.pages["/ä b.mp4"] = server.pages["/%C3%A4%20b.mp4"] = Page(make_video(tmp_path / "a.mp4").read_bytes())
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


def test_csv_lists(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('name,url\n"one, two",http://h/1.mp4\nthree,http://h/2.mp4\nfour,\n')
    (tmp_path / "b.csv").write_text("http://h/3.mp4,x\n")
    config = AcquireConfig(inputs=(str(tmp_path / "a.csv"), str(tmp_path / "b.csv")))
    found = list(entries(Workspace(tmp_path), config))
    assert [entry.inputs.get("url") for entry in found] == ["http://h/1.mp4", "http://h/2.mp4", None, "http://h/3.mp4"]
    assert found[2].where == f"{tmp_path}/a.csv:4"


@pytest.mark.parametrize(
    ("text", "said"),
    [(b"", "lists nothing"), (b"# only a comment\n\n", "lists nothing"), (b"http://h/\xff.mp4\n", "not UTF-8")],
)
def test_lists_that_cannot_be_used_say_why(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "a.txt").write_bytes(text)
    (only,) = entries(Workspace(tmp_path), AcquireConfig(inputs=(str(tmp_path / "a.txt"),)))
    assert only.kind == "failed"
    assert said in only.inputs["failure"]["message"]
    assert only.inputs["failure"]["remedy"]
    assert only.source == ""


@pytest.mark.parametrize("rest", ['"http://h/2.mp4\n' + "x" * 140_000, "http://h/2.mp4\rhttp://h/3.mp4\n"])
def test_a_csv_file_that_breaks_off_keeps_what_stands_before(tmp_path: Path, rest: str) -> None:
    (tmp_path / "a.csv").write_bytes(f"url\nhttp://h/1.mp4\n{rest}".encode())
    *read, last = entries(Workspace(tmp_path), AcquireConfig(inputs=(str(tmp_path / "a.csv"),)))
    assert read[0].inputs["url"] == "http://h/1.mp4"
    assert last.kind == "failed"
    assert f"is not CSV after {len(read)} URLs" in last.inputs["failure"]["message"]


def test_a_list_that_is_missing_fails_by_itself(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("http://h/1.mp4\n")
    asked = (str(tmp_path / "gone.txt"), str(tmp_path / "a.txt"))
    gone, listed = entries(Workspace(tmp_path), AcquireConfig(inputs=asked))
    assert (gone.kind, listed.kind) == ("failed", "url")
    assert "gone.txt cannot be read (No such file" in gone.inputs["failure"]["message"]


def test_names_that_are_not_text_and_pipes_wait_for_nobody(tmp_path: Path) -> None:
    folder = os.fsencode(tmp_path) + b"/films"
    os.mkdir(folder)
    Path(os.fsdecode(folder + b"/caf\xe9.mp4")).write_bytes(b"x")
    os.mkfifo(folder + b"/pipe.mp4")
    named, pipe = entries(Workspace(tmp_path / "w"), AcquireConfig(inputs=(os.fsdecode(folder),)))
    assert "not UTF-8" in named.inputs["failure"]["message"]
    assert "udce9" in named.inputs["failure"]["message"]
    assert (pipe.kind, pipe.inputs["fingerprint"]) == ("file", None)


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
    assert load_config(again, [])["acquire"].rules[UploadDay].uploaded_from == date(2020, 1, 31)


def test_nothing_to_acquire_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing to acquire.*--input"):
        acquire(tmp_path)
