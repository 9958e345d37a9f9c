"""Chromium for tests of the page to fly on: visits that note what went wrong, and axe-core."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = sync_api.expect

MANY = re.compile(r"^\d\d+$")
PIXELS = "() => [...document.querySelectorAll('#view canvas')].map((each) => each.toDataURL())"


class Visit:
    """A page with what went wrong on it, and whom it asked."""

    def __init__(self, browser: Any, **options: object) -> None:
        self.page = browser.new_context(**options).new_page()
        self.problems: list[str] = []
        self.asked: set[str] = set()
        self.page.on("console", lambda m: self.problems.append(m.text) if m.type in ("error", "warning") else None)
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on(
            "request", lambda request: self.asked.add(re.sub(r"^(?:blob:)?(\w+://[^/]*).*", r"\1", request.url))
        )

    def open(self, address: str) -> Any:
        self.page.goto(address)
        expect(self.page.locator("#view")).to_have_attribute("data-step", "0", timeout=120_000)
        return self.page

    def check(self, address: str) -> None:
        assert self.problems == []
        assert self.asked <= {address.partition("/?")[0].rstrip("/"), "data:,"}  # nothing from elsewhere
        self.page.context.close()


def reach(page: Any, wanted: str) -> None:
    """Press Tab until the element has the focus."""
    for _ in range(60):
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", wanted):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{wanted} is not reached with Tab")


def check_accessibility(page: Any) -> None:
    """axe-core finds nothing serious on the page as it is."""
    package = importlib.util.find_spec("axe_playwright_python")
    if package is None or package.origin is None:
        pytest.skip("axe-core is not installed: pip install axe-playwright-python")
    page.evaluate(Path(package.origin).with_name("axe.min.js").read_text(encoding="utf-8"))
    found = page.evaluate("() => axe.run()")
    serious = [each for each in found["violations"] if each["impact"] in ("serious", "critical")]
    assert [(each["id"], each["nodes"][0]["html"]) for each in serious] == []
    assert len(found["passes"]) > 15
