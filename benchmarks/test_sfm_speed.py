"""Poses of whole shots: sfm/ against COLMAP with its defaults, on the same frames and cores, in one run.

make bench, or: pytest benchmarks/test_sfm_speed.py --benchmark-only -q -s; writes the table in docs/sfm.md.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pycolmap
import pytest

from benchmarks.sfm_tables import align, pose_take, write_table
from benchmarks.side_by_side import record
from flythrough.sample.film import Film, film
from flythrough.scene.geometry import camera_center
from flythrough.sfm.stage import load_colmap

SECONDS = float(os.environ.get("SFM_BENCH_SECONDS", "2"))
TAKES = [(1, "forward"), (1, "orbit"), (1, "sideways")]


@dataclass(frozen=True)
class Result:
    """Seconds taken, frames posed, and the error of their centres, percent of the path."""

    seconds: float
    posed: int
    error_percent: float
    focal_percent: float


def ours(take: Film) -> Result:
    """Every frame posed by sfm/, without disparity."""
    start = time.perf_counter()
    scene = pose_take(take)
    seconds = time.perf_counter() - start
    focal = scene.lens.intrinsics[0] / take.intrinsics[0, 0]
    *_, error = align(camera_center(scene.poses), camera_center(take.poses[scene.frames]))
    return Result(seconds, len(scene.frames), error, 100 * abs(focal - 1))


def plain(take: Film, folder: Path) -> Result:
    """The largest model of COLMAP's defaults: features, sequential matching, incremental mapping."""
    for i, image in enumerate(take.images):
        cv2.imwrite(str(folder / f"{i:06d}.png"), image[..., ::-1])
    start, database = time.perf_counter(), folder / "database.db"
    pycolmap.extract_features(database, folder, camera_mode=pycolmap.CameraMode.SINGLE)
    pycolmap.match_sequential(database, pairing_options=pycolmap.SequentialPairingOptions(overlap=10))
    models = pycolmap.incremental_mapping(database, folder, folder)
    seconds = time.perf_counter() - start
    if not models:
        return Result(seconds, 0, np.inf, np.inf)
    model = max(models.values(), key=lambda m: m.num_reg_images())
    images = sorted((model.image(i) for i in model.reg_image_ids()), key=lambda image: image.name)
    places = [int(image.name[:6]) for image in images]
    *_, error = align(np.array([image.projection_center() for image in images]), camera_center(take.poses[places]))
    camera = images[0].camera
    return Result(seconds, len(images), error, 100 * abs(camera.params[0] / camera.width / take.intrinsics[0, 0] - 1))


@pytest.mark.timeout(3600)
def test_posing_a_shot(benchmark, tmp_path):
    load_colmap()  # quietly
    takes = {f"{kind}, island {seed}": film(seed, kind, SECONDS) for seed, kind in TAKES}
    ours(film(2, "orbit", 0.6, width=320, height=180, fps=20))  # compile first
    rows = {}

    def run() -> None:
        for name, take in takes.items():
            folder = tmp_path / name.replace(" ", "-")
            folder.mkdir()
            rows[name] = (ours(take), plain(take, folder))

    benchmark.pedantic(run, rounds=1)
    lines = [
        f"{len(next(iter(takes.values())))} frames of 640 x 360 a take, {os.cpu_count()} cores.",
        "",
        "| take | s: ours | s: COLMAP | times faster | posed: ours | COLMAP | ATE %: ours | COLMAP "
        "| focal off %: ours | COLMAP |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (a, b) in rows.items():
        lines.append(
            f"| {name} | {a.seconds:.1f} | {b.seconds:.1f} | {b.seconds / a.seconds:.1f} | {a.posed} | {b.posed} "
            f"| {a.error_percent:.3f} | {b.error_percent:.3f} | {a.focal_percent:.2f} | {b.focal_percent:.2f} |"
        )
    total = [sum(pair[i].seconds for pair in rows.values()) for i in (0, 1)]
    lines.append(f"| all | {total[0]:.1f} | {total[1]:.1f} | {total[1] / total[0]:.1f} | | | | | | |")
    seconds = [[pair[i].seconds for pair in rows.values()] for i in (0, 1)]
    benchmark.extra_info.update(record(f"posing takes of {SECONDS:g} s, 640 x 360", seconds[0], {"COLMAP": seconds[1]}))
    write_table("speed", lines)
    print("\n" + "\n".join(lines))
    assert total[1] > 2 * total[0]
    assert np.mean([a.error_percent - b.error_percent for a, b in rows.values()]) <= 0.01
