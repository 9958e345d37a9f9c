"""RealEstate10K / ACID camera text as found in the wild: malformed lines are reported, the rest is used."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from flythrough.scene.cameras import COLUMNS, Cameras

_GOOD, _BLANK, _ODD = 0, 1, 2  # of a line; an odd one is read slowly, and named if it is wrong
_BOM = b"\xef\xbb\xbf"
MAX_TIME_US = 2**53  # above, a float does not hold a timestamp


@dataclass(frozen=True)
class Fault:
    """A line that cannot be used."""

    line: int  # from 1
    problem: str


@dataclass(frozen=True)
class CameraText:
    """What a camera file holds.

    Attributes:
        cameras: of the valid lines, in time order.
        faults: the invalid lines.
        notes: harmless oddities of the file.
        sha256: of the file.
    """

    cameras: Cameras
    faults: tuple[Fault, ...]
    notes: tuple[str, ...]
    sha256: str


def read_camera_text(path: Path) -> CameraText:
    """Read a camera file, however damaged. The URL is taken from the file and may be empty.

    Raises:
        OSError: the file cannot be read.
    """
    data = path.read_bytes()
    notes = []
    body = data
    if body.startswith(_BOM):
        notes.append("line 1: byte order mark")
        body = body[len(_BOM) :]
    if b"\r" in body:
        line = body[: body.index(b"\r")].count(b"\n") + 1
        notes.append(f"line {line}: carriage returns")
        body = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    head, _, rest = body.partition(b"\n")
    table, numbers, faults = _numbers(rest)
    if not head.strip():
        faults.append(Fault(1, "no URL" if body.strip() else "empty file"))
    table, numbers, late = _in_time_order(table, numbers, faults)
    notes += late
    cameras = Cameras(
        url=head.decode("utf-8", "replace").strip(),
        timestamps_us=table[:, 0].astype(np.int64),
        intrinsics=table[:, 1:5],
        poses=table[:, 7:].reshape(-1, 3, 4),
    )
    faults.sort(key=lambda fault: fault.line)
    return CameraText(cameras, tuple(faults), tuple(notes), hashlib.sha256(data).hexdigest())


def _numbers(body: bytes) -> tuple[np.ndarray, np.ndarray, list[Fault]]:
    """All valid lines, ``[n, 19]``, their line numbers, and the faults of the others."""
    count = body.count(b"\n") + 1
    table = np.empty((count, COLUMNS))
    state = np.empty(count, dtype=np.uint8)
    if (read_lines := _line_reader()) is not None:
        read_lines(np.frombuffer(body + b"\n", dtype=np.uint8), table, state)
    else:  # each line the slow way, which gives the same numbers
        state[:] = [_ODD if line.strip(b" \t") else _BLANK for line in body.split(b"\n")]
    faults = []
    if len(odd := np.flatnonzero(state == _ODD)):
        lines = body.split(b"\n")
        for index in odd.tolist():
            values = _slow_line(lines[index])
            if isinstance(values, str):
                faults.append(Fault(index + 2, values))
            else:
                table[index], state[index] = values, _GOOD
    good = np.flatnonzero(state == _GOOD)
    return table[good], good + 2, faults


def _slow_line(line: bytes) -> list[float] | str:
    """A line's numbers, or what is wrong with it."""
    words = line.split()
    if len(words) != COLUMNS:
        return f"{len(words)} columns, not {COLUMNS}"
    try:
        values = [float(word) for word in words]
    except ValueError:
        word = next(word for word in words if not _is_number(word))
        return f"{word[:30].decode('utf-8', 'replace')!r} is not a number"
    if not all(map(math.isfinite, values)):
        return "nan or infinite value"
    if values[0] < 0:
        return "negative time"
    if values[0] != int(values[0]) or values[0] >= MAX_TIME_US:
        return "time is not a whole number of microseconds"
    return values


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _in_time_order(
    table: np.ndarray, numbers: np.ndarray, faults: list[Fault]
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Sort by time; of lines with one time the first stays, the others are faults."""
    times = table[:, 0]
    steps = np.diff(times)
    if (steps > 0).all():
        return table, numbers, []
    notes = [f"line {numbers[int(np.argmax(steps < 0)) + 1]}: not in time order"] if (steps < 0).any() else []
    order = np.argsort(times, kind="stable")
    again = np.concatenate([[False], np.diff(times[order]) == 0])
    faults += [Fault(int(numbers[i]), f"time {int(times[i])} is there twice") for i in order[again]]
    return table[order[~again]], numbers[order[~again]], notes


@cache
def _line_reader() -> Any:
    """The fast reader, compiled: plain decimal numbers with at most 15 digits, for which it is exact.

    (Mantissa and power of ten are then both exact doubles, so their quotient is correctly rounded.) None where numba
    is not installed, which the base does not bring.
    """
    try:
        import numba
    except ModuleNotFoundError:
        return None

    powers = 10.0 ** np.arange(23)

    @numba.njit(cache=True, nogil=True)
    def read_lines(text: Any, table: Any, state: Any) -> None:  # pragma: no cover - compiled
        line, column, at, size = 0, 0, 0, len(text)
        odd = False
        while at < size:
            here = text[at]
            if here == 10:  # line feed
                if column == 0 and not odd:
                    state[line] = 1
                else:
                    state[line] = 0 if column == 19 and not odd and table[line, 0] < 2.0**53 else 2
                line, column, odd, at = line + 1, 0, False, at + 1
                continue
            if here == 32 or here == 9:
                at += 1
                continue
            negative = here == 45
            at += negative
            mantissa, digits, decimals, dots, seen = 0, 0, 0, 0, 0
            while at < size and text[at] > 32:
                here = text[at]
                if 48 <= here <= 57:
                    if digits < 18:
                        mantissa = mantissa * 10 + (here - 48)
                    digits += mantissa > 0
                    decimals += dots
                    seen += 1
                elif here == 46:
                    dots += 1
                else:
                    dots = 9  # no plain number
                at += 1
            if seen == 0 or digits > 15 or dots > 1 or decimals > 22 or (column == 0 and (negative or dots)):
                odd = True
            elif column < 19:
                value = mantissa / powers[decimals]
                table[line, column] = -value if negative else value
            column += 1

    return read_lines
