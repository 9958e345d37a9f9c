"""A fixed port keeps its token, and only the user can read it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flythrough.web.serve import _kept_token


def test_a_port_keeps_its_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    token = _kept_token(8123)
    assert len(token) == 32
    assert _kept_token(8123) == token != _kept_token(8124)
    file = tmp_path / "flythrough" / "pages" / "8123"
    if os.name != "nt":
        assert file.stat().st_mode & 0o777 == 0o600
        file.chmod(0o644)  # others may have read it
        assert _kept_token(8123) != token
        file.chmod(0o600)
    for text in ("", "short", "ä" * 32, token + "\n"):
        file.write_text(text, encoding="utf-8")
        assert len(_kept_token(8123)) == 32
        assert _kept_token(8123) != text


def test_without_a_folder_to_write_the_token_is_new(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert _kept_token(8123) != _kept_token(8123)
