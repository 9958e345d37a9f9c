"""Fixtures that every stage's tests share."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jaxtyping import config, install_import_hook

from tests import typechecked

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]  # fmt: skip

# Before any module of the package is imported: from here on, a signature that lies fails the test that calls it. It
# takes the tests half as long again or more, so it is optional (make test-types).
if os.environ.get("FLYTHROUGH_CHECK_TYPES"):
    install_import_hook(list(typechecked.modules()), "tests.typechecked.check")

# A script that starts the tests with "&" has them ignore Ctrl-C, and so would the commands that they send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def unchecked() -> Iterator[None]:
    """For tests of what is refused: wrong types reach the function's own checks."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A Chromium, headless: the system's, else playwright's own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as tool:
        own = Path(tool.chromium.executable_path)
        if not CHROMIUM.exists() and not own.exists():
            pytest.skip("no Chromium: apt install chromium, or: playwright install chromium")
        browser = tool.chromium.launch(executable_path=str(CHROMIUM if CHROMIUM.exists() else own), args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real footage beside the checkout; tests that want it are skipped where it is absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real footage: {folder} is absent")
    return folder
