"""The site in a real browser, from disk: sort, filter, compare, permanent links, keyboard only, axe-core's findings."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flythrough.leaderboard.site.build import site_files
from flythrough.leaderboard.site.listing import write_site
from flythrough.leaderboard.standing.gather import gather
from flythrough.results.schema import rows_of
from flythrough.workspace.files import write_json
from tests.leaderboard.site_world import CONFIG, HASH, make_workspace, result

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

PAGES = ("index.html", "methods/alpha.html", f"protocols/{HASH[:16]}.html", "compare.html")
SHOWN = "() => [...document.querySelectorAll('canvas')].map((c) => Number(c.dataset.step))"
TIMES = "() => [...document.querySelectorAll('video')].map((v) => v.currentTime)"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a built site on disk."""
    folder = tmp_path_factory.mktemp("site")
    workspace = make_workspace(tmp_path_factory.mktemp("w") / "w")
    write_site(folder, site_files(gather(workspace), CONFIG))
    return f"{folder.as_uri()}/"


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A built site whose flights are videos too; the frame of step k is grey of level 20 k."""
    pytest.importorskip("ffmpeg", reason="the extra video is not installed")
    folder = tmp_path_factory.mktemp("films")
    workspace = make_workspace(tmp_path_factory.mktemp("v") / "w")
    write_site(folder, site_files(gather(workspace), CONFIG.model_copy(update={"video": True})))
    return folder


class Visit:
    """A page with what went wrong on it, and whom it asked."""

    def __init__(self, browser: Any, site: str, **options: object) -> None:
        self.page, self.site = browser.new_context(**options).new_page(), site
        self.problems: list[str] = []
        self.asked: list[str] = []
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("requestfailed", lambda request: self.problems.append(request.url))
        self.page.on("request", lambda request: self.asked.append(request.url))

    def open(self, path: str) -> Any:
        self.page.goto(self.site + path)
        return self.page

    def check(self) -> None:
        assert self.problems == []
        assert [url for url in self.asked if not url.startswith((self.site, "data:"))] == []


def compare_films(browser: Any, folder: Path) -> Visit:
    """The page of comparisons, its two flights on show."""
    visit = Visit(browser, f"{folder.as_uri()}/")
    page = visit.open("compare.html")
    if not page.evaluate("document.createElement('video').canPlayType('video/mp4; codecs=avc1.42E01E')"):
        pytest.skip("this browser plays no H.264")
    expect(page.locator("video").last).to_have_attribute("data-step", "1")
    return visit


def until(page: Any, holds: str | Callable[[], bool]) -> None:
    """Wait for a condition; playwright's own wait evaluates a string, which the pages' policy forbids."""
    for _ in range(500):
        if page.evaluate(holds) if isinstance(holds, str) else holds():
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"never: {holds}")


def grey(video: Any) -> float:
    """The mean level of what a video shows."""
    return float(cv2.imdecode(np.frombuffer(video.screenshot(), np.uint8), cv2.IMREAD_GRAYSCALE).mean())


def names(page: Any) -> list[str]:
    rows = page.locator("table.board").first.locator("tbody tr:visible td.method a")
    return [str(text) for text in rows.all_text_contents()]


def test_sorting_and_filtering(browser: Any, site: str) -> None:
    visit = Visit(browser, site)
    page = visit.open("index.html")
    assert names(page) == ["alpha", "beta", "gamma", "delta"]
    head = page.locator("table.board").first.get_by_role("button", name="Method")
    head.click()
    head.click()
    assert names(page) == ["gamma", "delta", "beta", "alpha"]
    page.get_by_label("Methods whose name has").fill("ET")
    assert names(page) == ["beta"]
    expect(page.locator("#shown")).to_have_text("2 of 8 rows")
    page.get_by_label("Methods whose name has").fill("")
    page.get_by_role("link", name="gamma").first.click()
    expect(page.locator("h1")).to_have_text("gamma")
    assert page.url.endswith(f"methods/gamma.html#{HASH[:8]}")
    visit.check()


@pytest.mark.parametrize("path", ["index.html", "methods/alpha.html"])
def test_reading_a_plot(browser: Any, site: str, path: str) -> None:
    visit = Visit(browser, site)
    page = visit.open(path)
    plot = page.locator("figure.plot:has(g[data-line])").first
    alpha, line = plot.get_by_role("button", name="alpha"), plot.locator('g[data-line="alpha"]')
    expect(plot.locator("output")).to_have_text("Step 8")
    expect(alpha).to_have_text("alpha 110")
    plot.get_by_role("slider").press("Home")
    expect(plot.locator("output")).to_have_text("Step 4")
    expect(alpha).to_have_text("alpha 100")
    box = plot.locator("svg").bounding_box()
    plot.locator("svg").hover(position={"x": 0.7 * box["width"], "y": 0.5 * box["height"]})  # near the last step
    expect(alpha).to_have_text("alpha 110")
    alpha.click()
    expect(line).to_be_hidden()
    expect(alpha).to_have_attribute("aria-pressed", "false")
    alpha.click()
    expect(line).to_be_visible()
    visit.check()


def test_a_long_table(browser: Any, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "w")
    records = {f"evaluate/m{k:02d}.0/results.json": result(f"m{k:02d}", 30.0 + k, k) for k in range(60)}
    for file, record in records.items():
        write_json(workspace / file, record.model_dump(mode="json"))
    more = [row for file, record in records.items() for row in rows_of(record, file)]
    workspace.write("results", [*workspace.rows("results"), *more])
    write_site(tmp_path / "s", site_files(gather(workspace), CONFIG))
    visit = Visit(browser, f"{(tmp_path / 's').as_uri()}/")
    page = visit.open("index.html")
    whole = page.locator("button.more").first
    expect(whole).to_be_visible()
    first = names(page)
    assert 0 < len(first) < 60
    head = page.locator("table.board").first.get_by_role("button", name="Method")
    head.click()
    head.click()
    assert names(page)[:2] == ["m59", "m58"]  # of all rows, not only of those that were shown
    page.get_by_label("Methods whose name has").fill("m0")
    assert names(page) == [f"m0{k}" for k in range(9, -1, -1)]
    page.get_by_label("Methods whose name has").fill("")
    whole.click()
    assert len(names(page)) > 60
    expect(whole).to_be_hidden()
    last = next(f"m{k:02d}" for k in range(60) if f"m{k:02d}" not in first)
    again = Visit(browser, visit.site)
    page = again.open(f"index.html#{HASH[:8]}-0-{last}")  # a permanent link to a row that is not among the first
    expect(page.locator("tr:target td.method")).to_have_text(last)
    visit.check()
    again.check()


def test_one_protocol_at_a_time(browser: Any, tmp_path: Path) -> None:
    workspace, other = make_workspace(tmp_path / "w"), "cd" * 32
    record = result("omega", 22.0, 9)
    later = record.model_copy(
        update={"protocol": record.protocol.model_copy(update={"name": "hills-v1", "hash": other})}
    )
    write_json(workspace / "evaluate/omega.0/results.json", later.model_dump(mode="json"))
    workspace.write("results", [*workspace.rows("results"), *rows_of(later, "evaluate/omega.0/results.json")])
    os.utime(workspace / "evaluate/delta.0/results.json", (10**9, 10**9))  # 2001
    write_site(tmp_path / "s", site_files(gather(workspace), CONFIG))
    visit = Visit(browser, f"{(tmp_path / 's').as_uri()}/")
    page = visit.open("index.html")
    assert names(page) == ["alpha", "beta", "gamma", "delta"]
    assert [Path(url).suffix for url in visit.asked] == [".html"]
    page.get_by_label("Year").select_option("2001")
    assert names(page) == ["delta"]
    page.get_by_label("Year").select_option("all")
    page.get_by_label("Metric").select_option("psnr")
    expect(page.locator("section.table").first).to_be_hidden()
    expect(page.locator("section.table").last).to_be_visible()
    expect(page.locator("section.table").last.locator("th:visible")).to_have_count(3)
    page.get_by_label("Metric").select_option("all")
    page.get_by_label("Protocol").select_option("hills-v1")
    expect(page.locator("h2").first).to_have_text("hills-v1")
    assert names(page) == ["omega"]
    assert page.url.endswith(f"#protocol-{other[:8]}")
    again = Visit(browser, visit.site)
    page = again.open(f"index.html#{other[:8]}-0-omega")  # a permanent link to a row
    expect(page.locator("tr:target td.method")).to_have_text("omega")
    page.get_by_label("Protocol").select_option("coasts-v1")
    assert names(page) == ["alpha", "beta", "gamma", "delta"]
    visit.check()
    again.check()


def test_comparing_and_its_permanent_link(browser: Any, site: str) -> None:
    visit = Visit(browser, site)
    page = visit.open("compare.html")
    expect(page.locator("#boards")).to_contain_text("not distinguishable")
    expect(page.locator("canvas").first).to_have_attribute("data-step", "1")
    page.locator("#b").select_option(label="gamma")
    expect(page.locator("#boards")).to_contain_text("By psnr: alpha is better")
    page.locator("#step").press("ArrowRight")
    page.locator("#step").press("ArrowRight")
    assert page.evaluate(SHOWN) == [3, 3]
    page.locator("#metric").select_option("style_lite0")
    expect(page.locator("#count")).to_contain_text("higher on 0 of 6 starts")
    link = page.url
    assert {"a=alpha", "b=gamma", "step=3", "metric=style_lite0"} <= set(re.split("[#&]", link))
    again = Visit(browser, site)
    page = again.page
    page.goto(link)
    expect(page.locator("#b option:checked")).to_have_text("gamma")
    expect(page.locator("canvas").last).to_have_attribute("data-step", "3")
    expect(page.locator("#metric")).to_have_value("style_lite0")
    visit.check()
    again.check()


def test_one_slider_over_two_videos(browser: Any, films: Path) -> None:
    visit = compare_films(browser, films)
    page = visit.page
    videos = page.locator("video")
    expect(page.locator("canvas").first).to_be_hidden()
    page.locator("#step").focus()
    for _ in range(6):
        page.keyboard.press("ArrowRight")
    expect(page.locator("#step-text")).to_have_text("Step 7")
    until(page, f"({TIMES})().every((t) => Math.abs(t - 0.65) < 1e-6)")
    assert [videos.nth(side).get_attribute("aria-label") for side in (0, 1)] == ["alpha, step 7", "beta, step 7"]
    until(page, lambda: all(abs(grey(videos.nth(side)) - 140) < 6 for side in (0, 1)))
    assert "step=7" in page.url
    visit.check()


def test_two_videos_play_together(browser: Any, films: Path) -> None:
    visit = compare_films(browser, films)
    page = visit.page
    page.locator("#play").focus()
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator("#step-text")).to_have_text(re.compile("Step [3-8]"))
    until(page, "document.querySelector('video').currentTime > 0.6")
    until(page, "document.querySelector('video').currentTime < 0.4")  # from the beginning again
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_text("Play")
    until(page, "[...document.querySelectorAll('video')].every((v) => v.paused && !v.seeking)")
    one, other = page.evaluate(TIMES)
    assert one == other
    expect(page.locator("#step-text")).to_have_text(f"Step {int(10 * one) + 1}")
    visit.check()


def test_a_video_that_does_not_play_is_shown_from_its_sheet(browser: Any, films: Path, tmp_path: Path) -> None:
    shutil.copytree(films, tmp_path / "s")
    for file in (tmp_path / "s/frames").rglob("*.mp4"):
        if "beta" in file.parts:
            file.write_bytes(b"no video")
    page = Visit(browser, f"{(tmp_path / 's').as_uri()}/").open("compare.html")
    expect(page.locator("canvas").last).to_have_attribute("data-step", "1")
    expect(page.locator("canvas").first).to_be_visible()
    expect(page.locator("video").first).to_be_hidden()
    page.locator("#step").press("ArrowRight")
    assert page.evaluate(SHOWN) == [2, 2]


def test_a_link_to_what_is_not_there_shows_something_else(browser: Any, site: str) -> None:
    visit = Visit(browser, site)
    page = visit.open("compare.html#protocol=%3Cimg%3E&a=../../evil&b=<script>&start=x&step=1e99&metric=y")
    expect(page.locator("#boards")).to_contain_text("View synthesis")
    assert [Path(url).name for url in visit.asked if url.endswith(".js")] == ["alpha.js", "beta.js"]
    visit.check()


def test_keyboard_only_on_a_phone(browser: Any, site: str) -> None:
    visit = Visit(browser, site, viewport={"width": 390, "height": 844}, color_scheme="dark")
    page = visit.open("index.html")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "alpha":
            break
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("alpha")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").startswith("Compare on"):
            break
    page.keyboard.press("Enter")
    expect(page.locator("#boards")).to_contain_text("alpha")
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "play":
            break
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_text("Pause")
    expect(page.locator("canvas").last).to_have_attribute("data-step", re.compile("[3-8]"))
    page.keyboard.press("Space")
    expect(page.locator("#play")).to_have_text("Play")
    visit.check()


@pytest.mark.parametrize("path", PAGES)
def test_axe_core_has_no_serious_finding_and_nothing_is_cut_off(browser: Any, site: str, path: str) -> None:
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("axe-core is not installed: pip install axe-playwright-python")
    looks: list[dict[str, Any]] = [
        {"color_scheme": "light"}, {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}},
    ]  # fmt: skip
    for look in looks:
        visit = Visit(browser, site, bypass_csp=True, **look)
        page = visit.open(path)
        if path == "compare.html":
            expect(page.locator("canvas").first).to_have_attribute("data-step", "1")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.evaluate(Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
        found = page.evaluate("() => axe.run()")
        serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
        assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
        visit.check()
