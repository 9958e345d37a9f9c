"""RealEstate10K / ACID camera files: a URL, then one line per frame (timestamp, intrinsics, pose)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int64

from ..errors import InputError
from ..workspace.files import write_text

COLUMNS = 19  # timestamp_us fx fy cx cy k1 k2, then the 3 x 4 world-to-camera pose, row by row


@dataclass(frozen=True)
class Cameras:
    """The cameras of one clip, in time order.

    Attributes:
        url: where the video is; a local video's path or id where there is no URL.
        timestamps_us: presentation time of each frame, microseconds, strictly increasing.
        intrinsics: fx fy cx cy of each frame, normalised.
        poses: cam_from_world of each frame.
    """

    url: str
    timestamps_us: Int64[np.ndarray, "n"]
    intrinsics: Float[np.ndarray, "n 4"]
    poses: Float[np.ndarray, "n 3 4"]

    def __len__(self) -> int:
        return len(self.timestamps_us)


def write_cameras(path: Path, cameras: Cameras) -> None:
    """Write a camera file; see :func:`format_cameras`."""
    write_text(path, format_cameras(cameras))


def format_cameras(cameras: Cameras) -> str:
    """The text of a camera file; 17 significant digits, so reading it back changes nothing."""
    lines = [cameras.url]
    for time_us, intrinsics, pose in zip(cameras.timestamps_us, cameras.intrinsics, cameras.poses, strict=True):
        values = [*intrinsics, 0.0, 0.0, *np.asarray(pose).ravel()]
        lines.append(f"{int(time_us)} " + " ".join(f"{float(v):.17g}" for v in values))
    return "\n".join(lines) + "\n"


def read_cameras(path: Path) -> Cameras:
    """Read a camera file that this package wrote, or any well-formed one.

    Raises:
        InputError: the file is malformed; the message names the line. (``acquire`` has a reader of its own, which
            recovers the sound lines of damaged files.)
    """
    data = Path(path).read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise InputError(f"{path}:{line} is not UTF-8 text", remedy="Copy or download the file again") from error
    return parse_cameras(text, str(path))


def parse_cameras(text: str, path: str) -> Cameras:
    """The cameras in the text of a camera file; ``path`` is what errors call it. Raises as :func:`read_cameras`."""
    url, _, body = text.partition("\n")
    lines = [line.split() for line in body.splitlines() if line.strip()]
    for number, values in enumerate(lines, start=2):
        if len(values) != COLUMNS:
            raise InputError(
                f"{path}:{number} has {len(values)} columns, not {COLUMNS}", remedy="Fix or remove the line"
            )
    try:
        table = np.array([[float(v) for v in line] for line in lines], dtype=np.float64).reshape(-1, COLUMNS)
        times = np.array([int(line[0]) for line in lines], dtype=np.int64)
    except (ValueError, OverflowError) as error:
        raise InputError(f"{path}: {error}", remedy="Fix or remove the line") from error
    if not np.isfinite(table).all():
        raise InputError(f"{path} has values that are not finite", remedy="Fix or remove those lines")
    return Cameras(
        url=url.strip(),
        timestamps_us=times,
        intrinsics=table[:, 1:5],
        poses=table[:, 7:].reshape(-1, 3, 4),
    )
