"""Near duplicates of many videos: ``python benchmarks/acquire_duplicates.py [COUNT]``.

Two cases of acquire's: lengths as of found videos (log-normal, median three minutes), and the worst, all of one
length. Then sfm's, which keeps near duplicates in one split, whatever their lengths.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np

from flythrough.acquire.verify.likeness import SAMPLES, duplicates
from flythrough.sfm.splits import near_duplicates

COPIES = 0.1  # share of videos that are re-encoded copies of another


def made(count: int, durations_us: np.ndarray) -> list[dict[str, object]]:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 256, (count, SAMPLES * 8), dtype=np.uint8)
    copies = np.flatnonzero(rng.random(count) < COPIES)
    originals = rng.integers(0, count, len(copies))
    noise = np.packbits(rng.random((len(copies), SAMPLES * 64)) < 0.05, axis=1)
    hashes[copies], durations_us[copies] = hashes[originals] ^ noise, durations_us[originals]
    return [
        {"id": f"v{n:07}", "sha256": str(n), "width": 1920, "height": 1080, "bytes": n,
         "duration_us": int(durations_us[n]), "perceptual_hash": hashes[n].tobytes().hex()}
        for n in range(count)
    ]  # fmt: skip


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    rng = np.random.default_rng(1)
    cases = {
        "lengths as found": (1e6 * rng.lognormal(np.log(180), 1, count)).astype(np.int64),
        "all of one length": np.full(count, 180_000_000),
    }
    for name, durations_us in cases.items():
        rows = made(count, durations_us)
        began = time.process_time()
        found = duplicates(rows, 10)
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        seconds = time.process_time() - began
        print(f"{name}: {count} videos, {len(found)} duplicates, {seconds:.1f} s of processor time, {peak_mb:.0f} MB")
    began = time.process_time()
    groups = near_duplicates(rows, 6)
    seconds = time.process_time() - began
    print(f"for splits: {count} videos, {len(groups)} groups, {seconds:.1f} s of processor time")


if __name__ == "__main__":
    main()
