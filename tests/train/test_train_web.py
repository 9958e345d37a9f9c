"""The page without a server: the JavaScript renderer and autopilot against Python's, and a flight in Chromium."""

from __future__ import annotations

import base64
import functools
import io
import json
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from flythrough.errors import InputError
from flythrough.rendering.render import render
from flythrough.scene.autopilot import LAND, Autopilot
from flythrough.scene.geometry import compose, identity_pose, invert
from flythrough.train.fly import depth_guess
from flythrough.train.fly.page.commands import Command
from flythrough.train.fly.page.flight import SteeredFlight
from flythrough.train.fly.page.gallery import picture_file, read_still
from flythrough.train.fly.shipped import NAME, shipped_checkpoint
from flythrough.train.fly.web_folder import STATIC, export_web
from flythrough.train.model.native import load_checkpoint
from flythrough.train.model.network import InfiniteNature
from flythrough.train.model.sky import keep_sky
from tests.train.browsing import PIXELS, Visit, check_accessibility, expect, reach

RUNTIME = Path(os.environ.get("ONNXRUNTIME_WEB", "node_modules/onnxruntime-web"))
SCRIPT = """
import fs from "node:fs";
import { clipMatrix, render } from "./mesh.js";
import { fly, knownGround, moveBetween, poseOf, takeoff } from "./pilot.js";
import { keepSky } from "./sky.js";
const { width, height, intrinsics, maxSobel, commands } = JSON.parse(fs.readFileSync("in.json"));
const data = fs.readFileSync("in.bin");
const rgbd = new Float32Array(data.buffer.slice(data.byteOffset, data.byteOffset + data.length));
const seen = new Float32Array(new Uint8Array(fs.readFileSync("seen.bin")).buffer);
let course = takeoff();
const ground = knownGround(rgbd.subarray(3 * width * height), width, height, intrinsics);
const poses = commands.map((command) => {
  course = fly(course, seen, width, intrinsics, command, ground);
  return poseOf(course);
});
const move = moveBetween(poseOf(takeoff()), poses.at(-1));
const matrix = clipMatrix(move, intrinsics);
const { rendered, mask } = render(rgbd, width, height, intrinsics, matrix, maxSobel);
const kept = Float32Array.from(rendered);
keepSky(kept, rgbd, move, width, height, intrinsics);
fs.writeFileSync("out.bin", Buffer.concat([rendered, mask, kept].map((each) => Buffer.from(each.buffer))));
fs.writeFileSync("out.json", JSON.stringify(poses));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("speed", [20, -60])
def test_renderer_sky_and_autopilot_in_javascript(tmp_path: Path, speed: int) -> None:
    height, width, steepness = 96, 160, 0.2
    start = read_still("island-9002", height, width)
    commands = [Command(120, -40, speed)] * 3 + [Command(0, -40, speed)] * 2
    for name in ("mesh.js", "pilot.js", "sky.js"):
        shutil.copyfile(STATIC / name, tmp_path / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(SCRIPT)
    about = {"width": width, "height": height, "intrinsics": [float(v) for v in start.intrinsics]}
    about |= {"maxSobel": steepness, "commands": [each._asdict() for each in commands]}
    (tmp_path / "in.json").write_text(json.dumps(about))
    (tmp_path / "in.bin").write_bytes(start.rgbd.astype("<f4").tobytes())
    seen = start.rgbd[3].copy()  # on the way, little land is left to the right
    seen[:, :130] = np.quantile(seen, 0.1, axis=1, keepdims=True)
    (tmp_path / "seen.bin").write_bytes(seen.astype("<f4").tobytes())
    subprocess.run(["node", "run.js"], cwd=tmp_path, check=True, timeout=60)

    pilot = Autopilot.from_start(start.rgbd[3], start.intrinsics, speed=speed / 100, land=LAND)
    poses = [pilot.next_pose(seen, (each.x / 100, each.y / 100)) for each in commands]
    np.testing.assert_allclose(json.loads((tmp_path / "out.json").read_text()), poses, atol=1e-9)

    def without(land: float) -> list[np.ndarray]:
        unaware = Autopilot(start.intrinsics, speed=speed / 100, land=land)
        return [unaware.next_pose(seen, (each.x / 100, each.y / 100)) for each in commands]

    assert np.array_equal(without(LAND), poses) == (speed < 0)  # forwards, it climbs over ground that it knows
    assert not np.array_equal(without(LAND), without(0.0))
    home, lens = torch.eye(3, 4)[None], torch.from_numpy(start.intrinsics).float()[None]
    move = torch.from_numpy(compose(poses[-1], invert(identity_pose()))).float()[None]
    wanted, mask = render(torch.from_numpy(start.rgbd)[None], home, lens, move, lens, max_sobel=steepness)
    got = np.frombuffer((tmp_path / "out.bin").read_bytes(), "<f4").reshape(9, height, width)
    shown = (torch.from_numpy(x.copy())[None].double() for x in (got[:4], start.rgbd, poses[-1], start.intrinsics))
    kept = keep_sky(*shown)[0].numpy()  # JavaScript counts in double precision, too
    np.testing.assert_allclose(got[5:], kept, atol=1e-4)
    assert 0.05 < (kept != got[:4]).any(0).mean() < 0.9  # sky there is
    off = np.abs(got[:5] - torch.cat([wanted, mask], 1)[0].numpy()).max(0)
    assert (off > 1e-4).mean() < 1e-3  # a rounding apart, another of two equally near surfaces is seen
    assert 0.02 < (got[4] < 0.5).mean() < 0.9  # holes there are


def test_a_folder_without_the_runtime_is_refused(tmp_path: Path) -> None:
    model = load_checkpoint(shipped_checkpoint())
    with pytest.raises(InputError, match="npm install onnxruntime-web@"):
        export_web(model, tmp_path / "web", NAME, tmp_path)
    assert not (tmp_path / "web").exists()


GUESS = """
import fs from "node:fs";
import { guessDisparity } from "./depth_guess.js";
import { resample } from "./photo.js";
const { disparity, horizon } = guessDisparity(new Uint8Array(fs.readFileSync("in.bin")), 128, 77);
fs.writeFileSync("out.bin", Buffer.from(Float32Array.from(disparity).buffer));
fs.writeFileSync("small.bin", Buffer.from(resample(disparity, 128, 77, 50, 30).buffer));
fs.writeFileSync("out.json", JSON.stringify(horizon));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
@pytest.mark.parametrize("picture", ["island", "lawn", "wall"])
def test_the_rough_guess_in_javascript(tmp_path: Path, picture: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth_guess, "WORK_WIDTH", 128)
    image = cv2.resize(cv2.imread(str(picture_file("island-9002")))[..., ::-1], (128, 77), interpolation=cv2.INTER_AREA)
    if picture != "island":  # no sky
        image = np.random.default_rng(0).integers(90, 160, image.shape).astype(np.uint8)
    if picture == "lawn":
        image[:30] = (110, 180, 90)
    image = np.ascontiguousarray(image)
    for name in ("depth_guess.js", "photo.js"):
        shutil.copyfile(STATIC / name, tmp_path / name)
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "run.js").write_text(GUESS)
    (tmp_path / "in.bin").write_bytes(image.tobytes())
    subprocess.run(["node", "run.js"], cwd=tmp_path, check=True, timeout=60)
    wanted = depth_guess.guess_disparity(image)
    got = np.frombuffer((tmp_path / "out.bin").read_bytes(), "<f4").reshape(77, 128)
    assert (wanted.horizon > 0) == (picture == "island")
    assert json.loads((tmp_path / "out.json").read_text()) == pytest.approx(wanted.horizon, abs=1e-6)
    assert np.abs(got - wanted.disparity).mean() < 1e-3  # L of CIE Lab is rounded to 8 bits there
    small = np.frombuffer((tmp_path / "small.bin").read_bytes(), "<f4").reshape(30, 50)
    np.testing.assert_allclose(small, cv2.resize(got, (50, 30), interpolation=cv2.INTER_AREA), atol=1e-5)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(model: InfiniteNature, folder: Path) -> Iterator[str]:
    """The address of the model's web folder on a plain file server."""
    pytest.importorskip("onnx", reason="onnx is not installed: pip install 'flythrough[export]'")
    if not RUNTIME.is_dir():
        pytest.skip("no onnxruntime-web: npm install onnxruntime-web, or set ONNXRUNTIME_WEB to its folder")
    export_web(model, folder, NAME, RUNTIME)
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    with served(load_checkpoint(shipped_checkpoint()), tmp_path / "web") as address:
        yield address


@pytest.fixture
def small(tmp_path: Path) -> Iterator[str]:
    torch.manual_seed(0)
    with served(InfiniteNature(32, 64, base_width=2, style_size=8).eval(), tmp_path / "web") as address:
        yield address


def test_the_first_frame_in_chromium_is_pytorchs(address: str, browser: Any) -> None:
    flight = SteeredFlight(load_checkpoint(shipped_checkpoint()), read_still("island-9000", 96, 160))
    flight.step(Command())
    visit = Visit(browser)
    page = visit.open(address)
    page.keyboard.press(".")
    expect(page.locator("#view")).to_have_attribute("data-step", "1", timeout=60_000)
    data = page.evaluate(PIXELS)[0].split(",")[1]
    got = np.array(Image.open(io.BytesIO(base64.b64decode(data))).convert("RGB"), dtype=float)
    psnr = 10 * np.log10(255**2 / ((got - flight.picture()) ** 2).mean())
    assert psnr > 30
    visit.check(address)


def test_a_photo_a_film_and_a_link_without_a_server(small: str, browser: Any, tmp_path: Path) -> None:
    y, x = np.mgrid[:72, :120]
    Image.fromarray(np.stack([x, y, 0 * x + 90], -1).astype(np.uint8)).save(tmp_path / "photo.png")
    visit = Visit(browser, viewport={"width": 390, "height": 844}, accept_downloads=True)
    page = visit.open(small)
    view = page.locator("#view")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    page.locator("#file").set_input_files(str(tmp_path / "photo.png"))
    expect(page.locator("#note")).to_contain_text(
        "photo.png: cropped about its middle; disparity: rough guess", timeout=60_000
    )
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.press("f")
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    for step in (1, 2, 3):
        page.keyboard.press(".")
        expect(view).to_have_attribute("data-step", str(step), timeout=60_000)
    expect(page.locator("#parts")).to_contain_text(re.compile(r"to render, .* for the network \(WASM\)"))
    flown = page.evaluate(PIXELS)
    page.keyboard.press("f")
    reach(page, "#film")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    with Image.open(download.value.path()) as film:
        assert (film.format, film.n_frames, film.size) == ("WEBP", 3, (64, 32))
        film.seek(2)
        last = np.array(film.convert("RGB"), dtype=float)
    shown = np.array(Image.open(io.BytesIO(base64.b64decode(flown[0].split(",")[1]))).convert("RGB"), dtype=float)
    assert np.abs(last - shown).mean() < 12  # of 255; lossy
    check_accessibility(page)
    page.keyboard.press("l")
    expect(page.locator("#share")).to_have_attribute("data-link", re.compile("#start=photo-[0-9a-f]{8}&seed=0&log=3"))
    shared = page.url
    visit.check(small)
    visit = Visit(browser)
    page = visit.page
    page.goto(shared)
    expect(page.locator("#message")).to_contain_text("Upload the same one", timeout=60_000)
    page.locator("#file").set_input_files(str(tmp_path / "photo.png"))
    expect(page.locator("#note")).to_contain_text("repeat the flight", timeout=60_000)
    page.locator("#play").click()
    expect(page.locator("#view")).to_have_attribute("data-step", "3", timeout=60_000)
    expect(page.locator("#play")).to_have_text("Play")
    assert page.evaluate(PIXELS) == flown
    page.locator("#file").set_input_files({"name": "x.png", "mimeType": "image/png", "buffer": b"nothing"})
    expect(page.locator("#message")).to_contain_text("not a picture", timeout=60_000)
    visit.check(small)
