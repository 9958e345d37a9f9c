"""A process that is killed while it puts a folder in place loses neither the old folder nor the new one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flythrough.workspace import files

# Dies at the Nth system call that changes the disk, as if by kill -9.
DRIVER = """
import ctypes, os, sys
from pathlib import Path
from flythrough.workspace import files

root, deadly, exchange = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] == "exchange"
count = 0

def dying(call):
    def wrapped(*arguments, **named):
        global count
        if count == deadly:
            os.kill(os.getpid(), 9)
        count += 1
        return call(*arguments, **named)
    return wrapped

for name in ("replace", "rename", "unlink", "rmdir", "fsync", "mkdir", "open"):
    setattr(os, name, dying(getattr(os, name)))
swap = files._exchange
files._exchange = dying(swap if exchange else lambda a, b: False)
files.publish_folder(root / ".new", root / "folder")
print(count)
"""


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def fill(folder: Path, word: str) -> dict[str, str]:
    for name in ("a.txt", "deep/b.txt"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(word)
    return contents(folder)


def run(root: Path, deadly: int, way: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", DRIVER, str(root), str(deadly), way], capture_output=True, text=True)


@pytest.mark.parametrize("way", ["exchange", "aside"])
def test_killed_at_every_system_call(tmp_path: Path, way: str) -> None:
    if way == "exchange" and sys.platform != "linux":
        pytest.skip("two folders are exchanged in one call on Linux only")
    deadly = 0
    while True:
        root = tmp_path / f"{way}-{deadly}"
        old, new = fill(root / "folder", "old"), fill(root / ".new", "new")
        ended = run(root, deadly, way)
        files.recover_folder(root / "folder")
        found = contents(root / "folder")
        if ended.returncode == 0:
            break
        assert ended.returncode == -9, ended.stderr
        assert found in (old, new), f"killed at call {deadly}"
        # Whoever runs the work again publishes over it, whatever is there.
        again = fill(root / ".again", "again")
        files.publish_folder(root / ".again", root / "folder")
        assert contents(root / "folder") == again
        deadly += 1
    assert deadly >= 8  # it did die at many places
    assert found == new
    assert sorted(os.listdir(root)) == ["folder"]
