"""Names that become parts of paths: one check for all of them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

from ..errors import InputError

MAX_BYTES = 200  # leaves room for suffixes within the 255 that file systems allow
PLAIN = rf"[A-Za-z0-9_][A-Za-z0-9_.=+-]{{0,{MAX_BYTES - 1}}}"  # nearly all names match it, and need no slower check
_PLAIN = re.compile(PLAIN)


def problem_with(name: str) -> str | None:
    """Why a name cannot be part of a path, or None.

    Refused are separators, a leading dot (hidden files, ``..``), control characters and lone surrogates, white space
    at either end, and more than :data:`MAX_BYTES` bytes.
    """
    return None if _PLAIN.fullmatch(name) else _problem_with(name)


def problem_with_path(path: str) -> str | None:
    """Why a path cannot be relative to a workspace and inside it, or None."""
    if "\0" in path:
        return "it has a zero byte"
    if path.startswith("/"):
        return "it is absolute"
    if ".." in path.split("/"):
        return "it leads upwards"
    return None


@lru_cache(maxsize=10_000)
def _problem_with(name: str) -> str | None:
    if not name:
        return "it is empty"
    if any(character in name for character in "/\\"):
        return "it has a path separator"
    if name.startswith("."):
        return "it begins with a dot"
    if name != name.strip():
        return "it begins or ends with white space"
    if any(unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") for character in name):
        return "it has control or formatting characters"
    if len(name.encode()) > MAX_BYTES:
        return f"it is longer than {MAX_BYTES} bytes"
    return None


def check_name(name: str, what: str) -> str:
    """The name, if it can be part of a path.

    Args:
        name: to be checked.
        what: what it is the name of, for the message: "protocol", "method".

    Raises:
        InputError: it cannot.
    """
    if reason := problem_with(name):
        raise InputError(f"{name!r} cannot be the name of a {what}: {reason}", remedy="Use letters, digits, - and _")
    return name


def _validated(name: str) -> str:
    if reason := problem_with(name):
        raise ValueError(f"cannot be a name: {reason}")
    return name


Name = Annotated[str, AfterValidator(_validated)]
