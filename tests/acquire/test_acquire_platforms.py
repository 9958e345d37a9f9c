"""Platforms: a made-up one, known to yt-dlp through an extractor of its own, served from loopback."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flythrough.acquire.config import SEARCH_WORDS, Download
from flythrough.acquire.failures import KINDS
from flythrough.acquire.fetch import platforms
from flythrough.acquire.fetch.platform_failures import failure_of
from flythrough.acquire.rules import Candidate, Rejected, Rules, check, for_listed, has_word
from tests.acquire.acquire_world import acquire, kinds, make_video, tables
from tests.acquire.http_server import Page, Server, serve

yt_dlp = pytest.importorskip("yt_dlp")
from yt_dlp.extractor.common import InfoExtractor  # noqa: E402
from yt_dlp.utils import ExtractorError, GeoRestrictedError  # noqa: E402


class ShoreIE(InfoExtractor):  # type: ignore[misc]
    IE_NAME = "shore"
    _VALID_URL = r"http://127\.0\.0\.1:\d+/watch/(?P<id>[\w-]+)$"

    def _real_extract(self, url: str) -> dict[str, Any]:
        id = self._match_id(url)
        info = self._download_json(f"{url}.json", id)
        if "error" in info:
            raise ExtractorError(info["error"], expected=True)
        if "geo" in info:
            self.raise_geo_restricted(countries=["CH"])
        return {"id": id, **info}


class ShoreListIE(InfoExtractor):  # type: ignore[misc]
    IE_NAME = "shore:list"
    _VALID_URL = r"http://127\.0\.0\.1:\d+/list/(?P<id>\w+)$"

    def _real_extract(self, url: str) -> dict[str, Any]:
        listed = self._download_json(f"{url}.json", "list")
        base = url.partition("/list/")[0]
        videos = [self.url_result(f"{base}/watch/{each['id']}", video_title=each["title"]) for each in listed]
        return self.playlist_result(videos, "list")


class Shore:
    """The platform: ``put`` a video on it."""

    def __init__(self, server: Server, film: bytes) -> None:
        self.server = server
        self.film = film

    def put(self, id: str, **info: Any) -> str:
        formats = [
            self.format(id, "big-av1", 64, "av01.0.08M.08"), self.format(id, "big", 64, "avc1.640028"),
            self.format(id, "small", 32, "avc1.4d401e"), self.format(id, "huge", 2160, "avc1.640033"),
            {**self.format(id, "sound", None, "none"), "acodec": "mp4a.40.2"},
        ]  # fmt: skip
        page = {"title": f"Drone over {id}", "formats": formats, "duration": 60, "uploader": "A. Pilot",
                "upload_date": "20240131", "license": "Creative Commons Attribution"} | info  # fmt: skip
        self.server.pages[f"/watch/{id}.json"] = Page(json.dumps(page).encode(), content_type="application/json")
        return self.server.url(f"/watch/{id}")

    def format(self, id: str, name: str, height: int | None, codec: str) -> dict[str, Any]:
        self.server.pages[f"/media/{id}/{name}.mp4"] = Page(self.film)
        width = height and height * 3 // 2
        return {"format_id": name, "url": self.server.url(f"/media/{id}/{name}.mp4"), "ext": "mp4", "height": height,
                "width": width, "vcodec": codec, "acodec": "none"}  # fmt: skip

    def media(self) -> list[str]:
        return [path for _, path, _ in self.server.requests if path.startswith("/media/")]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return make_video(tmp_path_factory.mktemp("film") / "a.mp4", seed=5).read_bytes()


@pytest.fixture
def shore(film: bytes, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shore]:
    from yt_dlp import globals as known
    from yt_dlp.extractor import gen_extractor_classes

    gen_extractor_classes()
    own = {"ShoreIE": ShoreIE, "ShoreListIE": ShoreListIE}
    monkeypatch.setattr(known.extractors, "value", {**own, **known.extractors.value})
    with serve() as server:
        yield Shore(server, film)


def test_pictures_only_h264_and_not_too_tall(shore: Shore, tmp_path: Path) -> None:
    acquire(tmp_path, inputs=[shore.put("one")])
    (row,) = tables(tmp_path)["videos"]
    assert shore.media() == ["/media/one/big.mp4"]
    assert (row["title"], row["channel"], row["uploaded"]) == ("Drone over one", "A. Pilot", "2024-01-31")
    assert (row["platform"], row["platform_id"], row["license"]) == ("shore", "one", "Creative Commons Attribution")
    assert json.loads(row["tools"])["yt-dlp"]
    citations = (tmp_path / "CITATIONS.md").read_text()
    assert "A. Pilot" in citations
    assert "Creative Commons" in citations


@pytest.mark.parametrize(
    "title", ["../../x drone", "drone " * 60, "-drone --exec rm", "海 drone \x07\n# [x](y)", "con: <b>"]
)
def test_hostile_titles(shore: Shore, tmp_path: Path, title: str) -> None:
    acquire(tmp_path / "w", inputs=[shore.put("one", title=title, ext="../sh")])
    (row,) = tables(tmp_path / "w")["videos"]
    assert row["title"].split() == title.split()
    names = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")]
    assert all("drone" not in name.lower() and len(name) < 120 for name in names)
    heading = [line for line in (tmp_path / "w/CITATIONS.md").read_text().splitlines() if line.startswith("## ")]
    assert len(heading) == 1


def test_a_cut_download_is_resumed_in_the_next_run(shore: Shore, tmp_path: Path) -> None:
    url = shore.put("one")
    page = shore.server.pages["/media/one/big.mp4"]
    page.cut_at, page.cuts = 0.6, 99
    acquire(tmp_path, inputs=[url], download={"attempts": 1, "backoff_s": 0, "private_hosts": ["127.0.0.1"]})
    assert list(kinds(tmp_path).values()) == ["network"]
    page.cuts = 0
    acquire(tmp_path, inputs=[url], retry_errors=True)
    assert len(tables(tmp_path)["videos"]) == 1
    asked = [ranges for _, path, ranges in shore.server.requests if path == "/media/one/big.mp4"]
    assert asked[0] is None
    assert int(asked[-1].removeprefix("bytes=").rstrip("-")) > len(shore.film) // 2  # all but a block of yt-dlp's


def test_retry_after_is_honoured(shore: Shore, tmp_path: Path) -> None:
    url = shore.put("one")
    shore.server.pages["/media/one/big.mp4"].statuses = [(429, {"Retry-After": "1"}), (503, {})]
    acquire(tmp_path, inputs=[url])
    assert len(tables(tmp_path)["videos"]) == 1
    times = [at for at, path, _ in shore.server.requests if path == "/media/one/big.mp4"]
    assert times[1] - times[0] >= 1.0


@pytest.mark.parametrize(
    ("info", "kind"),
    [
        ({"error": "Private video. Sign in if you've been granted access to this video"}, "private"),
        ({"error": "Video unavailable. This video has been removed by the uploader"}, "removed"),
        ({"geo": True}, "geo-blocked"),
        ({"error": "Sign in to confirm you\u2019re not a bot. Use --cookies-from-browser or --cookies"}, "login"),
        ({"formats": []}, "format"),
    ],
)
def test_failures_have_kinds_and_the_others_go_on(
    shore: Shore, tmp_path: Path, info: dict[str, Any], kind: str
) -> None:
    acquire(tmp_path, inputs=[shore.put("bad", **info), shore.put("good")])
    assert list(kinds(tmp_path).values()) == [kind]
    assert len(tables(tmp_path)["videos"]) == 1


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Video unavailable. This video is private", "private"),
        ("This video is no longer available because the YouTube account associated with this video has been "
         "terminated.", "removed"),
        ("Video unavailable. This video is not available", "removed"),
        ("This video is no longer available due to a copyright claim by X", "removed"),
        ("Video unavailable. This video contains content from UMG, who has blocked it in your country on copyright "
         "grounds", "geo-blocked"),
        ("The uploader has not made this video available in your country", "geo-blocked"),
        ("This video is not available from your location due to geo restriction", "geo-blocked"),
        ("Sign in to confirm your age. This video may be inappropriate for some users.", "login"),
        ("Join this channel to get access to members-only content like this video", "login"),
        ("This video is only available for registered users. Use --cookies", "login"),
        ("unable to download video data: HTTP Error 403: Forbidden", "login"),
        ("Video unavailable. This content isn't available, try again later. The current session has been rate-limited "
         "by YouTube for up to an hour.", "rate-limited"),
        ("Unable to download webpage: HTTP Error 429: Too Many Requests", "rate-limited"),
        ("Requested format is not available. Use --list-formats for a list of available formats", "format"),
        ("This video is DRM protected", "format"),
        ("Unsupported URL: http://h/x", "format"),
        ("Unable to download webpage: HTTP Error 404: Not Found", "removed"),
        ("Unable to download webpage: HTTP Error 502: Bad Gateway", "network"),
        ("Unable to download API page: <urllib3.connection.HTTPSConnection>: Failed to resolve 'www.youtube.com' "
         "([Errno -3] Temporary failure in name resolution)", "network"),
        ("The read operation timed out", "network"),
        ("Unable to download webpage: ('Connection aborted.', RemoteDisconnected('Remote end closed connection without "
         "response'))", "network"),
        ("Downloaded 1000 bytes, expected 2000 bytes", "network"),
        ("fragment 7 not found, unable to continue", "network"),
        ("All player responses are invalid. Your IP is likely being blocked by Youtube", "login"),
        ("This account has been closed", "removed"),
        ("Premieres in 3 hours", "private"),
        ("unable to open for writing: [Errno 28] No space left on device: 'x.part'", "disk"),
        ("Something nobody has seen before", "format"),
    ],
)  # fmt: skip
def test_kinds_of_yt_dlps_messages(message: str, kind: str) -> None:
    error = failure_of(yt_dlp.utils.DownloadError(f"ERROR: [youtube] dQw4w9WgXcQ: {message}"), "http://h/v")
    assert error.kind == kind
    assert kind in KINDS
    assert error.remedy
    assert "ERROR" not in error.message


def test_geo_restriction_is_known_by_its_message() -> None:
    message = str(GeoRestrictedError("This video is not available from your location due to geo restriction"))
    assert failure_of(ExtractorError(message), "http://h/v").kind == "geo-blocked"


def test_playlists_become_entries_once_and_rules_apply_to_what_is_found(shore: Shore, tmp_path: Path) -> None:
    listed = [
        {"id": "a", "title": "Drone coast"}, {"id": "b", "title": "How to fly a drone"},
        {"id": "c", "title": "Sea cliffs"}, {"id": "d", "title": "Drone portrait"}, {"id": "e", "title": "Drone beach"},
    ]  # fmt: skip
    shore.put("a")
    shore.put("b")
    shore.put("c", title="Sea cliffs", description="filmed with a DJI Mini 3")
    tall = [shore.format("d", "tall", 64, "avc1.64") | {"width": 36}]
    shore.put("d", formats=tall)
    shore.put("e", license="")
    url = shore.server.url("/list/coast")
    shore.server.pages["/list/coast.json"] = Page(json.dumps(listed).encode(), content_type="application/json")
    source = {"kind": "playlist", "location": url}
    rules = {"min_width_px": 0, "min_height_px": 0, "min_duration_s": 0, "license": "creative-commons"}
    settings: dict[str, Any] = {"sources": [source], "rules": rules, "verify": {"duplicate_bits": 0}}
    report = acquire(tmp_path, **settings)
    found = tables(tmp_path)
    assert report.tasks == 5
    drops = {row["id"].rpartition("-")[0]: row["reason"] for row in found["drops"]}
    assert drops == {
        "b": "title has a skip-word", "d": "not landscape", "e": "licence is not Creative Commons", "c": "same file",
    }  # fmt: skip
    assert [row["platform_id"] for row in found["videos"]] == ["a"]
    assert shore.server.hits("/watch/b.json") == 0  # its title in the list was enough
    acquire(tmp_path, **settings)
    assert shore.server.hits("/list/coast.json") == 1


def test_searches_ask_for_the_words_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int | None]] = []

    def listing(query: str, count: int | None, settings: Download) -> list[dict[str, Any]]:
        asked.append((query, count))
        return [{"url": f"https://www.youtube.com/watch?v={len(asked):011d}", "title": "Unboxing a drone"}]

    monkeypatch.setattr(platforms, "listing", listing)
    sources = [{"kind": "search", "words": ["sea cliffs", "lagoon"], "count": 7}, {"kind": "search", "count": 0}]
    inputs = ["ytsearch3:drone coast", "ytsearchdate4:drone", "ytsearchall:reef"]
    acquire(tmp_path, inputs=inputs, sources=sources)
    acquire(tmp_path, inputs=inputs, sources=sources)
    defaults = [(f"ytsearchall:{words}", None) for words in SEARCH_WORDS]
    assert asked == [
        ("ytsearch3:drone coast", 3), ("ytsearchdate4:drone", 4), ("ytsearchall:reef", None),
        ("ytsearch7:sea cliffs", 7), ("ytsearch7:lagoon", 7), *defaults,
    ]  # fmt: skip
    drops = tables(tmp_path)["drops"]
    assert {row["reason"] for row in drops} == {"title has a skip-word"}
    assert len(drops) == len(asked)


def test_a_list_that_cannot_be_had_is_one_error(shore: Shore, tmp_path: Path) -> None:
    source = {"kind": "playlist", "location": shore.server.url("/list/gone")}
    acquire(tmp_path, sources=[source], inputs=[shore.put("good")])
    assert list(kinds(tmp_path).values()) == ["removed"]
    assert len(tables(tmp_path)["videos"]) == 1


def test_the_licence_rule_holds_for_listed_videos_too_and_the_words_do_not(shore: Shore, tmp_path: Path) -> None:
    inputs = [shore.put("free", title="How to sail"), shore.put("not-free", license="All rights reserved")]
    acquire(tmp_path, inputs=inputs, rules={"license": "creative-commons"})
    found = tables(tmp_path)
    assert [row["platform_id"] for row in found["videos"]] == ["free"]
    assert [row["reason"] for row in found["drops"]] == ["licence is not Creative Commons"]
    assert shore.media() == ["/media/free/big.mp4"]


def test_cookies_are_sent_and_their_file_is_only_read(shore: Shore, tmp_path: Path) -> None:
    text = "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\tkey\t42\n"
    (tmp_path / "cookies.txt").write_text(text)
    download = {"cookies": tmp_path / "cookies.txt", "backoff_s": 0, "private_hosts": ["127.0.0.1"]}
    acquire(tmp_path / "w", inputs=[shore.put("one")], download=download)
    assert len(tables(tmp_path / "w")["videos"]) == 1
    assert shore.server.cookies == ["key=42"] * 2  # the page and the pictures
    assert (tmp_path / "cookies.txt").read_text() == text
    source = {"kind": "playlist", "location": shore.server.url("/list/coast")}
    download = {"cookies": tmp_path / "none.txt", "private_hosts": ["127.0.0.1"]}
    acquire(tmp_path / "w2", inputs=[], sources=[source], download=download)
    (error,) = tables(tmp_path / "w2")["errors"]
    assert "none.txt cannot be read as cookies" in error["message"]


def test_cookies_of_a_browser_that_is_not_there(shore: Shore, tmp_path: Path) -> None:
    acquire(tmp_path, inputs=[shore.put("one")], download={"cookies_from_browser": "netscape:old"})
    assert list(kinds(tmp_path).values()) == ["login"]


def test_a_live_stream_is_dropped(shore: Shore, tmp_path: Path) -> None:
    acquire(tmp_path, inputs=[shore.put("one", is_live=True)])
    assert [row["reason"] for row in tables(tmp_path)["drops"]] == ["live, not a recording"]


def test_ffmpeg_is_never_called_and_local_files_are_never_read(
    shore: Shore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """HLS that yt-dlp would hand to ffmpeg, and formats and segments that point at local files."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ffmpeg", "ffprobe", "avconv", "avprobe"):
        (programs / name).write_text(f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/called\n')
        (programs / name).chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    secret = make_video(tmp_path / "secret.mp4", frames=12)
    odd = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="k"\n#EXTINF:1,\n/x.ts\n#EXT-X-ENDLIST\n'
    local = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXT-X-ENDLIST\n"
    inputs = []
    for name, text in {"odd": odd, "local": local}.items():
        shore.server.pages[f"/{name}.m3u8"] = Page(text.encode(), content_type="application/vnd.apple.mpegurl")
        for protocol in ("m3u8", "m3u8_native"):
            each = {"format_id": "0", "url": shore.server.url(f"/{name}.m3u8"), "ext": "mp4", "protocol": protocol}
            inputs.append(shore.put(f"{name}-{protocol}", formats=[{**each, "vcodec": "avc1", "height": 64}]))
    for url in (f"file://{secret}", str(secret), "rtmp://127.0.0.1/x", "ftp://127.0.0.1/x"):
        formats = [{"format_id": "0", "url": url, "ext": "mp4", "vcodec": "avc1", "height": 64}]
        inputs.append(shore.put(f"url{len(inputs)}", formats=formats))
    acquire(tmp_path / "w", inputs=inputs)
    found = tables(tmp_path / "w")
    assert found["videos"] == []
    assert len(found["errors"]) == 8
    called = tmp_path / "called"
    assert (called.read_text() if called.exists() else "") == ""


def test_words_are_matched_whole_in_any_case() -> None:
    assert has_word("My DJI flight", "dji")
    assert has_word("fpv: from above!", "from above")
    assert not has_word("Warm coast", "war")
    assert not has_word("virtually 3600 m", "360")


def reason_of(candidate: Candidate, final: bool = False, **settings: Any) -> str | None:
    try:
        check(candidate, Rules.model_validate(settings), final=final)
    except Rejected as rejected:
        return rejected.reason
    return None


def test_rules_need_not_know_everything_before_the_download() -> None:
    asked = {"license": "creative-commons", "uploaded_from": "2020-01-01"}
    unknown = Candidate(title="Drone coast")
    assert reason_of(unknown, **asked) is None
    assert reason_of(unknown, final=True, **asked) == "licence is not Creative Commons"
    licensed = Candidate(title="Drone coast", license="Creative Commons BY")
    assert reason_of(licensed, **asked) is None
    assert reason_of(licensed, final=True, **asked) == "upload date not known"
    assert reason_of(replace(licensed, uploaded="2019-12-31"), final=True, **asked) == "uploaded too early"
    assert reason_of(Candidate(title="Drone coast", duration_s=5)) == "too short"
    assert reason_of(Candidate(title="Coast")) is None
    assert reason_of(Candidate(title="Coast"), final=True) == "no must-word in title or description"
    assert reason_of(Candidate(title="Coast", description="no word")) == "no must-word in title or description"
    assert reason_of(Candidate(width=360, height=640), min_width_px=0) == "not landscape"
    assert reason_of(Candidate(width=640)) is None  # of the height nothing is known


def test_rules_may_only_score_or_be_off() -> None:
    short = Candidate(title="Drone coast", duration_s=5)
    assert check(short, Rules.model_validate({"duration": {"mode": "score"}}), final=True) == ["too short"]
    assert check(short, Rules.model_validate({"duration": {"mode": "off"}}), final=True) == []
    assert check(short, for_listed(Rules()), final=True) == []
