"""The same video twice: equal bytes, or equal pictures (a re-upload at another size or bitrate)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from flythrough.media.perceptual_hash import BITS, picture_hash, to_hex
from flythrough.workspace.catalog import Row

SAMPLES = 8  # pictures a video, evenly over its length
_MAX_STRETCH_S, _MAX_STRETCH = 0.5, 0.005  # re-uploads differ in length by less


def perceptual_hash(path: Path, start_us: int, duration_us: int) -> str:
    """Hashes of pictures evenly over a video, in hex: near-equal for the same video encoded otherwise.

    Raises:
        InputError: the file does not decode.
    """
    from flythrough.media.video_reader import seek_frame

    digits = []
    for sample in range(SAMPLES):
        time_us = start_us + duration_us * (2 * sample + 1) // (2 * SAMPLES)
        image = seek_frame(path, time_us, width=64, height=64)
        digits.append(to_hex(picture_hash(image)))
    return "".join(digits)


def duplicates(rows: Sequence[Row], max_bits: float, keep: frozenset[str] = frozenset()) -> dict[str, tuple[str, str]]:
    """Which rows of ``videos`` are there already.

    Args:
        rows: the table.
        max_bits: mean distance of two pictures' hashes, of 64 bits, up to which they are the same.
        keep: ids that are never dropped.

    Returns:
        For each row to drop, the reason and the id of the row that stands for it: of equal files the first,
        of equal pictures the one with the most pixels, then the most bytes.
    """
    found: dict[str, tuple[str, str]] = {}
    first: dict[str, str] = {}
    distinct = []
    for row in sorted(rows, key=lambda row: (row["id"] not in keep, row["id"])):
        original = first.setdefault(row["sha256"], row["id"])
        if original != row["id"] and row["id"] not in keep:
            found[row["id"]] = ("same file", original)
        else:
            distinct.append(row)
    best = sorted(distinct, key=lambda r: (r["id"] not in keep, -r["width"] * r["height"], -r["bytes"], r["id"]))
    durations = np.array([row["duration_us"] / 1e6 for row in best])
    hashes = np.stack([_bits(row["perceptual_hash"]) for row in best]) if best else np.zeros((0, SAMPLES * BITS), bool)
    kept = np.zeros(len(best), dtype=bool)
    for index, row in enumerate(best):
        near = np.abs(durations - durations[index]) <= _MAX_STRETCH_S + _MAX_STRETCH * durations[index]
        candidates = np.flatnonzero(kept & near)
        if row["id"] not in keep and len(candidates) and row["perceptual_hash"]:
            distance = (hashes[candidates] != hashes[index]).mean(axis=1) * BITS
            if distance.min() <= max_bits:
                found[row["id"]] = ("same pictures", best[int(candidates[distance.argmin()])]["id"])
                continue
        kept[index] = bool(row["perceptual_hash"])
    return found


def _bits(text: str | None) -> np.ndarray:
    if not text:
        return np.zeros(SAMPLES * BITS, dtype=bool)
    return np.unpackbits(np.frombuffer(bytes.fromhex(text), dtype=np.uint8)).astype(bool)
