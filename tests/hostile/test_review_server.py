"""The review server answers every request, cannot be kept busy, and ends on Ctrl-C."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from flythrough.curate.cli import review
from flythrough.curate.config import CurateConfig
from flythrough.curate.review.listing import Review
from flythrough.curate.review.server import make_app
from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace, to_json

HOST = "127.0.0.1:8123"
POST = {"host": HOST, "x-token": "t", "origin": f"http://{HOST}"}
SHOT = "v-0-2000000"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.config_file.touch()
    figures = to_json({"nature": 0.02, "pictures": f"curate/v/{SHOT}"})
    workspace.write("shots", [])
    workspace.write("drops", [{"id": SHOT, "stage": "curate", "reason": "not_nature", "values": figures}])
    return workspace


@pytest.fixture
def client(workspace: Workspace) -> TestClient:
    app = make_app(Review(workspace.root, CurateConfig()), "t", 8123)
    return TestClient(app, base_url=f"http://{HOST}", raise_server_exceptions=False)


@pytest.mark.parametrize(
    "query", ["offset=inf", "offset=nan", "offset=1e400", "offset=-9", "low=x", "measure=nature&low=nan", "order=%00",
              "status=%ff%fe", "reason=" + "x" * 5000],
)  # fmt: skip
def test_no_query_is_a_server_error(client: TestClient, query: str) -> None:
    assert client.get(f"/shots?{query}", headers=POST).status_code in (200, 400)


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"id": [1], "verdict": {}}', b'{"id": {}}',
             b'{"id": "v-0-2000000", "verdict": "accept", "reason": "\\ud800"}', b'{"id": 1e999, "verdict": "accept"}'],
)  # fmt: skip
def test_no_verdict_is_a_server_error(client: TestClient, body: bytes) -> None:
    assert client.post("/verdict", content=body, headers=POST).status_code in (200, 400)
    assert client.get("/shots", headers=POST).status_code == 200


LONG = b"id,verdict\n" + b"x" * 200_000


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"id", b"id,verdict\n\x00", b'id,verdict\n"', LONG, b"id,verdict\na\n", b"id,verdict,id\n1,2,3,4,5\n"],
)
def test_no_file_is_a_server_error(client: TestClient, body: bytes) -> None:
    assert client.post("/import", content=body, headers=POST).status_code in (200, 400)


@pytest.mark.parametrize("reason", ["=1+1", "+1", "-1", "@a", "\t=1", "'=1", "it's", "plain"])
def test_cells_are_no_formulas_and_come_back_as_they_were(client: TestClient, reason: str) -> None:
    client.post("/verdict", json={"id": SHOT, "verdict": "reject", "reason": reason}, headers=POST)
    text = client.get("/verdicts.csv", headers=POST).text
    (line,) = csv.DictReader(io.StringIO(text))
    assert not line["reason"].startswith(("=", "+", "-", "@", "\t"))
    client.post("/verdict", json={"id": SHOT, "verdict": "accept"}, headers=POST)
    client.post("/import", content=text.encode(), headers=POST)
    assert client.get("/shots", headers=POST).json()["items"][0]["reason"] == reason


@pytest.mark.parametrize("body", [b"\xff", b"id,verdict\n" + b"x" * 200_000])
def test_a_file_that_is_no_csv_is_an_error_with_a_remedy(workspace: Workspace, tmp_path: Path, body: bytes) -> None:
    (tmp_path / "v.csv").write_bytes(body)
    with pytest.raises(InputError, match="not a CSV file"):
        review(workspace.root, import_=tmp_path / "v.csv")


def test_idle_connections_keep_nobody_out_and_ctrl_c_ends_it(workspace: Workspace) -> None:
    command = [sys.executable, "-m", "flythrough", "review", "--port", "0", "-w", str(workspace.root)]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    idle = []
    try:
        address = next(found for line in server.stdout if (found := re.search(r"http://127\.0\.0\.1:(\d+)/\S*", line)))
        for sent in [b""] * 100 + [b"GET / HTTP/1.1\r\nHost: "] * 50:
            idle.append(socket.create_connection(("127.0.0.1", int(address[1]))))
            idle[-1].sendall(sent)
        with urllib.request.urlopen(address[0], timeout=20) as answer:
            assert answer.status == 200
        server.send_signal(signal.SIGINT)
        server.wait(20)
    finally:
        server.kill()
        for each in idle:
            each.close()
