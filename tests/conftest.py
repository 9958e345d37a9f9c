"""Fixtures that every stage's tests share."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

# A script that starts the tests with "&" has them ignore Ctrl-C, and so would the commands that they send it to.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real footage beside the checkout; tests that want it are skipped where it is absent."""
    folder = Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real footage: {folder} is absent")
    return folder
