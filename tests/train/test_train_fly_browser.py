"""The page to fly on in a real browser: keyboard only, a phone, a link that repeats, and axe-core's findings."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from flythrough.media.video_reader import frame_times
from flythrough.train.model.native import save_checkpoint
from flythrough.train.model.network import InfiniteNature

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip
MANY = re.compile(r"^\d\d+$")
PIXELS = "() => [...document.querySelectorAll('#view canvas')].map((each) => each.toDataURL())"
PAD = """() => {
  const pad = { connected: true, axes: [1, 0], buttons: Array.from({ length: 16 }, () => ({ pressed: false })) };
  navigator.getGamepads = () => [pad];
  dispatchEvent(new Event("gamepadconnected"));
  window.pad = pad;
}"""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The command itself, in a process of its own, with two models."""
    folder = tmp_path_factory.mktemp("page")
    command = [sys.executable, "-c", "from flythrough.cli.app import main; main()", "fly", "--no-open"]
    command += ["--device", "cpu", "--workspace", str(folder / "w"), "--depth", "rough"]
    for seed, name in enumerate(("early", "late")):
        torch.manual_seed(seed)
        model = InfiniteNature(32, 64, base_width=2, style_size=8, max_sobel=0.6).eval()
        save_checkpoint(folder / name, model, {"step": 3})
        command += ["--checkpoint", str(folder / name)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:\d+/\?token=\S+", process.stdout.readline())
    assert found is not None
    yield found.group(0)
    process.kill()
    process.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as tool:
        own = Path(tool.chromium.executable_path)
        if not CHROMIUM.exists() and not own.exists():
            pytest.skip("no Chromium: apt install chromium, or: playwright install chromium")
        browser = tool.chromium.launch(executable_path=str(CHROMIUM if CHROMIUM.exists() else own), args=ARGUMENTS)
        yield browser
        browser.close()


class Visit:
    """A page with what went wrong on it, and whom it asked."""

    def __init__(self, browser: Any, **options: object) -> None:
        self.page = browser.new_context(**options).new_page()
        self.problems: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("request", lambda request: self.asked.add(re.sub(r"^(\w+://[^/]*).*", r"\1", request.url)))

    def open(self, address: str) -> Any:
        self.page.goto(address)
        expect(self.page.locator("#view")).to_have_attribute("data-step", "0", timeout=30_000)
        return self.page

    def check(self, address: str) -> None:
        assert self.problems == []
        assert self.asked <= {address.partition("/?")[0], "data:,"}  # nothing from elsewhere
        self.page.context.close()


def reach(page: Any, wanted: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(60):
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached with Tab")


def test_flying_with_the_keyboard_only(address: str, browser: Any, tmp_path: Path) -> None:
    visit = Visit(browser, accept_downloads=True)
    page = visit.open(address)
    view = page.locator("#view")
    expect(page.locator("#gallery button")).to_have_count(4)
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
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("axe-core is not installed: pip install axe-playwright-python")
    visit = Visit(browser, **look)
    page = visit.open(address)
    page.locator("summary").click()
    page.keyboard.press(".")
    expect(page.locator("#view")).to_have_attribute("data-step", "1")
    page.evaluate(Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run()")
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
    assert len(found["passes"]) > 15
    visit.check(address)
