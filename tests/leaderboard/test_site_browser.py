"""The site in a real browser, from disk: sort, filter, compare, permanent links, keyboard only, axe-core's findings."""

from __future__ import annotations

import importlib.util
import os
import re
from pathlib import Path
from typing import Any

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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of a built site on disk."""
    folder = tmp_path_factory.mktemp("site")
    workspace = make_workspace(tmp_path_factory.mktemp("w") / "w")
    write_site(folder, site_files(gather(workspace), CONFIG))
    return f"{folder.as_uri()}/"


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
