"""The part of a video's picture that a clip's frames show."""

from __future__ import annotations

from flythrough.workspace.catalog import Row

SIDES = ("left", "top", "right", "bottom")
Box = tuple[float, float, float, float]  # left, top, right, bottom, in shares of the picture
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


def centered_crop(shot: Row, width: int, height: int) -> dict[str, int]:
    """The largest box inside a shot's crop around the middle of the frame, where given cameras have their centre."""
    across = max(shot["crop_left"], width - shot["crop_right"])
    down = max(shot["crop_top"], height - shot["crop_bottom"])
    return {"crop_left": across, "crop_top": down, "crop_right": width - across, "crop_bottom": height - down}


def box_of(shot: Row, width: int, height: int) -> Box:
    """The box of a shot's frames.

    Args:
        shot: its row.
        width: pixels of the video's picture.
        height: as ``width``.
    """
    crop = centered_crop(shot, width, height) if shot["camera_file"] else shot
    left, top, right, bottom = (crop[f"crop_{side}"] for side in SIDES)
    return left / width, top / height, right / width, bottom / height
