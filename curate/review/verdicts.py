"""A person's verdicts on shots, in an append-only file that loses none once it is acknowledged."""

from __future__ import annotations

import fcntl
import json
import os
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path

from flythrough.errors import InputError
from flythrough.workspace.files import disk_errors, fsync

FILE = "curate/verdicts.jsonl"


@dataclass(frozen=True)
class Verdict:
    """One decision; the last one on a shot counts. ``verdict``: accept, reject, or undo (removes the one before)."""

    id: str
    verdict: str
    reason: str = ""
    time: str = ""  # ISO 8601


def append_verdicts(root: Path, verdicts: list[Verdict]) -> None:
    """Add verdicts to the workspace's file; they are on disk when this returns."""
    path = Path(root) / FILE
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        lines = "".join(json.dumps(asdict(v), sort_keys=True) + "\n" for v in verdicts)
        with open(path, "ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if file.tell() and not _ends_a_line(path):
                lines = "\n" + lines  # a killed process left an incomplete line, which was never acknowledged
            new = file.tell() == 0
            file.write(lines.encode())
            file.flush()
            os.fsync(file.fileno())
        if new:  # a new file's name, and that of its folder, are not on disk before the folders that hold them
            fsync(path.parent)
            fsync(path.parent.parent)


def _ends_a_line(path: Path) -> bool:
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) == b"\n"


def read_verdicts(root: Path) -> dict[str, Verdict]:
    """The verdict that counts for each shot.

    Raises:
        InputError: a line is not a verdict. An incomplete line is skipped: it was never acknowledged.
    """
    path = Path(root) / FILE
    if not path.exists():
        return {}
    stacks: dict[str, list[Verdict]] = defaultdict(list)
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            verdict = Verdict(**json.loads(line))
        except json.JSONDecodeError:
            continue
        except TypeError as error:
            raise InputError(f"{path}:{number} is not a verdict ({error})", remedy="Fix or remove the line") from None
        if verdict.verdict == "undo":
            if stacks[verdict.id]:
                stacks[verdict.id].pop()
        else:
            stacks[verdict.id].append(verdict)
    return {id: stack[-1] for id, stack in stacks.items() if stack}
