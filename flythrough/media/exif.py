"""The camera of a photo: EXIF orientation and focal length."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

ORIENTATION, EXIF = 0x0112, 0x8769  # tags
_FOCAL_35MM = 0xA405
_FOCAL_MM, _PIXELS_ACROSS, _PIXELS_PER_UNIT, _UNIT = 0x920A, 0xA002, 0xA20E, 0xA210
_UNITS_MM = {2: 25.4, 3: 10.0, 4: 1.0}


def focal_in_longer_sides(exif: Mapping[int, Any]) -> float | None:
    """Focal length as a multiple of the picture's longer side, as COLMAP computes it.

    Args:
        exif: values by tag.

    Returns:
        From the focal plane's resolution, else from the 35 mm equivalent; None if it has neither.
    """
    focal_mm, density, across, equivalent = (
        float(value) if isinstance(value := exif.get(tag), Real) else 0.0
        for tag in (_FOCAL_MM, _PIXELS_PER_UNIT, _PIXELS_ACROSS, _FOCAL_35MM)
    )
    unit_mm = _UNITS_MM.get(exif.get(_UNIT, 2))
    if focal_mm > 0 and density > 0 and across > 0 and unit_mm:
        return focal_mm * density / unit_mm / across
    return equivalent / 35 if equivalent > 0 else None
