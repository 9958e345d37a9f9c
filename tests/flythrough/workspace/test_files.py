"""Files are complete or absent."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from flythrough.errors import DiskError
from flythrough.workspace import files


def test_publish_replaces_in_one_step(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    files.write_text(target, "old")
    with files.publish(target) as scratch:
        scratch.write_text("new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert os.listdir(target.parent) == ["file.txt"]


def test_a_failure_leaves_the_old_file_and_no_litter(tmp_path: Path) -> None:
    target = tmp_path / "file.txt"
    files.write_text(target, "old")

    def write_half() -> None:
        with files.publish(target) as scratch:
            scratch.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert target.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


def test_a_full_disk_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"No space left.*Free some space"), files.publish(tmp_path / "x"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "x"))


def test_other_failures_of_the_system_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError), files.disk_errors(tmp_path):
        raise IsADirectoryError


def test_publish_folder_replaces_the_whole_folder(tmp_path: Path) -> None:
    for name, text in (("old", "1"), ("scratch", "2")):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}.txt").write_text(text)
    files.publish_folder(tmp_path / "scratch", tmp_path / "old")
    assert [p.name for p in tmp_path.rglob("*.txt")] == ["scratch.txt"]


def test_folder_hash_sees_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("1")
    first = files.sha256_of_folder(tmp_path)
    (tmp_path / "a" / "x").rename(tmp_path / "a" / "y")
    second = files.sha256_of_folder(tmp_path)
    (tmp_path / "a" / "y").write_text("2")
    assert len({first, second, files.sha256_of_folder(tmp_path)}) == 3


def test_content_keys_ignore_order_of_keys_only() -> None:
    assert files.content_key({"a": 1, "b": 2}) == files.content_key({"b": 2, "a": 1})
    assert files.content_key([1, 2]) != files.content_key([2, 1])
