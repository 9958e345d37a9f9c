"""Weights are fetched completely, verified, and never random."""

from __future__ import annotations

import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flythrough.cli import tools
from flythrough.errors import FlythroughError, InputError, MissingWeights
from flythrough.networks import weights
from flythrough.networks.weights import File, Weight

BODY = bytes(range(256)) * 4096


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves BODY, with ranges; remembers what was asked."""

    asked: list[str] = []  # noqa: RUF012
    body = BODY
    etag: str | None = None
    more: dict[str, str] = {}  # noqa: RUF012

    def do_GET(self) -> None:
        start = 0
        if (span := self.headers.get("Range")) and self.headers.get("If-Range") in (None, self.etag):
            start = int(span.removeprefix("bytes=").rstrip("-"))
        Handler.asked.append(f"{self.path} from {start}")
        if self.path == "/gone":
            self.send_error(404)
            return
        if start >= len(self.body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(self.body)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        for name, value in {**self.more, **({"ETag": self.etag} if self.etag else {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.body) - start))
        self.end_headers()
        self.wfile.write(self.body[start:])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    monkeypatch.setenv("FLYTHROUGH_WEIGHTS", str(tmp_path))
    Handler.asked.clear()
    served = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=served.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{served.server_port}"
    served.shutdown()
    served.server_close()


def enter(monkeypatch: pytest.MonkeyPatch, file: File) -> None:
    monkeypatch.setitem(weights.WEIGHTS, "toy", Weight("toy", "tests", "none", (file,), file.name))


def test_fetch_verifies_and_locate_finds(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    enter(monkeypatch, File(f"{server}/w", "w.pth", len(BODY), hashlib.sha256(BODY).hexdigest()[:8]))
    with pytest.raises(MissingWeights, match="flythrough weights fetch toy"):
        weights.locate("toy")
    assert weights.fetch("toy") == tmp_path / "toy" / "w.pth" == weights.locate("toy")
    assert weights.locate("toy").read_bytes() == BODY
    weights.fetch("toy")
    assert len(Handler.asked) == 1


def test_several_are_fetched_by_one_command(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("one", "two"):
        file = File(f"{server}/{name}", "w.pth", len(BODY))
        monkeypatch.setitem(weights.WEIGHTS, name, Weight(name, "tests", "none", (file,), "w.pth"))
    done = CliRunner().invoke(tools.app, ["weights", "fetch", "one", "two"])
    assert done.stdout.splitlines() == [str(tmp_path / name / "w.pth") for name in ("one", "two")]
    assert Handler.asked == ["/one from 0", "/two from 0"]


def test_a_partial_download_is_resumed(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    enter(monkeypatch, File(f"{server}/w", "w.pth"))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / ".w.pth.part").write_bytes(BODY[:1000])
    assert weights.fetch("toy").read_bytes() == BODY
    assert Handler.asked == ["/w from 1000"]


def test_a_wrong_file_is_refused_and_not_kept(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, File(f"{server}/w", "w.pth", sha256="00000000"))
    with pytest.raises(FlythroughError, match="not the published file"):
        weights.fetch("toy")
    with pytest.raises(MissingWeights):
        weights.locate("toy")


def test_a_file_of_unknown_hash_is_held_to_what_came_first(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, File(f"{server}/w", "w.pth"))
    path = weights.fetch("toy")
    assert weights.verify("toy") == "verified"
    path.write_bytes(BODY[:-1] + b"!")
    with pytest.raises(FlythroughError, match="not the published file"):
        weights.verify("toy")


def test_an_archive_is_unpacked(server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo("ckpt/model.index")
        member.size = 3
        archive.addfile(member, io.BytesIO(b"abc"))
    monkeypatch.setattr(Handler, "body", buffer.getvalue())
    enter(monkeypatch, File(f"{server}/c", "ckpt.tar.gz"))
    weights.fetch("toy")
    assert (tmp_path / "toy" / "ckpt" / "model.index").read_bytes() == b"abc"


def test_a_dead_link_says_what_to_do(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, File(f"{server}/gone", "w.pth"))
    with pytest.raises(FlythroughError, match=r"Could not download.*404.*copy the file to") as caught:
        weights.fetch("toy")
    assert caught.value.kind == "network"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match="inception, lpips-alex"):
        weights.locate("incepton")


@pytest.mark.parametrize("extra", [b"", b"more than there is"])
def test_a_partial_file_that_is_whole_or_too_long_ends_well(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extra: bytes
) -> None:
    enter(monkeypatch, File(f"{server}/w", "w.pth"))
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / ".w.pth.part").write_bytes(BODY + extra)
    assert weights.fetch("toy").read_bytes() == BODY
    assert Handler.asked[0] == f"/w from {len(BODY + extra)}"
    assert len(Handler.asked) == (2 if extra else 1)


def test_a_file_that_changed_meanwhile_is_fetched_anew(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    enter(monkeypatch, File(f"{server}/w", "w.pth"))
    monkeypatch.setattr(Handler, "etag", '"new"')
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / ".w.pth.part").write_bytes(b"old" * 100)
    (tmp_path / "toy" / ".w.pth.version").write_text('"old"')
    assert weights.fetch("toy").read_bytes() == BODY
    assert [path.name for path in (tmp_path / "toy").iterdir() if path.name.startswith(".")] == []


def test_weights_are_checked_when_they_are_loaded(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    enter(monkeypatch, File(f"{server}/w", "w.pth", sha256=hashlib.sha256(BODY).hexdigest()))
    path = weights.fetch("toy")
    path.write_bytes(BODY[:-1] + b"!")
    with pytest.raises(FlythroughError, match="not the published file"):
        weights.locate("toy")


def test_files_of_a_hub_are_from_one_commit_and_held_to_its_hash(
    server: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    commit = "0123456789" * 4
    digest = hashlib.sha256(BODY).hexdigest()
    monkeypatch.setattr(Handler, "more", {"X-Repo-Commit": commit, "X-Linked-Etag": f'"{digest}"'})
    files = tuple(File(f"{server}/o/n/resolve/main/{name}", name) for name in ("a", "b"))
    monkeypatch.setitem(weights.WEIGHTS, "toy", Weight("toy", "tests", "none", files))
    weights.fetch("toy")
    assert Handler.asked == ["/o/n/resolve/main/a from 0", f"/o/n/resolve/{commit}/b from 0"]
    monkeypatch.setattr(Handler, "more", {"X-Linked-Etag": f'"{"0" * 64}"'})
    with pytest.raises(FlythroughError, match="not the published file"):
        weights.fetch("toy", force=True)
