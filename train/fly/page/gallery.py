"""Start pictures that come with the package: stills of islands on which no model was trained, and photos.

``python -m flythrough.train.fly.page.gallery [RELEASE]`` makes them again: it films the islands, and takes the photos
from ``start_1.npz`` to ``start_3.npz`` of the folder RELEASE, as the Infinite Nature release has them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.scene.geometry import default_intrinsics
from flythrough.workspace.files import read_json

from ..depth_guess import NEAR
from ..from_photo import Start, read_start, to_rgbd

FOLDER = Path(__file__).parent / "gallery"
SEEDS = (9000, 9001, 9002, 9003)  # held out: training islands start at 100,000
WIDTH, HEIGHT = 320, 192  # of an island's still
_DISPARITY_STEPS = 65535  # disparity 1 in the 16-bit PNG


@dataclass(frozen=True)
class Still:
    """A picture of the gallery.

    Attributes:
        start: its name in links and commands, such as ``island-9000``.
        title: what the page calls it.
        credit: whose it is, and its licence.
        disparity_from: source of its disparity.
        intrinsics: fx fy cx cy, normalised.
    """

    start: str
    title: str
    credit: str
    disparity_from: str
    intrinsics: Sequence[float]


@cache
def gallery() -> dict[str, Still]:
    """The pictures by name, in the page's order: islands, then photos."""
    lens = default_intrinsics(HEIGHT, WIDTH).tolist()
    whose = "Sample world of flythrough, Apache-2.0"
    islands = [Still(island_name(seed), f"Island {seed}", whose, "the sample world", lens) for seed in SEEDS]
    photos = [Still(**row) for row in read_json(FOLDER / "photos.json")]
    return {still.start: still for still in [*islands, *photos]}


def described() -> list[dict[str, str]]:
    """The pictures as the page lists them."""
    return [{"start": still.start, "name": still.title, "credit": still.credit} for still in gallery().values()]


def island_name(seed: int) -> str:
    """The name of an island's still, such as ``island-9000``."""
    return f"island-{seed}"


def read_any(start: Path | str, height: int, width: int, depth: str = "auto") -> Start:
    """A start of the gallery by its name (``island-9000``), else from a file as :func:`.from_photo.read_start` does."""
    if str(start) in gallery() and not Path(start).exists():
        return read_still(str(start), height, width)
    return read_start(Path(start), height, width, depth)


def picture_file(start: str, folder: Path = FOLDER) -> Path:
    """A still as JPEG. Its disparity is beside it: 16 bits in a PNG, 65535 is 1."""
    return folder / f"{start}.jpg"


def read_still(start: str, height: int, width: int) -> Start:
    """A picture of the gallery with its disparity, at a model's size."""
    still = gallery()[start]
    rgbd = _read_rgbd(start, height, width, FOLDER)
    return Start(rgbd, np.array(still.intrinsics), still.disparity_from)


def read_island(seed: int, height: int, width: int, folder: Path) -> Start:
    """A still that :func:`film_island` wrote to ``folder``, with its true disparity, at a model's size."""
    rgbd = _read_rgbd(island_name(seed), height, width, folder)
    return Start(rgbd, default_intrinsics(HEIGHT, WIDTH), "the sample world")


def film_island(seed: int, folder: Path) -> None:
    """Write an island's still and its disparity."""
    import cv2

    from flythrough.sample.film import film

    shot = film(seed, "forward", 1 / 30, width=2 * WIDTH, height=2 * HEIGHT)
    size = (WIDTH, HEIGHT)
    image = cv2.resize(shot.images[0], size, interpolation=cv2.INTER_AREA)
    disparity = cv2.resize(shot.disparity[0].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    _write(island_name(seed), image, disparity, folder)


def _read_rgbd(start: str, height: int, width: int, folder: Path) -> Float[np.ndarray, "4 height width"]:
    import cv2

    file = picture_file(start, folder)
    color = cv2.imread(str(file), cv2.IMREAD_COLOR)
    disparity = cv2.imread(str(file.with_suffix(".png")), cv2.IMREAD_UNCHANGED)
    assert color is not None, f"{file} is missing"
    assert disparity is not None, f"{file.with_suffix('.png')} is missing"
    image = np.ascontiguousarray(color[..., ::-1])
    return to_rgbd(image, disparity.astype(np.float32) / _DISPARITY_STEPS, height, width)


def _write(start: str, image: UInt8[np.ndarray, "h w 3"], disparity: Float[np.ndarray, "h w"], folder: Path) -> None:
    import cv2
    from PIL import Image

    from flythrough.media.image_files import write_image

    file = picture_file(start, folder)
    write_image(file, image, [cv2.IMWRITE_JPEG_QUALITY, 92])
    steps = np.round(np.clip(disparity, 0, 1) * _DISPARITY_STEPS).astype(np.uint16)
    Image.fromarray(steps).save(file.with_suffix(".png"))


def _keep_photos(release: Path) -> None:
    """Write the photos and their disparity from ``start_1.npz`` and so on, in the order of ``photos.json``.

    The nearest ground of the release's has disparity 1; ours has :data:`.depth_guess.NEAR`, as that of any photo.
    """
    photos = [still.start for still in gallery().values() if still.start not in map(island_name, SEEDS)]
    for number, start in enumerate(photos, 1):
        with np.load(release / f"start_{number}.npz") as stored:
            rgbd = stored["rgbd"]
        _write(start, np.round(rgbd[..., :3] * 255).astype(np.uint8), NEAR * rgbd[..., 3], FOLDER)


if __name__ == "__main__":
    for island in SEEDS:
        film_island(island, FOLDER)
    if sys.argv[1:]:
        _keep_photos(Path(sys.argv[1]))
