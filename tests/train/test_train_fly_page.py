"""The page for flying: access control, uploads, sessions with back-pressure, flights that repeat, films."""

from __future__ import annotations

import io
import json
import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

from flythrough.errors import InputError
from flythrough.media.video_reader import frame_times
from flythrough.train.fly.page import decode
from flythrough.train.fly.page.commands import Command, pack_log, read_log
from flythrough.train.fly.page.flight import BACK, SteeredFlight
from flythrough.train.fly.page.gallery import SEEDS, gallery, island_name, read_still
from flythrough.train.fly.page.server import MAX_UPLOAD, make_app
from flythrough.train.fly.page.service import Service
from flythrough.train.fly.page.session import AHEAD
from flythrough.train.model.network import InfiniteNature

TOKEN, PORT = "secret-token", 8123
HOST = f"127.0.0.1:{PORT}"
SAFE = {"host": HOST, "x-token": TOKEN}
POST = {**SAFE, "origin": f"http://{HOST}"}
FLY = f"ws://{HOST}/fly?token={TOKEN}"
ISLAND = "island-9000"


@pytest.fixture(scope="module")
def model() -> InfiniteNature:
    torch.manual_seed(0)
    return InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6).eval()


@pytest.fixture
def service(model: InfiniteNature) -> Service:
    return Service({"one": model}, depth="rough", max_sessions=2)


@pytest.fixture
def client(service: Service) -> TestClient:
    return TestClient(make_app(service, TOKEN, PORT), base_url=f"http://{HOST}")


def jpeg(width: int = 120, height: int = 72) -> bytes:
    y, x = np.mgrid[:height, :width]
    stream = io.BytesIO()
    Image.fromarray(np.stack([x % 256, y % 256, 0 * x + 90], -1).astype(np.uint8)).save(stream, "JPEG")
    return stream.getvalue()


def connect(client: TestClient, address: str = FLY, **headers: str) -> Any:
    return client.websocket_connect(address, headers={"host": HOST, "origin": f"http://{HOST}", **headers})


def say(socket: WebSocketTestSession, kind: str, **values: object) -> None:
    socket.send_text(json.dumps({"type": kind, **values}))


def frame(socket: WebSocketTestSession, acknowledge: bool = True) -> tuple[dict[str, Any], bytes]:
    """The next frame: header, with the first model's flight laid into it, and the JPEGs."""
    data = socket.receive_bytes()
    (length,) = struct.unpack("<I", data[:4])
    header = json.loads(data[4 : 4 + length])
    assert len(data) == 4 + length + sum(flight["bytes"] for flight in header["flights"])
    if acknowledge:
        say(socket, "ack", frame=header["frame"])
    return {**header["flights"][0], **header}, data[4 + length :]


def test_every_gallery_picture_is_the_held_out_island_with_its_disparity() -> None:
    for seed in SEEDS:
        start = read_still(island_name(seed), 96, 160)
        assert seed < 100_000
        assert start.rgbd.shape == (4, 96, 160)
        assert np.median(start.rgbd[3, 0]) < 0.05 < start.rgbd[3, -1].mean()  # sky above, near ground below


def test_every_photo_of_the_gallery_has_its_credit_lens_and_disparity() -> None:
    photos = [still for still in gallery().values() if not still.start.startswith("island-")]
    assert len(photos) == 3
    for still in photos:
        start = read_still(still.start, 96, 160)
        assert "Apache-2.0" in still.credit
        assert 0.5 < still.intrinsics[0] < still.intrinsics[1]  # wider than high
        assert np.median(start.rgbd[3, 0]) < 0.1 < start.rgbd[3, -1].mean()  # sky above, near ground below
        assert start.rgbd[:3].std() > 0.1


def test_the_page_wants_its_token_host_and_origin(client: TestClient) -> None:
    for path in ("/", "/gallery", f"/gallery/{ISLAND}.jpg"):
        assert client.get(path, headers={"host": HOST}).status_code == 403
        assert client.get(path, headers={**SAFE, "host": "evil.example"}).status_code == 403
        assert client.get(path, headers=SAFE).status_code == 200
    assert client.post("/upload", content=jpeg(), headers=SAFE).status_code == 403
    wrong = {"content": jpeg(), "headers": {**SAFE, "origin": "http://evil.example"}}
    assert client.post("/upload", **wrong).status_code == 403
    assert "default-src 'none'" in client.get("/", headers=SAFE).headers["content-security-policy"]
    page = client.get("/", headers=SAFE).text
    assert not re.search(r"https?://|<style|\son\w+=|<script(?![^>]*\ssrc=)", page)  # nothing inline or from outside


def test_only_the_pages_own_code_is_public(client: TestClient) -> None:
    assert client.get("/static/page.js", headers={"host": HOST}).headers["content-type"].startswith("text/javascript")
    assert client.get("/static/page.js", headers={"host": "evil.example"}).status_code == 403
    for path in ("/static/index.html", "/static/..%2fserver.py", "/static/%2e%2e/server.py", "/gallery/9.jpg"):
        assert client.get(path, headers=SAFE).status_code == 404


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        (f"ws://{HOST}/fly", {}),
        (f"ws://{HOST}/fly?token=guess", {}),
        (FLY, {"origin": "http://evil.example"}),
        (FLY, {"host": "evil.example"}),
    ],
)
def test_a_websocket_wants_them_too(client: TestClient, address: str, headers: dict[str, str]) -> None:
    with pytest.raises(WebSocketDisconnect), connect(client, address, **headers):
        pass
    with pytest.raises(WebSocketDisconnect), client.websocket_connect(FLY, headers={"host": HOST}):
        pass  # a browser always says its origin


def test_start_step_back_restart(client: TestClient) -> None:
    with connect(client) as socket:
        say(socket, "start", start=ISLAND)
        first, start = frame(socket)
        assert (first["step"], first["playing"], first["position"]) == (0, False, [0, 0, 0])
        assert Image.open(io.BytesIO(start)).size == (64, 32)
        say(socket, "step")
        header, flown = frame(socket)
        assert header["step"] == 1
        assert header["position"][2] > 0
        assert flown != start
        say(socket, "step")
        frame(socket)
        say(socket, "back")
        assert frame(socket)[1] == flown
        say(socket, "restart")
        header, picture = frame(socket)
        assert (header["step"], picture) == (0, start)


def test_steering_speed_and_reverse(client: TestClient) -> None:
    ends = {}
    with connect(client) as socket:
        for name, command in {
            "left": (-120, 0, 20),
            "right": (120, 0, 20),
            "back": (0, 0, -20),
            "fast": (0, 0, 60),
        }.items():
            say(socket, "start", start=ISLAND)
            frame(socket)
            say(socket, "steer", **dict(zip(("x", "y", "speed"), command, strict=True)))
            for _ in range(5):
                say(socket, "step")
                header, _ = frame(socket)
            ends[name] = header
    assert ends["left"]["heading"][0] < 0 < ends["right"]["heading"][0]
    assert ends["back"]["position"][2] < 0
    assert ends["fast"]["position"][2] > 2 * ends["left"]["position"][2] > 0


def test_no_more_than_two_frames_ahead_of_the_viewer(client: TestClient) -> None:
    with connect(client) as socket:
        say(socket, "start", start=ISLAND)
        say(socket, "play")
        seen = [frame(socket, acknowledge=False)[0]["frame"] for _ in range(AHEAD)]
        say(socket, "dance")  # the answer comes after whatever was sent before it
        assert json.loads(socket.receive_text())["type"] == "error"
        say(socket, "ack", frame=seen[-1])
        assert frame(socket)[0]["frame"] == AHEAD + 1
        say(socket, "ack", frame=10**6)  # what was not sent cannot be acknowledged
        say(socket, "pause")
        while frame(socket)[0]["playing"]:
            pass


def test_sessions_fly_side_by_side_up_to_the_limit(client: TestClient) -> None:
    with connect(client) as one, connect(client) as two:
        for socket in (one, two):
            say(socket, "start", start=ISLAND)
            say(socket, "play")
        for _ in range(4):
            assert frame(one)[0]["frame"] == frame(two)[0]["frame"]
        with connect(client) as three:
            assert "2 flights are under way" in json.loads(three.receive_text())["message"]
    with connect(client) as again:
        say(again, "start", start=ISLAND)
        frame(again)


def test_an_idle_session_ends(client: TestClient, service: Service) -> None:
    service.idle_s = 0.05
    with connect(client) as socket:
        assert "idle" in json.loads(socket.receive_text())["message"]
        with pytest.raises(WebSocketDisconnect):
            socket.receive_text()


@pytest.mark.parametrize(
    "text",
    ["", "[]", "null", "{", "[" * 50_000, "x" * 300_000, '{"type": "start"}', '{"type": "start", "start": [1]}',
     '{"type": "steer", "x": 1e9, "y": 0, "speed": 0}', '{"type": "steer", "x": true, "y": 0, "speed": 0}',
     '{"type": "view", "overlay": "x"}', '{"type": "ack", "frame": -1}',
     '{"type": "start", "start": "island-9000", "seed": 1.5}',
     '{"type": "start", "start": "island-9000", "log": [[1, 2]]}',
     '{"type": "start", "start": "island-9000", "log": [[999999999, 0, 0, 20]]}'],
)  # fmt: skip
def test_nonsense_is_answered_and_the_session_goes_on(client: TestClient, text: str) -> None:
    with connect(client) as socket:
        socket.send_text(text)
        assert json.loads(socket.receive_text())["type"] == "error"
        say(socket, "start", start=ISLAND)
        assert frame(socket)[0]["step"] == 0


def test_a_log_repeats_the_flight_frame_by_frame(client: TestClient) -> None:
    log = [[2, 0, 0, 20], [1, 120, -40, 40], [2, -60, 0, -20]]
    with connect(client) as socket:
        flown = []
        for _ in range(2):
            say(socket, "start", start=ISLAND, seed=7, log=log)
            frames = [frame(socket)[1]]
            for _ in read_log(log):
                say(socket, "step")
                frames.append(frame(socket)[1])
            flown.append(frames)
        assert flown[0] == flown[1]
        assert len(set(flown[0])) == 6
        say(socket, "start", start=ISLAND, seed=8, log=log)
        frame(socket)
        say(socket, "step")
        assert frame(socket)[1] != flown[0][1]  # another style


def test_the_server_tells_the_log_that_repeats_a_flight(client: TestClient) -> None:
    flown = []
    with connect(client) as socket:
        say(socket, "start", start=ISLAND, seed=7)
        frame(socket)
        for x in (0, 0, 90, -30):
            say(socket, "steer", x=x, y=5, speed=30)
            say(socket, "step")
            flown.append(frame(socket)[1])
        say(socket, "back")  # is not part of the flight
        frame(socket)
        say(socket, "log")
        said = json.loads(socket.receive_text())
    assert said == {"type": "log", "start": ISLAND, "seed": 7, "log": [[2, 0, 5, 30], [1, 90, 5, 30]]}
    assert pack_log(read_log(said["log"])) == said["log"]
    with connect(client) as socket:
        say(socket, "start", **{key: said[key] for key in ("start", "seed", "log")})
        frame(socket)
        say(socket, "play")
        frames = [frame(socket) for _ in range(3)]
        assert [picture for _, picture in frames] == flown[:3]
        assert [header["playing"] for header, _ in frames] == [True, True, False]  # it ends where it was shared


def test_several_models_hear_the_same_commands(model: InfiniteNature) -> None:
    torch.manual_seed(1)
    other = InfiniteNature(32, 32, base_width=2, style_size=8, max_sobel=0.6).eval()
    service = Service({"one": model, "two": other}, depth="rough")
    assert service.fingerprint() not in (Service({"one": model}).fingerprint(), Service({"two": other}).fingerprint())
    client = TestClient(make_app(service, TOKEN, PORT), base_url=f"http://{HOST}")
    upload = client.post("/upload", content=jpeg(), headers=POST).json()["start"]
    with connect(client) as socket:
        for start in (ISLAND, upload):
            say(socket, "start", start=start)
            header, _ = frame(socket)
            say(socket, "step")
            header, pictures = frame(socket)
            first, second = header["flights"]
            assert (first["model"], second["model"]) == ("one", "two")
            assert Image.open(io.BytesIO(pictures[: first["bytes"]])).size == (64, 32)
            assert Image.open(io.BytesIO(pictures[first["bytes"] :])).size == (32, 32)
            assert first["position"][2] > 0
            assert second["position"][2] > 0


def test_a_recording_is_an_mp4_of_the_steps_flown(client: TestClient, tmp_path: Path) -> None:
    with connect(client) as socket:
        say(socket, "start", start=ISLAND)
        frame(socket)
        say(socket, "record", on=True)
        assert frame(socket)[0]["recording"] == 0
        for _ in range(3):
            say(socket, "step")
            header, _ = frame(socket)
        assert (header["recording"], header["film"]) == (3, None)
        say(socket, "record", on=False)
        header, _ = frame(socket)
        assert header["recording"] is None
        address = f"/film/{header['film']}.mp4"
        assert client.get(address, headers={"host": HOST}).status_code == 403
        answer = client.get(address, headers=SAFE)
        assert "flight.mp4" in answer.headers["content-disposition"]
        (tmp_path / "flight.mp4").write_bytes(answer.content)
        assert len(frame_times(tmp_path / "flight.mp4")[1]) == 3
        say(socket, "record", on=True)
        frame(socket)
        say(socket, "record", on=False)
        assert frame(socket)[0]["film"] == ""  # nothing was flown meanwhile
    assert client.get("/film/0123456789abcdef.mp4", headers=SAFE).status_code == 404


def test_a_recording_that_fails_is_said_once_and_dropped(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLYTHROUGH_FFMPEG", "missing-program")
    with connect(client) as socket:
        say(socket, "start", start=ISLAND)
        frame(socket)
        say(socket, "record", on=True)
        frame(socket)
        say(socket, "step")
        assert "missing-program" in json.loads(socket.receive_text())["message"]
        say(socket, "step")
        header, _ = frame(socket)
        assert (header["step"], header["recording"], header["film"]) == (2, None, None)


def test_an_upload_forgotten_before_takeoff_is_an_error(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "check_start", lambda name: name)  # it was here when it was checked
    with pytest.raises(InputError, match="not here"):
        service.take_off("photo-0a1b2c3d")


def test_overlays_show_disparity_and_what_was_painted(model: InfiniteNature) -> None:
    flight = SteeredFlight(model, read_still("island-9001", 32, 64))
    start = flight.picture()
    for overlay in ("holes", "painted"):
        np.testing.assert_array_equal(flight.picture(overlay), start)  # a start has none
    flight.step(Command(speed=60))
    assert (flight.picture("holes") != flight.picture()).any()
    assert (flight.picture("painted") != flight.picture("holes")).any()
    assert flight.picture("disparity").shape == start.shape


def test_only_so_many_steps_can_be_taken_back(model: InfiniteNature) -> None:
    flight = SteeredFlight(model, read_still("island-9001", 32, 64))
    for _ in range(BACK + 2):
        flight.step(Command())
    assert [flight.back() for _ in range(BACK + 1)] == [True] * BACK + [False]
    assert len(flight.log) == 2


def test_an_upload_is_flown(client: TestClient) -> None:
    answer = client.post("/upload", content=jpeg(), headers=POST)
    assert answer.status_code == 200
    assert "rough guess" in answer.json()["note"]
    assert "64-degree" in answer.json()["note"]
    with connect(client) as socket:
        say(socket, "start", start=answer.json()["start"])
        frame(socket)
        say(socket, "step")
        assert frame(socket)[0]["step"] == 1


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", jpeg()[:-300], jpeg(8, 8), b"<svg/>"])
def test_what_is_no_photo_is_refused_with_a_reason(client: TestClient, data: bytes) -> None:
    answer = client.post("/upload", content=data, headers=POST)
    assert answer.status_code == 400
    assert "The file" in answer.text


def test_an_upload_has_a_size_limit(client: TestClient) -> None:
    answer = client.post("/upload", content=bytes(MAX_UPLOAD + 1), headers=POST)
    assert (answer.status_code, "32 MiB" in answer.text) == (400, True)


def test_a_decoder_that_dies_or_hangs_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "SECONDS", 0.001)
    with pytest.raises(InputError, match="too long"):
        decode.decode_apart(jpeg())
    monkeypatch.setattr(decode, "SECONDS", 60)
    monkeypatch.setattr(decode.sys, "executable", "/bin/false")
    with pytest.raises(InputError, match="cannot be decoded"):
        decode.decode_apart(jpeg())
