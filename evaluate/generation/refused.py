"""The frame that a check refused, as a picture to look at: ``flythrough evaluate check`` hands it out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flythrough.media.image_files import write_image

from ..methods.registry import MethodFailure

REFUSED = ".partial/refused.png"  # below the folder of frames
_NOT_A_NUMBER = (255, 0, 255)


def keep_refused(frame: object, frames: Path) -> None:
    """Write what a class yielded as a picture, as well as that goes; what has no picture's shape is left out.

    Numbers are cut to 0 to 255; those of a frame of fractions in [0, 1] are stretched first. NaN becomes magenta.
    """
    values = np.asarray(frame)
    if values.ndim == 2:
        values = values[..., None]
    if values.ndim != 3 or values.shape[-1] not in (1, 3, 4) or not values.size or values.dtype.kind not in "bfiu":
        return
    values = np.broadcast_to(values[..., :3], (*values.shape[:2], 3)).astype(np.float64)
    lost = ~np.isfinite(values).all(-1)
    values = np.where(lost[..., None], 0, values)
    scale = 255 if values.max() <= 1 else 1
    image = np.clip(values * scale, 0, 255).round().astype(np.uint8)
    image[lost] = _NOT_A_NUMBER
    (frames / REFUSED).parent.mkdir(parents=True, exist_ok=True)
    write_image(frames / REFUSED, image)


def with_picture(failure: MethodFailure, frames: Path, picture: Path) -> MethodFailure:
    """The failure, with its frame copied to ``picture`` and named in the message; as it is if it has none."""
    file = failure.frame or frames / REFUSED
    if not file.is_file() or not file.stat().st_size:
        return failure
    picture.write_bytes(file.read_bytes())
    return MethodFailure(f"{failure.message} (the frame: {picture})", remedy=failure.remedy)
