"""Runs a method's Python class in a process of its own.

``python -m flythrough.evaluate.generation.host CLASS REQUEST FRAMES``
"""

from __future__ import annotations

import sys
from pathlib import Path

from flythrough.errors import FlythroughError


def main(entry_point: str, request: str, frames: str) -> int:
    """Fly every flight of a request folder with the class ``module:Class``; returns the exit status."""
    from ..methods.registry import load_class
    from .generate import fly_request

    try:
        fly_request(load_class(entry_point), Path(request), Path(frames))
    except FlythroughError as error:
        print(error, flush=True)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
