"""A Chromium for the tests that need one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as tool:
        own = Path(tool.chromium.executable_path)
        if not CHROMIUM.exists() and not own.exists():
            pytest.skip("no Chromium: apt install chromium, or: playwright install chromium")
        browser = tool.chromium.launch(executable_path=str(CHROMIUM if CHROMIUM.exists() else own), args=ARGUMENTS)
        yield browser
        browser.close()
