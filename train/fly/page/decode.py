"""Decode an upload in a process of its own, which may run out of memory or time without harm to the server.

As a program: picture on standard input, ``.npz`` (image, focal) or lines of reason and remedy on standard output.
"""

from __future__ import annotations

import io
import subprocess
import sys
import threading

import numpy as np

from flythrough.errors import FlythroughError, InputError

from ..photo import Photo, read_photo

MEMORY = 3 << 30  # bytes of address space
SECONDS = 20.0
AT_ONCE = 2  # processes; further uploads wait
_REFUSED = 3  # exit status
_places = threading.BoundedSemaphore(AT_ONCE)


def decode_apart(data: bytes) -> Photo:
    """The photo in ``data``.

    Raises:
        InputError: it is not a photo, or decoding takes too much memory or time.
    """
    command = [sys.executable, "-m", __name__]
    try:
        with _places:
            done = subprocess.run(command, input=data, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputError("The picture takes too long to decode", remedy="Save it as a plain JPEG") from error
    if done.returncode == _REFUSED:
        reason, _, remedy = done.stdout.decode().partition("\n")
        raise InputError(reason, remedy=remedy)
    if done.returncode:
        raise InputError("The picture cannot be decoded", remedy="Save it as a plain JPEG")
    with np.load(io.BytesIO(done.stdout)) as found:
        focal = float(found["focal"])
        return Photo(found["image"], focal if focal > 0 else None)


def _limit_memory() -> None:
    try:
        import resource
    except ImportError:  # not on Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def main() -> int:
    """Decode standard input; returns the exit status."""
    _limit_memory()
    try:
        photo = read_photo(sys.stdin.buffer.read(), "The file")
    except FlythroughError as error:
        sys.stdout.write(f"{error.message}\n{error.remedy}")
        return _REFUSED
    np.savez(sys.stdout.buffer, image=photo.image, focal=photo.focal or 0.0)
    return 0


if __name__ == "__main__":
    sys.exit(main())
