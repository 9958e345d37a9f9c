"""The review page: durable verdicts, access control, and the page itself in a real browser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from starlette.testclient import TestClient

from flythrough.curate.config import CurateConfig
from flythrough.curate.review.listing import Query, Review
from flythrough.curate.review.server import make_app
from flythrough.curate.review.verdicts import Verdict, append_verdicts, read_verdicts
from flythrough.curate.score.labels import parse_labels
from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace, to_json

TOKEN, PORT = "secret-token", 8123
HOST = f"127.0.0.1:{PORT}"
SAFE = {"host": HOST, "x-token": TOKEN}
POST = {**SAFE, "origin": f"http://{HOST}"}
# Two kept, one of them just so; three dropped.
FIGURES = {
    "v-0-2000000": (None, 0.6),
    "v-2000000-4000000": (None, 0.11),
    "v-4000000-6000000": ("not_nature", 0.02),
    "v-6000000-8000000": ("not_nature", 0.08),
    "v-8000000-9000000": ("still", 0.5),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Five shots with pictures."""
    workspace = Workspace(tmp_path)
    (tmp_path / "curate/v").mkdir(parents=True)
    kept, dropped = [], []
    for number, (id, (reason, nature)) in enumerate(FIGURES.items()):
        for name, width in (("0", 64), ("1", 64), ("2", 64), ("strip", 240)):
            image = np.full((36, width, 3), 40 * number + 20, np.uint8)
            cv2.imwrite(str(tmp_path / f"curate/v/{id}.{name}.jpg"), image)
        measures = {"length_s": 2.0, "nature": nature, "pictures": f"curate/v/{id}"}
        start, end = map(int, id.split("-")[1:])
        span = {"video_id": "v", "start_frame": 0, "end_frame": 48, "start_us": start, "end_us": end}
        crop = {f"crop_{side}": 0 for side in ("left", "top", "right", "bottom")}
        if reason is None:
            kept.append({"id": id, **span, **crop, "measures": to_json(measures)})
        else:
            dropped.append({"id": id, "stage": "curate", "reason": reason, "values": to_json({**measures, **span})})
    workspace.write("shots", kept)
    workspace.write("drops", dropped)
    return workspace


@pytest.fixture
def review(workspace: Workspace) -> Review:
    return Review(workspace.root, CurateConfig())


@pytest.fixture
def client(review: Review) -> TestClient:
    return TestClient(make_app(review, TOKEN, PORT), base_url=f"http://{HOST}")


def test_the_unsure_come_first_and_filters_combine(review) -> None:
    assert [i.id for i in review.select(Query())][:2] == ["v-2000000-4000000", "v-6000000-8000000"]
    assert [i.id for i in review.select(Query(reason="not_nature", measure="nature", high=0.05))] == [
        "v-4000000-6000000"
    ]
    review.record(["v-0-2000000"], "reject", "dull")
    assert len(review.select(Query(status="unreviewed"))) == 4
    assert [i.id for i in review.select(Query(status="disagree"))] == ["v-0-2000000"]
    assert len(review.select(Query(status="dropped"))) == 3


def test_agreement_counts_rules_against_the_reviewer(review) -> None:
    review.record(["v-0-2000000", "v-8000000-9000000"], "accept")
    review.record(["v-4000000-6000000"], "reject", "house")
    found = review.summary()
    assert (found["reviewed"], found["agreed"], found["shots"]) == (3, 2, 5)
    assert {"rules": "still", "accept": 1, "reject": 0} in found["agreement"]


def test_csv_goes_out_and_comes_in(review, tmp_path, workspace) -> None:
    review.record(["v-0-2000000"], "reject", 'people, "many"\nof them')
    text = review.to_csv()
    other = Workspace(tmp_path / "other")
    for table in ("shots", "drops"):
        other.write(table, workspace.rows(table))
    copy = Review(other.root, CurateConfig())
    assert copy.from_csv(text) == 1
    assert copy.from_csv(text) == 0
    assert read_verdicts(other.root)["v-0-2000000"].reason == 'people, "many"\nof them'
    with pytest.raises(InputError, match="line 3"):
        copy.from_csv("id,verdict\nv-4000000-6000000,accept\nnobody,accept\n")
    assert len(copy.verdicts) == 1  # a file is taken whole or not at all


def test_labels_go_out_and_come_in_as_curate_score_reads_them(review, tmp_path, workspace) -> None:
    review.record(["v-0-2000000"], "reject", "house")
    review.record(["v-4000000-6000000"], "accept")
    text = review.to_labels()
    told = parse_labels(text, "labels")
    assert [(x.start, x.end, x.verdict, x.reason) for x in told] == [(0, 2, "drop", "house"), (4, 6, "keep", "")]
    other = Workspace(tmp_path / "other")
    for table in ("shots", "drops"):
        other.write(table, workspace.rows(table))
    copy = Review(other.root, CurateConfig())
    assert copy.from_csv(text) == 2
    assert copy.from_csv(text) == 0
    assert {i: (v.verdict, v.reason) for i, v in read_verdicts(other.root).items()} == {
        "v-0-2000000": ("reject", "house"),
        "v-4000000-6000000": ("accept", ""),
    }
    assert copy.from_csv("video,start,end,verdict\nv,6,8,unsure\nv,8,9,keep\n") == 1
    with pytest.raises(InputError, match="line 3"):
        copy.from_csv("video,start,end,verdict\nv,0,8,drop\nv,8,9,perhaps\n")


def test_without_the_token_nothing_answers(client) -> None:
    for path in ("/", "/shots", "/verdicts.csv", "/labels.csv", "/review.js", "/picture/v-0-2000000/0.jpg"):
        assert client.get(path, headers={"host": HOST}).status_code == 403
        assert client.get(f"{path}?token=guess", headers={"host": HOST}).status_code == 403
        assert client.get(path, headers=SAFE).status_code == 200


def test_other_hosts_and_origins_are_refused(client, review) -> None:
    body = {"id": "v-0-2000000", "verdict": "accept"}
    assert client.get("/shots", headers={**SAFE, "host": "evil.example"}).status_code == 403
    assert client.get("/shots", headers={**SAFE, "host": "127.0.0.1:9"}).status_code == 403
    assert client.post("/verdict", json=body, headers={**SAFE, "origin": "http://evil.example"}).status_code == 403
    assert client.post("/verdict", json=body, headers={**SAFE, "origin": "null"}).status_code == 403
    assert client.post("/verdict", json=body, headers=SAFE).status_code == 403  # a browser always says its origin
    assert review.verdicts == {}
    assert client.post("/verdict", json=body, headers=POST).status_code == 200


def test_pictures_come_from_known_shots_only(client) -> None:
    assert client.get("/picture/v-0-2000000/strip.jpg", headers=SAFE).headers["content-type"] == "image/jpeg"
    for path in ("/picture/nobody/0.jpg", "/picture/..%2f..%2fdrops/0.jpg", "/picture/v-0-2000000/9.jpg"):
        assert client.get(path, headers=SAFE).status_code == 404


def test_a_verdict_is_on_disk_when_it_is_acknowledged(client, workspace) -> None:
    answer = client.post("/verdict", json={"id": "v-0-2000000", "verdict": "reject", "reason": "dull"}, headers=POST)
    assert answer.json()["summary"]["reviewed"] == 1
    assert read_verdicts(workspace.root)["v-0-2000000"].reason == "dull"
    for body in ({"id": "nobody", "verdict": "accept"}, {"id": "v-0-2000000", "verdict": "perhaps"}, {}, [1]):
        assert client.post("/verdict", json=body, headers=POST).status_code == 400
    assert len(read_verdicts(workspace.root)) == 1


def test_the_file_of_verdicts_is_on_disk_with_its_folder(tmp_path, monkeypatch) -> None:
    synced: list[int] = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: [synced.append(os.fstat(handle).st_ino), fsync(handle)])
    append_verdicts(tmp_path, [Verdict("a", "accept")])
    assert synced == [(tmp_path / name).stat().st_ino for name in ("curate/verdicts.jsonl", "curate", "")]
    append_verdicts(tmp_path, [Verdict("b", "accept")])
    assert len(synced) == 4  # later only the file


def test_answers_may_not_be_framed_cached_or_run_foreign_code(client) -> None:
    headers = client.get("/", headers=SAFE).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"


@pytest.fixture
def server(workspace: Workspace) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The command itself, in a process of its own."""
    command = [sys.executable, "-c", "from flythrough.cli.app import main; main()", "review", "-w", str(workspace.root)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline())
    assert found is not None
    yield found.group(0), process
    process.kill()
    process.wait()


def test_reviewing_by_keys_in_a_browser_and_a_kill(server, workspace, browser) -> None:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    url, process = server
    page = browser.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.goto(url)
    shown = page.locator("#shot")
    sync_api.expect(shown).to_have_attribute("data-id", "v-2000000-4000000")  # nearest to its threshold
    sync_api.expect(page.locator("#first")).to_have_js_property("naturalWidth", 64)
    page.keyboard.press("a")
    sync_api.expect(shown).to_have_attribute("data-id", "v-6000000-8000000")
    page.keyboard.press("1")
    sync_api.expect(page.locator("#count")).to_have_text("2 of 5 reviewed")
    page.keyboard.press("u")
    sync_api.expect(page.locator("#count")).to_have_text("1 of 5 reviewed")
    sync_api.expect(shown).to_have_attribute("data-id", "v-6000000-8000000")
    page.keyboard.press("2")
    sync_api.expect(page.locator("#agreement")).to_have_text("rules and reviewer agree on 2 of 2")
    page.wait_for_load_state("networkidle")  # pictures that the kill would cut off are not the page's errors
    process.send_signal(signal.SIGKILL)
    process.wait()
    page.keyboard.press("a")
    sync_api.expect(page.locator("#message")).to_contain_text("Not saved")
    assert [p for p in problems if "ERR_CONNECTION" not in p] == []
    page.close()
    found = {id: (v.verdict, v.reason) for id, v in read_verdicts(workspace.root).items()}
    assert found == {
        "v-2000000-4000000": ("accept", ""),
        "v-6000000-8000000": ("reject", "people or vehicles"),
    }
