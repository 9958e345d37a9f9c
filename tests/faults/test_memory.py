"""Memory and time stay bounded where inputs grow: given clips of long videos, many frames, videos and photos."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from flythrough.acquire.verify.likeness import SAMPLES, duplicates
from flythrough.curate.config import CurateConfig
from flythrough.curate.measures.collect import Collector
from flythrough.curate.scan import scan
from flythrough.media.video_reader import frame_times
from flythrough.sfm.config import FramesConfig
from flythrough.sfm.disparity.posed import undistort
from flythrough.sfm.photos import read_photos
from flythrough.sfm.poses.footage import gather, taken
from flythrough.sfm.poses.scene import Lens
from flythrough.workspace.catalog import Row
from tests.acquire.acquire_world import make_video


def made_rows(rng: np.random.Generator, count: int) -> list[Row]:
    """Rows of ``videos``, many of which show the pictures of an earlier one, with some bits wrong."""
    rows: list[Row] = []
    for index in range(count):
        bits = rng.integers(0, 2, (SAMPLES, 64), dtype=np.uint8)
        duration_us = int(rng.integers(8, 20) * 10**6)
        if rows and rng.random() < 0.6:
            like = rows[rng.integers(len(rows))]
            bits = np.unpackbits(np.frombuffer(bytes.fromhex(like["perceptual_hash"] or "00" * 64), np.uint8))
            bits = (bits ^ (rng.random(bits.size) < rng.choice([0.0, 0.1, 0.156, 0.2]))).reshape(SAMPLES, 64)
            duration_us = like["duration_us"] + int(rng.integers(-700_000, 700_000))
        text = np.packbits(bits).tobytes().hex() if rng.random() > 0.02 else None
        rows.append({
            "id": f"v{index}", "sha256": str(rng.integers(count)), "width": int(rng.integers(1, 4)), "height": 9,
            "bytes": int(rng.integers(3)), "duration_us": duration_us, "perceptual_hash": text,
        })  # fmt: skip
    return rows


def by_brute_force(rows: list[Row], max_bits: float, keep: frozenset[str]) -> dict[str, tuple[str, str]]:
    """Every row against every kept one, as the definition says."""
    found: dict[str, tuple[str, str]] = {}
    first: dict[str, str] = {}
    for row in sorted(rows, key=lambda row: (row["id"] not in keep, row["id"])):
        if (original := first.setdefault(row["sha256"], row["id"])) != row["id"] and row["id"] not in keep:
            found[row["id"]] = ("same file", original)
    distinct = [row for row in rows if row["id"] not in found]
    order = sorted(distinct, key=lambda r: (r["id"] not in keep, -r["width"] * r["height"], -r["bytes"], r["id"]))
    kept: list[Row] = []
    for row in order:
        best = (max_bits + 1e-9, "")
        for other in kept if row["perceptual_hash"] and row["id"] not in keep else []:
            gap_s = abs(other["duration_us"] / 1e6 - row["duration_us"] / 1e6)
            if gap_s <= 0.5 + 0.005 * (row["duration_us"] / 1e6):
                wrong = int(row["perceptual_hash"], 16) ^ int(other["perceptual_hash"], 16)
                distance = wrong.bit_count() / SAMPLES
                if distance < best[0]:
                    best = (distance, other["id"])
        if best[1]:
            found[row["id"]] = ("same pictures", best[1])
        elif row["perceptual_hash"]:
            kept.append(row)
    return found


@pytest.mark.parametrize("seed", range(6))
def test_near_duplicates_are_those_of_brute_force(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = made_rows(rng, 300)
    keep = frozenset(row["id"] for row in rows if rng.random() < 0.1)
    found = duplicates(rows, 10, keep)
    assert found == by_brute_force(rows, 10, keep)
    assert sum(reason == "same pictures" for reason, _ in found.values()) > 20


def test_given_clips_are_forgotten_after_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = make_video(tmp_path / "a.mp4", frames=600)
    held: list[int] = []
    add = Collector.add

    def counted(self: Collector, *arguments: object) -> None:
        add(self, *arguments)  # type: ignore[arg-type]
        held.append(len(self.pictures))

    monkeypatch.setattr(Collector, "add", counted)
    times_us = frame_times(film)[1].tolist()
    spans = [(times_us[first], times_us[first + 40]) for first in range(0, 600, 60)]
    found = scan(film, CurateConfig(), given_us=spans)
    assert [(shot.start_frame, shot.end_frame) for shot in found.shots] == [(n, n + 41) for n in range(0, 600, 60)]
    assert max(held) < 25  # five a second, of a shot, the gap before it and a second to spare


def test_frames_are_held_once() -> None:
    picture = np.zeros((180, 320, 3), np.uint8)
    config = FramesConfig(rows=180, work_px=320)
    gather([(0, picture)], config, 1)
    tracemalloc.start()
    footage = gather(((n, picture.copy()) for n in range(100)), config, 100)
    _, peak = tracemalloc.get_traced_memory()
    assert peak < 1.3 * (footage.gray.nbytes + footage.color.nbytes) + 5 * picture.nbytes
    tracemalloc.reset_peak()
    before = tracemalloc.get_traced_memory()[0]
    images, _ = undistort(footage.color, Lens(focal=300.0, k=-0.05, width=320, height=180))
    assert tracemalloc.get_traced_memory()[1] - before < 1.3 * images.nbytes
    tracemalloc.stop()
    assert np.shares_memory(taken(footage.color, np.arange(10, 40)), footage.color)
    assert not np.shares_memory(taken(footage.color, np.array([1, 2, 4])), footage.color)


def test_photos_obey_max_frames(tmp_path: Path) -> None:
    for n in range(10):
        Image.fromarray(np.full((300, 400, 3), 20 * n, np.uint8)).save(tmp_path / f"{n}.png")
    photos = read_photos(tmp_path, FramesConfig(max_frames=4))
    assert photos.footage.times_us.tolist() == [0, 3_000_000, 6_000_000, 9_000_000]
    drops = [(row["id"], row["reason"]) for row in photos.drops]
    assert drops == [(f"{n}.png", "max_frames") for n in (1, 2, 4, 5, 7, 8)]
