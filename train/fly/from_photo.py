"""``flythrough fly``: an endless flight from one picture, filmed."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError
from flythrough.scene.autopilot import LAND, Autopilot, Flight
from flythrough.scene.geometry import crop_intrinsics, default_intrinsics
from flythrough.scene.plans import from_file, orbit, straight
from flythrough.workspace.catalog import Workspace

if TYPE_CHECKING:
    from ..model.network import InfiniteNature
    from .outputs import Outputs
    from .photo import Photo

PLANS = ("autopilot", "straight", "orbit")
SPEED = 0.2  # scene units per step
SWAY = 12.0  # degrees to either side


@dataclass(frozen=True)
class Start:
    """The start of a flight.

    Attributes:
        rgbd: RGB and disparity in [0, 1].
        intrinsics: fx fy cx cy, normalised.
        disparity_from: source of the disparity: the file, a depth network, or the rough guess.
    """

    rgbd: Float[np.ndarray, "4 h w"]
    intrinsics: Float[np.ndarray, "4"]
    disparity_from: str


def read_start(path: Path, height: int, width: int, depth: str = "auto") -> Start:
    """Read a start picture at a model's size.

    Args:
        path: ``.npz`` with ``rgbd`` ``[h, w, 4]`` in [0, 1] and ``intrinsics`` ``[4]`` (optional), or a picture,
            turned upright and cropped about its middle to the model's shape; its lens is EXIF's, else the release's
            64 degrees.
        height: pixels of the model.
        width: as ``height``.
        depth: source of a photo's disparity; see :func:`flythrough.train.fly.depth.photo_disparity`.

    Raises:
        InputError: the file is missing, is not a picture, or holds something else.
    """
    if not path.is_file():
        raise InputError(
            f"{path} is not a file",
            remedy="Give a picture, a .npz with rgbd and intrinsics, or a name of the page's, such as island-9000",
        )
    if path.suffix.lower() == ".npz":
        return _read_npz(path, height, width)
    return _read_photo(path, height, width, depth)


def photo_start(photo: Photo, height: int, width: int, depth: str = "auto") -> Start:
    """A photo at a model's size, cropped about its middle; the arguments are :func:`read_start`'s."""
    from .depth import photo_disparity

    image = photo.image
    high, wide = image.shape[:2]
    box_width, box_height = min(wide, high * width / height), min(high, wide * height / width)
    left, top = (wide - box_width) / 2, (high - box_height) / 2
    intrinsics = crop_intrinsics(
        photo.intrinsics, left=left / wide, top=top / high, width=box_width / wide, height=box_height / high
    )
    rows, columns = slice(round(top), round(top + box_height)), slice(round(left), round(left + box_width))
    image = np.ascontiguousarray(image[rows, columns])
    disparity, provider = photo_disparity(image, depth)
    return Start(to_rgbd(image, disparity, height, width), intrinsics, provider)


def to_rgbd(
    image: UInt8[np.ndarray, "h w 3"], disparity: Float[np.ndarray, "h w"], height: int, width: int
) -> Float[np.ndarray, "4 height width"]:
    """RGB and disparity in [0, 1] at another size, antialiased."""
    import cv2

    size = (width, height)
    color = cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.float32).transpose(2, 0, 1) / 255
    small = np.clip(cv2.resize(disparity, size, interpolation=cv2.INTER_AREA), 0, 1).astype(np.float32)
    return np.concatenate([color, small[None]])


def plan_flight(plan: str, start: Start, speed: float | None = None) -> Flight:
    """The flight called ``plan``.

    Args:
        plan: autopilot, straight, orbit (to and fro around a point ahead), or a camera file to follow.
        start: where it starts; the autopilot stays above the ground that it shows.
        speed: distance per step, in scene units; negative is backwards, or the other way round. None: 0.2; 0.011 for
            orbit; a camera file as it is.

    Raises:
        InputError: it is none of these, or cannot be flown at that speed.
    """
    if plan == "autopilot":
        return Autopilot.from_start(start.rgbd[3], start.intrinsics, speed=SPEED if speed is None else speed, land=LAND)
    if plan == "straight":
        return straight(speed=SPEED if speed is None else speed)
    if plan == "orbit":
        return _sway(speed)
    if Path(plan).is_file():
        return from_file(Path(plan), speed=speed)
    raise InputError(f"There is no flight plan {plan!r}", remedy=f"Use {', '.join(PLANS)}, or a camera file")


def _sway(speed: float | None) -> Flight:
    """To and fro around the point at distance 1; ``speed`` is that in the middle of a swing."""
    if speed is None:
        return orbit(sway=SWAY)
    step = math.degrees(speed / math.radians(SWAY))
    if not abs(step) <= 45:
        fastest = math.radians(45) * math.radians(SWAY)
        raise InputError(f"An orbit at {speed:g} a step is a blur", remedy=f"Give a speed up to {fastest:.2g}")
    return orbit(sway=SWAY, degrees_per_step=step)


def default_checkpoint(workspace: Workspace) -> Path:
    """The workspace's newest checkpoint, or the model in the package if there is none.

    Raises:
        InputError: there is neither.
    """
    from .shipped import shipped_checkpoint

    rows = workspace.rows("checkpoints")
    return workspace / rows[-1]["path"] if rows else shipped_checkpoint()


def name_checkpoints(folders: Sequence[Path]) -> dict[str, Path]:
    """Checkpoints by short names: the folder's name, numbered if several share it."""
    named: dict[str, Path] = {}
    for folder in folders:
        name, count = folder.resolve().name or "model", 1
        while name in named:
            count += 1
            name = f"{folder.resolve().name} {count}"
        named[name] = folder
    return named


def at_size(model: InfiniteNature, size: str) -> InfiniteNature:
    """The model for pictures of ``size``, such as "160x96"; as it was trained if that is empty.

    Raises:
        InputError: ``size`` is not a size.
        ConfigError: a side is not a multiple of 32.
    """
    if not size:
        return model
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal()):
        raise InputError(f"--size {size} is not WIDTHxHEIGHT", remedy="For example: --size 160x96")
    return model.at_size(int(height), int(width))


def load_model(checkpoint: Path) -> InfiniteNature:
    """A checkpoint's model, in evaluation mode.

    Args:
        checkpoint: a folder that flythrough wrote, or the prefix of the authors' TensorFlow checkpoint.

    Raises:
        InputError: it is neither.
        MissingDependency: a TensorFlow checkpoint, and tensorflow is not installed.
    """
    if checkpoint.with_name(checkpoint.name + ".index").is_file():
        from ..model.release import import_tensorflow

        return import_tensorflow(checkpoint)
    from ..model.native import load_checkpoint

    return load_checkpoint(checkpoint)


def film(
    model: InfiniteNature,
    start: Start,
    flight: Flight,
    outputs: Outputs,
    *,
    steps: int,
    fps: float,
    advance: Callable[..., None] = lambda n=1, note="": None,
    bf16: bool = False,
    sky: bool | None = None,
) -> None:
    """Fly and film. If it is interrupted, all files are complete up to the last step.

    Args:
        model: in evaluation mode, on its device.
        start: the start of the flight.
        flight: where the camera goes.
        outputs: the files to write.
        steps: number of steps.
        fps: of the video.
        advance: called after each step.
        bf16: refine in bfloat16.
        sky: keep the start picture's sky; see :mod:`..model.sky`. None: as the model was trained.

    Raises:
        KeyboardInterrupt: after the files were closed.
    """
    import torch

    from .outputs import record
    from .rollout import fly

    first = torch.from_numpy(start.rgbd)
    with record(outputs, start.intrinsics, fps, flight.pose) as recorder:
        recorder.add(first, flight.pose)
        for rgbd in fly(model, first, start.intrinsics, flight, steps, bf16=bf16, sky=sky):
            recorder.add(rgbd, flight.pose)
            advance(1)


def _read_npz(path: Path, height: int, width: int) -> Start:
    import cv2

    remedy = "Give rgbd [h, w, 4] with values in [0, 1], and intrinsics [4]"
    try:
        with np.load(path) as archive:
            rgbd = np.asarray(archive["rgbd"], dtype=np.float32)
            given = np.asarray(archive["intrinsics"], dtype=np.float64) if "intrinsics" in archive else None
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a start picture: {error}", remedy=remedy) from error
    if rgbd.ndim != 3 or rgbd.shape[2] != 4 or not (np.isfinite(rgbd).all() and 0 <= rgbd.min() <= rgbd.max() <= 1):
        raise InputError(f"{path}: rgbd is {rgbd.shape}, or not in [0, 1]", remedy=remedy)
    intrinsics = default_intrinsics(*rgbd.shape[:2]) if given is None else given
    if intrinsics.shape != (4,) or not np.isfinite(intrinsics).all() or (intrinsics[:2] <= 0).any():
        raise InputError(f"{path}: intrinsics are {intrinsics.tolist()}", remedy=remedy)
    rgbd = cv2.resize(rgbd, (width, height), interpolation=cv2.INTER_AREA)
    return Start(np.ascontiguousarray(rgbd.transpose(2, 0, 1)), intrinsics, "the file")


def _read_photo(path: Path, height: int, width: int, depth: str) -> Start:
    from .photo import read_photo

    return photo_start(read_photo(path), height, width, depth)
