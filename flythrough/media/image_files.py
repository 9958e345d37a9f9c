"""Writing pictures so that a failure is an error: ``cv2.imwrite`` returns true on a full disk."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from ..workspace.files import disk_errors


def write_image(path: Path, image: UInt8[np.ndarray, "h w 3"], options: Sequence[int] = ()) -> None:
    """Write an RGB picture in the format that the suffix names.

    Args:
        path: ends in ``.png`` or ``.jpg``.
        image: RGB.
        options: OpenCV's ``IMWRITE_*`` flags and their values.

    Raises:
        DiskError: the disk is full, or not writable.
    """
    import cv2

    written, data = cv2.imencode(path.suffix, cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2BGR), options)
    assert written, f"OpenCV cannot encode {image.shape} as {path.suffix}"
    with disk_errors(path), open(path, "wb") as file:
        file.write(data.data)
