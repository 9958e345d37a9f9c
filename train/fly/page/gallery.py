"""Start pictures: stills of islands that no model was trained on, which come with the package.

``python -m flythrough.train.fly.page.gallery`` films them again.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from flythrough.scene.geometry import default_intrinsics

from ..from_photo import Start, read_start, to_rgbd

FOLDER = Path(__file__).parent / "gallery"
SEEDS = (9000, 9001, 9002, 9003)  # held out: training islands start at 100,000
WIDTH, HEIGHT = 320, 192
_DISPARITY_STEPS = 65535  # disparity 1 in the 16-bit PNG


def island_name(seed: int) -> str:
    """The name of an island's still on the page, such as ``island-9000``."""
    return f"island-{seed}"


def read_any(start: Path | str, height: int, width: int, depth: str = "auto") -> Start:
    """A start of the gallery by its name (``island-9000``), else from a file as :func:`.from_photo.read_start` does."""
    by_name = {island_name(seed): seed for seed in SEEDS}
    if str(start) in by_name and not Path(start).exists():
        return read_island(by_name[str(start)], height, width)
    return read_start(Path(start), height, width, depth)


def picture_file(seed: int, folder: Path = FOLDER) -> Path:
    """The still as JPEG."""
    return folder / f"{seed}.jpg"


def read_island(seed: int, height: int, width: int, folder: Path = FOLDER) -> Start:
    """An island's still with its true disparity, at a model's size."""
    import cv2

    color = cv2.imread(str(picture_file(seed, folder)), cv2.IMREAD_COLOR)
    disparity = cv2.imread(str(folder / f"{seed}.png"), cv2.IMREAD_UNCHANGED)
    assert color is not None, f"{picture_file(seed, folder)} is missing"
    assert disparity is not None, f"{folder / f'{seed}.png'} is missing"
    image = np.ascontiguousarray(color[..., ::-1])
    rgbd = to_rgbd(image, disparity.astype(np.float32) / _DISPARITY_STEPS, height, width)
    return Start(rgbd, default_intrinsics(HEIGHT, WIDTH), "the sample world")


def film_island(seed: int, folder: Path) -> None:
    """Write an island's still: ``SEED.jpg``, and ``SEED.png`` with disparity 0 to 1 as 16 bits."""
    import cv2
    from PIL import Image

    from flythrough.media.image_files import write_image
    from flythrough.sample.film import film

    shot = film(seed, "forward", 1 / 30, width=2 * WIDTH, height=2 * HEIGHT)
    size = (WIDTH, HEIGHT)
    image = cv2.resize(shot.images[0], size, interpolation=cv2.INTER_AREA)
    disparity = cv2.resize(shot.disparity[0].astype(np.float32), size, interpolation=cv2.INTER_AREA)
    write_image(folder / f"{seed}.jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])
    steps = np.round(np.clip(disparity, 0, 1) * _DISPARITY_STEPS).astype(np.uint16)
    Image.fromarray(steps).save(folder / f"{seed}.png")


if __name__ == "__main__":
    for island in SEEDS:
        film_island(island, FOLDER)
