"""Recovery of lenses with and without radial distortion: takes of the sample world, distorted.

python benchmarks/sfm_distortion.py [--seconds 3]      # writes the table in docs/sfm.md
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import cv2
import numpy as np
from sfm_tables import pose_take, write_table

from flythrough.sample.film import Film, film

TAKES = {
    "forward-12-water": (0.0, -0.01, 0.02, -0.03, -0.1),
    "forward-11": (0.0, 0.01, -0.02, -0.05, -0.2),
    "orbit-12-water": (0.0, 0.01, -0.02),
}


def bend(take: Film, k: float) -> Film:
    """The take through a lens that moves a ray at ``r`` (in focal lengths) off the axis to ``r (1 + k r^2)``."""
    height, width = take.images.shape[1:3]
    focal = take.intrinsics[0, 0] * width
    rows, columns = np.mgrid[:height, :width]
    bent = np.stack([columns + 0.5 - width / 2, rows + 0.5 - height / 2], -1) / focal
    straight = bent
    for _ in range(50):
        straight = bent / (1 + k * (straight**2).sum(-1, keepdims=True))
    x, y = np.moveaxis(straight * focal + [width / 2 - 0.5, height / 2 - 0.5], -1, 0).astype(np.float32)
    images = [cv2.remap(i, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE) for i in take.images]
    return replace(take, images=np.stack(images))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    lines = ["| take | k | found | focal, % |", "|---|---|---|---|"]
    for name, terms in TAKES.items():
        kind, seed, *water = name.split("-")
        take = film(int(seed), kind, args.seconds, water=bool(water))
        for k in terms:
            lens = pose_take(bend(take, k)).lens
            off = 100 * (lens.focal / lens.width / take.intrinsics[0, 0] - 1)
            lines.append(f"| {name} | {k:g} | {lens.k:.4f} | {off:+.2f} |")
            print(lines[-1], flush=True)
    write_table("distortion", lines)


if __name__ == "__main__":
    main()
