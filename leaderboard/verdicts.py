"""The verdicts of ``flythrough leaderboard check``: for the terminal, and for a comment."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from flythrough.errors import InputError
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import JsonObject
from flythrough.workspace.printing import number, one_line

from .rescore import rescore as score_again
from .submissions import check_submission, describe

_MARKUP = re.compile(r"([\\`*_\[\]<>|#@&~!])")  # @ would call somebody, # name an issue


@dataclass(frozen=True)
class Verdict:
    """The verdict on one submission.

    Attributes:
        name: of its file.
        refused: the reason in one line, or None.
        said: method, protocol and primary values; empty if it is refused.
        frames: number of frames that came with it.
    """

    name: str
    refused: str | None
    said: JsonObject
    frames: int = 0


def verdict(workspace: Workspace, path: Path, *, rescore: bool = False) -> Verdict:
    """Check one submission, and score its frames again if asked to; nothing is written to the workspace."""
    try:
        found = check_submission(workspace, path)
        if rescore:
            score_again(workspace, path)
    except InputError as error:
        return Verdict(path.name, one_line(error.message.removeprefix(f"{path} is refused: "), 400), {})
    return Verdict(path.name, None, describe(found.result), sum(found.flights.values()))


def as_lines(verdicts: Iterable[Verdict]) -> str:
    """The verdicts as one line each."""
    return "".join(f"{one_line(each.name)}: {_in_words(each)}\n" for each in verdicts)


def as_markdown(verdicts: Iterable[Verdict]) -> str:
    """A table in Markdown in which no submitted text acts as markup."""
    lines = ["| submission | method | protocol | values | frames | verdict |", "|---|---|---|---|---|---|"]
    for each in verdicts:
        cells = [each.name, each.said.get("method", ""), each.said.get("protocol", ""), _values(each)]
        cells += [str(each.frames or ""), "accepted, as submitted" if not each.refused else f"refused: {each.refused}"]
        lines.append(f"| {' | '.join(map(_plain, cells))} |")
    return "\n".join(lines) + "\n"


def _plain(cell: str) -> str:
    return _MARKUP.sub(r"\\\1", one_line(cell, 400))


def _in_words(each: Verdict) -> str:
    if each.refused:
        return f"refused: {each.refused}"
    frames = f"{each.frames} frames" if each.frames else "numbers only"
    return f"accepted: {each.said['method']} on {each.said['protocol']}, {_values(each)}; {frames}"


def _values(each: Verdict) -> str:
    values = {name: value for name, value in each.said.items() if name not in ("method", "protocol")}
    return ", ".join(f"{name} {number(value)}" for name, value in values.items())
