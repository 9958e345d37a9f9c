"""Checks every annotated call while the tests run: array shapes and dtypes by jaxtyping, all else by beartype."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from beartype import BeartypeConf, beartype
from beartype.roar import BeartypeDecorHintPep673Exception

HOUSE = Path(__file__).parents[1]
ROOMS = ("flythrough", "acquire", "curate", "sfm", "train", "evaluate", "leaderboard")

_CONF = BeartypeConf(is_pep484_tower=True)  # an int is a float, as to mypy


def check(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function with its types checked at every call."""
    try:
        return beartype(function, conf=_CONF)
    except BeartypeDecorHintPep673Exception:  # beartype understands Self only on a class it decorates itself
        return function


def modules() -> Iterator[str]:
    """The package's modules, but those that numba compiles, which cannot be decorated."""
    for room in ROOMS:
        for file in sorted((HOUSE / room).rglob("*.py")):
            if "njit" not in file.read_text(encoding="utf-8") and file.name not in ("__init__.py", "__main__.py"):
                parts = file.relative_to(HOUSE).with_suffix("").parts
                yield ".".join(parts if room == "flythrough" else ("flythrough", *parts))
