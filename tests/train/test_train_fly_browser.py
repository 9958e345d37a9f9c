"""The page to fly on in a real browser: keyboard only, a phone, a link that repeats, and axe-core's findings."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import uvicorn
from PIL import Image

from flythrough.media.video_reader import frame_times
from flythrough.train.fly.page.server import make_app
from flythrough.train.fly.page.service import Service
from flythrough.train.model.native import save_checkpoint
from flythrough.train.model.network import InfiniteNature
from tests.train.browsing import MANY, PIXELS, Visit, check_accessibility, expect, reach

PAD = """() => {
  const pad = { connected: true, axes: [1, 0], buttons: Array.from({ length: 16 }, () => ({ pressed: false })) };
  navigator.getGamepads = () => [pad];
  dispatchEvent(new Event("gamepadconnected"));
  window.pad = pad;
}"""


FLY = [sys.executable, "-c", "from flythrough.cli.app import main; main()", "fly", "--no-open", "--device", "cpu",
       "--depth", "rough"]  # fmt: skip


def printed(process: subprocess.Popen[str]) -> str:
    """The address that the command prints once it serves."""
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline())
    assert found is not None
    return found.group(0)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The command itself, in a process of its own, with two models."""
    folder = tmp_path_factory.mktemp("page")
    command = [*FLY, "--workspace", str(folder / "w")]
    for seed, name in enumerate(("early", "late")):
        torch.manual_seed(seed)
        model = InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6).eval()
        save_checkpoint(folder / name, model, {"step": 3})
        command += ["--checkpoint", str(folder / name)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    yield printed(process)
    process.kill()
    process.wait()


def test_flying_with_the_keyboard_only(address: str, browser: Any) -> None:
    visit = Visit(browser, accept_downloads=True)
    page = visit.open(address)
    view = page.locator("#view")
    expect(page.locator("#gallery button")).to_have_count(7)
    expect(view.locator("figcaption")).to_have_text(["early", "late"])
    page.keyboard.press(".")
    expect(view).to_have_attribute("data-step", "1")
    page.keyboard.press("f")
    expect(page.locator("#record")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press(" ")
    expect(page.locator("#play")).to_have_text("Pause")
    page.keyboard.down("ArrowRight")
    expect(view).to_have_attribute("data-step", MANY, timeout=30_000)
    page.keyboard.up("ArrowRight")
    reach(page, "#play")
    page.keyboard.press("Enter")
    expect(page.locator("#play")).to_have_text("Play")
    expect(page.locator("#said")).to_contain_text("Paused")
    expect(page.locator("#map")).to_have_attribute("aria-label", re.compile(r"\d ahead, \d+\.\d (left|right)"))
    page.keyboard.press("f")
    reach(page, "#film")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert len(frame_times(Path(download.value.path()))[1]) >= 9
    plain = page.evaluate(PIXELS)
    for _ in range(3):
        page.keyboard.press("o")
        expect(page.locator("#overlay")).not_to_have_value("picture")
    page.keyboard.press("o")
    page.keyboard.press(",")
    page.keyboard.press("r")
    expect(view).to_have_attribute("data-step", "0")
    assert page.evaluate(PIXELS) != plain
    reach(page, "#gallery [data-start=island-9002]")
    page.keyboard.press("Enter")
    expect(page.locator("[data-start=island-9002]")).to_have_attribute("aria-pressed", "true")
    reach(page, "summary")
    page.keyboard.press("Enter")
    reach(page, "#shortcuts")
    page.keyboard.press(" ")
    page.keyboard.press("v")
    assert not page.locator("#reverse").is_checked()
    visit.check(address)


def test_a_link_repeats_the_frames(address: str, browser: Any) -> None:
    visit = Visit(browser)
    page = visit.open(address)
    page.locator("#seed").fill("7")
    page.locator("#seed").press("Enter")
    page.evaluate("() => document.activeElement.blur()")
    page.keyboard.down("ArrowLeft")
    for step in range(1, 4):
        page.keyboard.press(".")
        expect(page.locator("#view")).to_have_attribute("data-step", str(step))
    page.keyboard.up("ArrowLeft")
    page.keyboard.press(".")
    expect(page.locator("#view")).to_have_attribute("data-step", "4")
    flown = page.evaluate(PIXELS)
    page.keyboard.press("l")
    expect(page.locator("#share")).to_have_attribute("data-link", re.compile("#start=island-9000&seed=7&log=3"))
    shared = page.url
    visit.check(address)
    visit = Visit(browser)
    page = visit.open(shared)
    expect(page.locator("#seed")).to_have_value("7")
    page.locator("#play").click()
    expect(page.locator("#view")).to_have_attribute("data-step", "4")
    expect(page.locator("#play")).to_have_text("Play")  # it ends where it was shared
    assert page.evaluate(PIXELS) == flown
    visit.check(address)
    visit = Visit(browser)
    visit.open(re.sub("models=.*", "models=0", shared))
    expect(visit.page.locator("#note")).to_contain_text("another model")
    visit.check(address)


@contextmanager
def serving(port: int = 0) -> Iterator[str]:
    """The address of a server of its own with one small model, which forgets everything when it ends."""
    torch.manual_seed(0)
    service = Service({"one": InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6).eval()}, depth="rough")
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen()
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(make_app(service, "t", port), log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}/?token=t"
        finally:
            server.should_exit = server.force_exit = True
            thread.join()


def test_two_sessions_at_once_do_not_disturb_each_other(browser: Any) -> None:
    def fly(visits: list[Visit]) -> list[list[str]]:
        for visit in visits:
            visit.page.locator("#play").click()
        for visit in visits:
            expect(visit.page.locator("#view")).to_have_attribute("data-step", "6", timeout=60_000)
            expect(visit.page.locator("#play")).to_have_text("Play")
        return [visit.page.evaluate(PIXELS) for visit in visits]

    with serving() as address:
        logs = [(0, "6.120.0.20"), (3, "6.-90.9.40")]
        flights = [f"{address}#start=island-9000&seed={seed}&log={log}" for seed, log in logs]
        visits = [Visit(browser) for _ in flights]
        for visit, flight in zip(visits, flights, strict=True):
            visit.open(flight)
        together = fly(visits)
        assert together[0] != together[1]
        for visit, pictures in zip(visits, together, strict=True):
            visit.page.locator("#restart").click()
            visit.page.reload()
            expect(visit.page.locator("#view")).to_have_attribute("data-step", "0", timeout=60_000)
            assert fly([visit]) == [pictures]  # alone
            visit.check(address)


def test_the_page_goes_on_with_a_server_that_was_started_again(browser: Any, tmp_path: Path) -> None:
    Image.new("RGB", (120, 72), (90, 120, 150)).save(tmp_path / "photo.png")
    page = Visit(browser).page
    view, note, message = page.locator("#view"), page.locator("#note"), page.locator("#message")
    with serving() as address:
        page.goto(address)
        expect(view).to_have_attribute("data-step", "0", timeout=60_000)
        page.locator("#file").set_input_files(str(tmp_path / "photo.png"))
        expect(note).to_contain_text("photo.png", timeout=60_000)
        page.evaluate("() => document.activeElement.blur()")
        for step in (1, 2, 3):
            page.keyboard.press(".")
            expect(view).to_have_attribute("data-step", str(step), timeout=60_000)
        flown = page.evaluate(PIXELS)
    expect(message).to_contain_text("continues when it is back", timeout=60_000)
    expect(page.locator("#play")).to_be_disabled()
    port = int(re.findall(r":(\d+)/", address)[0])
    with serving(port):
        expect(note).to_contain_text("repeating 3 steps", timeout=60_000)  # the photo is sent once more
        expect(view).to_have_attribute("data-step", "3", timeout=60_000)
        expect(page.locator("#play")).to_have_text("Play")
        expect(message).to_be_empty()
        assert page.evaluate(PIXELS) == flown
        page.keyboard.press(".")
        expect(view).to_have_attribute("data-step", "4", timeout=60_000)
    page.context.close()


def test_a_flight_whose_connection_breaks_goes_on(browser: Any) -> None:
    visit = Visit(browser)
    sockets: list[Any] = []

    def pass_on(socket: Any) -> None:
        socket.connect_to_server()
        sockets.append(socket)

    visit.page.route_web_socket(re.compile("/fly"), pass_on)
    with serving() as address:
        page = visit.open(address)
        view = page.locator("#view")
        page.locator("#speed").fill("40")
        page.locator("#play").click()
        expect(view).to_have_attribute("data-step", MANY, timeout=60_000)
        sockets[0].close(code=1011)
        expect(page.locator("#note")).to_contain_text("repeating", timeout=60_000)
        steps = int(re.findall(r"repeating (\d+) steps", page.locator("#note").inner_text())[0])
        page.wait_for_function("(steps) => Number(document.getElementById('view').dataset.step) > steps + 1", arg=steps)
        page.locator("#play").click()
        expect(page.locator("#play")).to_have_text("Play")
        page.locator("#share").click()
        expect(page.locator("#share")).to_have_attribute(
            "data-link", re.compile(r"log=\d+\.0\.0\.40&")
        )  # as it was set
        visit.check(address)


def test_photos_by_drop_paste_and_camera_and_a_gamepad_on_a_phone(address: str, browser: Any, tmp_path: Path) -> None:
    visit = Visit(browser, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    page = visit.open(address)
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
    assert page.locator("#snapshot").get_attribute("capture") == "environment"
    expect(page.locator("#camera")).to_be_visible()
    y, x = np.mgrid[:72, :120]
    Image.fromarray(np.stack([x, y, 0 * x + 90], -1).astype(np.uint8)).save(tmp_path / "photo.jpg")
    page.locator("#snapshot").set_input_files(str(tmp_path / "photo.jpg"))
    expect(page.locator("#note")).to_contain_text(re.compile("photo.jpg: .*rough guess"), timeout=30_000)
    for kind, field in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([kind, field, bytes]) => {
              const files = new DataTransfer();
              files.items.add(new File([new Uint8Array(bytes)], kind + ".jpg", { type: "image/jpeg" }));
              const event = new Event(kind, { bubbles: true, cancelable: true });
              event[field] = files;
              document.body.dispatchEvent(event);
            }""",
            [kind, field, list((tmp_path / "photo.jpg").read_bytes())],
        )
        expect(page.locator("#note")).to_contain_text(f"{kind}.jpg: ", timeout=30_000)
    page.evaluate(PAD)
    page.evaluate("() => (pad.buttons[0].pressed = true)")
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator("#view")).to_have_attribute("data-step", MANY, timeout=30_000)
    page.locator("#play").tap()
    page.locator("#share").tap()
    expect(page.locator("#share")).to_have_attribute("data-link", re.compile(r"\.120\.0\.20"))
    page.evaluate("() => (pad.connected = false)")
    assert visit.problems == []
    (tmp_path / "no_photo.jpg").write_bytes(b"nothing")
    page.locator("#file").set_input_files(str(tmp_path / "no_photo.jpg"))
    expect(page.locator("#message")).to_contain_text("not a picture", timeout=30_000)


@pytest.mark.parametrize(
    "look", [{"color_scheme": "light"}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}}]
)
def test_axe_core_has_no_serious_finding(address: str, browser: Any, look: dict[str, Any]) -> None:
    visit = Visit(browser, **look)
    page = visit.open(address)
    page.locator("summary").click()
    page.keyboard.press(".")
    expect(page.locator("#view")).to_have_attribute("data-step", "1")
    check_accessibility(page)
    visit.check(address)
