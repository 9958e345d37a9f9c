"""Perceptual distances of re-encoded copies and of different videos, and the size of a frame on disk.

    python benchmarks/acquire_copies.py FOLDER docs/data/acquire_copies.json

Of the first five seconds of each video in FOLDER, at 360 lines. The distance is what acquire compares: bits of 64, mean
over the pictures' hashes. Frames are written as acquire writes them.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np

from flythrough.acquire.verify.likeness import SAMPLES, perceptual_hash
from flythrough.media.video_reader import seek_frame
from flythrough.media.video_writer import ffmpeg_path

SECONDS = 5
COPIES = {
    "half size": ["-vf", "scale=trunc(iw/4)*2:trunc(ih/4)*2"],
    "MPEG-4": ["-c:v", "mpeg4", "-q:v", "6"],
    "H.265": ["-c:v", "libx265", "-x265-params", "log-level=error"],
    "24 fps": ["-r", "24"],
    "CRF 40": ["-crf", "40"],
}
WRITTEN = {".png": [cv2.IMWRITE_PNG_COMPRESSION, 3], ".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95]}


def made(video: Path, target: Path, *options: str) -> Path:
    command = [ffmpeg_path(), "-v", "error", "-y", "-i", str(video), "-t", str(SECONDS), "-an", *options, str(target)]
    subprocess.run(command, check=True)
    return target


def distance(a: str, b: str) -> float:
    """Bits by which two videos' hashes differ, mean over their pictures."""
    return (int(a, 16) ^ int(b, 16)).bit_count() / SAMPLES


def frame_bytes(video: Path) -> dict[str, int]:
    """Of the frame in the middle, 640 x 360."""
    image = seek_frame(video, 500_000 * SECONDS, width=640, height=360)[..., ::-1]
    return {kind: len(cv2.imencode(kind, image, options)[1]) for kind, options in WRITTEN.items()}


def main(folder: Path, out: Path) -> None:
    hashes, off, sizes = [], {name: [] for name in COPIES}, []
    with tempfile.TemporaryDirectory() as work:
        for video in sorted(folder.glob("*.mp4")):
            whole = made(video, Path(work) / "whole.mp4", "-vf", "scale=-2:360", "-crf", "12")
            hashes.append(perceptual_hash(whole, 0, 1_000_000 * SECONDS))
            sizes.append(frame_bytes(whole))
            for name, options in COPIES.items():
                copy = perceptual_hash(made(whole, Path(work) / "copy.mp4", *options), 0, 1_000_000 * SECONDS)
                off[name].append(distance(hashes[-1], copy))
    found = {
        "videos": len(hashes),
        "copies, greatest distance": {name: max(each) for name, each in off.items()},
        "different videos, least distance": min(distance(a, b) for a, b in combinations(hashes, 2)),
        "bytes a frame, median": {kind: int(np.median([each[kind] for each in sizes])) for kind in WRITTEN},
    }
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
