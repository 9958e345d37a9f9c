"""Untrusted JSON, read with limits: size, nesting, repeated keys, and numbers too large to be measured."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pydantic_core import from_json, to_json

from ..errors import InputError
from ..workspace.files import JsonObject
from ..workspace.printing import one_line

Json = Any  # null, a boolean, a number, a string, a list or an object

_STRING_OR_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"?|[\[\]{}]', re.DOTALL)
_ALIKE = bytes.maketrans(b"123456789+E{}\t\r\n", b"0000000000e[]   ")
_NO_BRACKETS = bytes(each for each in range(256) if each not in b"[]")
_UNUSUAL = (b"0e0", b"0" * 25, b" :")  # in text made alike: numbers that may be large; space after a key
_REMEDY = "Send the file as the program wrote it, unedited"


@dataclass(frozen=True)
class Limits:
    """What a file may hold.

    Attributes:
        bytes: its size.
        depth: how deep arrays and objects may be nested.
        magnitude: largest absolute value of a number. Sums and squares of such numbers stay finite.
    """

    bytes: int = 64 * 2**20
    depth: int = 32
    magnitude: float = 1e30


class _Refused(ValueError):
    """A text is not accepted; the message is a reason in one line."""


def read_strict_json(path: Path, limits: Limits = Limits()) -> tuple[str, Json]:
    """The text of a JSON file and its value.

    Raises:
        InputError: not a regular file, not UTF-8, not JSON, or against a limit; the reason is one line.
    """
    return strict_json(read_limited(path, limits), str(path), limits)


def read_limited(path: Path, limits: Limits = Limits()) -> bytes:
    """A file's bytes, no more than one beyond the limit: :func:`strict_json` refuses them then.

    Raises:
        InputError: not a regular file, or not readable; the reason is one line.
    """
    path = Path(path)
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"{path} cannot be read: it is not a file", remedy=_REMEDY)
        with open(path, "rb") as file:
            return file.read(limits.bytes + 1)
    except OSError as error:
        reason = one_line(error.strerror or str(error))
        raise InputError(f"{path} cannot be read: {reason}", remedy="Check the path") from error


def strict_json(content: bytes, name: str, limits: Limits = Limits()) -> tuple[str, Json]:
    """Decode bytes and parse them as JSON; returns the text and its value.

    Args:
        content: the file's bytes.
        name: where they came from, for the message.
        limits: what the file may hold.

    Raises:
        InputError: not UTF-8, not JSON, or against a limit; the reason is one line.
    """
    try:
        text = _text(content, limits)
        return _plainly_sound(text, limits) or _checked(text, limits)
    except _Refused as error:
        raise InputError(f"{name} cannot be read: {error}", remedy=_REMEDY) from None


def _text(content: bytes, limits: Limits) -> str:
    if len(content) > limits.bytes:
        raise _Refused(f"it is larger than {limits.bytes / 2**20:.3g} MiB")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _Refused(f"byte {error.start} is not UTF-8") from error


def _plainly_sound(text: str, limits: Limits) -> tuple[str, Json] | None:
    """What :func:`_checked` returns, many times as fast; None where that has to decide, and to say why.

    Without escapes, every second quotation mark opens a string, and a mark before a colon ends a key. Of two equal keys
    the parser keeps one, so the value, written again, has fewer keys than the text.
    """
    if "\\" in text:
        return None
    try:
        value = from_json(text, allow_inf_nan=False)
    except ValueError:
        return None
    if text.count('":') != to_json(value).count(b'":'):
        return None
    outside = b'"'.join(text.encode().split(b'"')[::2]).translate(_ALIKE)
    if any(each in outside for each in _UNUSUAL):
        return None
    level = outside.translate(None, _NO_BRACKETS)
    for _ in range(limits.depth):  # each time the innermost are taken away
        level = level.replace(b"[]", b"")
    return None if level else (text, value)


def _checked(text: str, limits: Limits) -> tuple[str, Json]:
    _check_depth(text, limits.depth)

    def number(kind: type) -> Json:
        def parse(digits: str) -> Json:
            if abs(float(digits)) > limits.magnitude:
                raise _Refused(f"{one_line(digits, 30)} is larger than {limits.magnitude:g}")
            return kind(digits)

        return parse

    try:
        value = json.loads(
            text,
            object_pairs_hook=_without_repeats,
            parse_constant=_not_a_number,
            parse_float=number(float),
            parse_int=number(int),
        )
        json.dumps(value, ensure_ascii=False).encode()  # refuses lone surrogates, which escapes can spell
    except _Refused:
        raise
    except UnicodeEncodeError as error:
        raise _Refused("a string has a lone surrogate (half a character)") from error
    except ValueError as error:
        raise _Refused(f"it is not JSON: {one_line(str(error))}") from error
    return text, value


def _check_depth(text: str, most: int) -> None:
    depth = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        first = text[found.start()]
        depth += (first in "[{") - (first in "]}")
        if depth > most:
            raise _Refused(f"it is nested deeper than {most} levels")


def _without_repeats(pairs: list[tuple[str, Json]]) -> JsonObject:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _Refused(f"the key {one_line(key, 60)!r} is there twice")
        seen.add(key)
    raise AssertionError("unreachable")


def _not_a_number(constant: str) -> NoReturn:
    raise _Refused(f"{constant} is not a number of JSON")
