"""The page without a server: the JavaScript renderer and autopilot against Python's, and a flight in Chromium."""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from flythrough.errors import InputError
from flythrough.rendering.render import render
from flythrough.scene.autopilot import Autopilot
from flythrough.scene.geometry import compose, identity_pose, invert
from flythrough.train.fly.page.commands import Command
from flythrough.train.fly.page.flight import SteeredFlight
from flythrough.train.fly.page.gallery import read_island
from flythrough.train.fly.shipped import NAME, shipped_checkpoint
from flythrough.train.fly.web_folder import STATIC, export_web
from flythrough.train.model.native import load_checkpoint

RUNTIME = Path(os.environ.get("ONNXRUNTIME_WEB", "node_modules/onnxruntime-web"))
CHROMIUM = Path("/usr/bin/chromium")
SCRIPT = """
import fs from "node:fs";
import { clipMatrix, render } from "./mesh.js";
import { fly, moveBetween, poseOf, takeoff } from "./pilot.js";
const { width, height, intrinsics, maxSobel, commands } = JSON.parse(fs.readFileSync("in.json"));
const data = fs.readFileSync("in.bin");
const rgbd = new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
let course = takeoff();
const poses = commands.map((command) => {
  course = fly(course, rgbd.subarray(3 * width * height), width, intrinsics, command);
  return poseOf(course);
});
const matrix = clipMatrix(moveBetween(poseOf(takeoff()), poses.at(-1)), intrinsics);
const { rendered, mask } = render(rgbd, width, height, intrinsics, matrix, maxSobel);
fs.writeFileSync("out.bin", Buffer.concat([Buffer.from(rendered.buffer), Buffer.from(mask.buffer)]));
fs.writeFileSync("out.json", JSON.stringify(poses));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("speed", [20, -60])
def test_renderer_and_autopilot_in_javascript(tmp_path: Path, speed: int) -> None:
    height, width, steepness = 96, 160, 0.2
    start = read_island(9002, height, width)
    commands = [Command(120, -40, speed)] * 5
    for name in ("mesh.js", "pilot.js"):
        shutil.copyfile(STATIC / name, tmp_path / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(SCRIPT)
    about = {"width": width, "height": height, "intrinsics": [float(v) for v in start.intrinsics]}
    about |= {"maxSobel": steepness, "commands": [each._asdict() for each in commands]}
    (tmp_path / "in.json").write_text(json.dumps(about))
    (tmp_path / "in.bin").write_bytes(start.rgbd.astype("<f4").tobytes())
    subprocess.run(["node", "run.js"], cwd=tmp_path, check=True, timeout=60)

    pilot = Autopilot(start.intrinsics, speed=speed / 100)
    poses = [pilot.next_pose(start.rgbd[3], (each.x / 100, each.y / 100)) for each in commands]
    np.testing.assert_allclose(json.loads((tmp_path / "out.json").read_text()), poses, atol=1e-9)
    home, lens = torch.eye(3, 4)[None], torch.from_numpy(start.intrinsics).float()[None]
    move = torch.from_numpy(compose(poses[-1], invert(identity_pose()))).float()[None]
    wanted, seen = render(torch.from_numpy(start.rgbd)[None], home, lens, move, lens, max_sobel=steepness)
    got = np.frombuffer((tmp_path / "out.bin").read_bytes(), "<f4").reshape(5, height, width)
    off = np.abs(got - torch.cat([wanted, seen], 1)[0].numpy()).max(0)
    assert (off > 1e-4).mean() < 1e-3  # a rounding apart, another of two equally near surfaces is seen
    assert 0.02 < (got[4] < 0.5).mean() < 0.9  # holes there are


def test_a_folder_without_the_runtime_is_refused(tmp_path: Path) -> None:
    model = load_checkpoint(shipped_checkpoint())
    with pytest.raises(InputError, match="npm install onnxruntime-web@"):
        export_web(model, tmp_path / "web", NAME, tmp_path)
    assert not (tmp_path / "web").exists()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'flythrough[export]'")
    if not RUNTIME.is_dir():
        pytest.skip("no onnxruntime-web: npm install onnxruntime-web, or set ONNXRUNTIME_WEB to its folder")
    export_web(load_checkpoint(shipped_checkpoint()), tmp_path / "web", NAME, RUNTIME)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "web")))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


def test_the_first_frame_in_chromium_is_pytorchs(address: str) -> None:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip("no Chromium: apt install chromium")
    flight = SteeredFlight(load_checkpoint(shipped_checkpoint()), read_island(9000, 96, 160))
    flight.step(Command())
    with api.sync_playwright() as tool:
        page = tool.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", "--disable-gpu"]).new_page()
        problems: list[str] = []
        asked: set[str] = set()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("request", lambda request: asked.add("/".join(request.url.split("/")[:3]) + "/"))
        page.goto(address)
        view = page.locator("#view")
        api.expect(view).to_have_attribute("data-step", "0", timeout=60_000)
        page.keyboard.press(".")
        api.expect(view).to_have_attribute("data-step", "1", timeout=60_000)
        data = page.evaluate("document.querySelector('#view canvas').toDataURL()").split(",")[1]
    got = np.array(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), dtype=float)
    psnr = 10 * np.log10(255**2 / ((got - flight.picture()) ** 2).mean())
    assert psnr > 30
    assert problems == []
    assert {each for each in asked if each.startswith("http")} == {address}  # nothing from elsewhere
