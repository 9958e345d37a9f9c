"""Messages from the page: one JSON object each, a step's steering, and the steering log that repeats a flight."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from typing import NamedTuple

from flythrough.errors import InputError
from flythrough.workspace.files import JsonObject

MAX_TEXT = 256 << 10  # characters of a message; a flight's log is the longest
MAX_LOG = 20_000  # steps that a link repeats
MAX_STEER, MAX_SPEED = 200, 100  # hundredths: of a picture's width and height; of a scene unit per step


class Command(NamedTuple):
    """One step's steering in whole hundredths, so that a log repeats it exactly.

    Attributes:
        x: where to look, added to the autopilot's choice; picture widths, to the right.
        y: as ``x``, picture heights, down.
        speed: scene units per step; below 0 flies backwards.
    """

    x: int = 0
    y: int = 0
    speed: int = 20


def read_command(x: object, y: object, speed: object) -> Command:
    """A command from untrusted numbers.

    Raises:
        InputError: they are not whole numbers within the limits.
    """
    return Command(_whole(x, MAX_STEER), _whole(y, MAX_STEER), _whole(speed, MAX_SPEED))


def _whole(value: object, limit: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > limit:
        raise InputError(f"{value!r} is not a whole number up to {limit}", remedy="Reload the page")
    return value


def read_log(value: object) -> list[Command]:
    """A steering log, ``[[count, x, y, speed], ...]``, as one command per step.

    Raises:
        InputError: it is something else, or too long.
    """
    remedy = "Take the whole link"
    if not isinstance(value, list) or len(value) > MAX_LOG:
        raise InputError("The link holds no steering log", remedy=remedy)
    log: list[Command] = []
    for run in value:
        if not isinstance(run, list) or len(run) != 4 or type(run[0]) is not int or not 0 < run[0] <= MAX_LOG:
            raise InputError("The link's steering log is damaged", remedy=remedy)
        log += [read_command(*run[1:])] * run[0]
        if len(log) > MAX_LOG:
            raise InputError(f"The link's flight is over {MAX_LOG} steps long", remedy="Repeat a shorter one")
    return log


def pack_log(log: Iterable[Command]) -> list[list[int]]:
    """The inverse of :func:`read_log`: equal commands in a row are counted."""
    return [[len(list(run)), *command] for command, run in itertools.groupby(log)]


def read_message(text: str) -> JsonObject:
    """A message of the page.

    Raises:
        InputError: it is too long, or not a JSON object.
    """
    try:
        said = json.loads(text) if len(text) <= MAX_TEXT else None
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise InputError("The page sent something that is not a command", remedy="Reload the page")
    return said


def whole(said: JsonObject, name: str) -> int:
    """A whole number of a message; 0 if it is not given.

    Raises:
        InputError: it is something else, negative or over 31 bits.
    """
    value = said.get(name, 0)
    if type(value) is not int or not 0 <= value < 1 << 31:
        raise InputError(f"{name} is not a whole number", remedy="Reload the page")
    return value
