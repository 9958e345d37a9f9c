"""Verdicts on changed copies: mirrored, brightened, re-encoded, scaled and resampled videos keep their shots' verdicts.

    python benchmarks/curate_metamorphic.py FOLDER [--changes mirrored crf30 ...] [--out FILE.json]

Curates every video of a folder as it is and in each changed copy, and counts the shots whose verdict (kept or dropped)
stays. A shot of a copy answers for the original shot that it overlaps most; one that none overlaps by half has changed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import NamedTuple

from flythrough.curate.config import CurateConfig
from flythrough.curate.scan import scan
from flythrough.curate.score.figures import wilson
from flythrough.media.video_writer import ffmpeg_path

# Name: ffmpeg's filter, and the quality (CRF) of the copy.
CHANGES = {
    "mirrored": ("hflip", 18),
    "brightened": ("eq=brightness=0.06", 18),
    "crf18": ("null", 18),
    "crf30": ("null", 30),
    "half": ("scale=trunc(iw/4)*2:-2", 18),
    "double": ("scale=iw*2:ih*2", 18),
    "fps24": ("fps=24", 18),
    "fps30": ("fps=30", 18),
    "fps60": ("fps=60", 18),
}


class Judged(NamedTuple):
    """A shot, seconds; ``reason`` is None where it is kept."""

    start_s: float
    end_s: float
    reason: str | None


def judged(video: Path, config: CurateConfig) -> list[Judged]:
    """A video's shots with the rules' verdicts; duplicates are not sought."""
    return [
        Judged(shot.start_us / 1e6, shot.end_us / 1e6, config.rules.judge(shot.measures).reason)
        for shot in scan(video, config).shots
    ]


def answering(one: Judged, others: list[Judged]) -> Judged | None:
    """The shot of a copy that overlaps one of the original most, if by half of it."""
    overlaps = [(min(one.end_s, x.end_s) - max(one.start_s, x.start_s), x) for x in others]
    best, found = max(overlaps, key=lambda pair: pair[0], default=(0.0, None))
    return found if 2 * best >= one.end_s - one.start_s else None


def changed_copy(video: Path, change: str, folder: Path) -> Path:
    """Write the changed copy, without sound."""
    filters, crf = CHANGES[change]
    copy = folder / f"{change}.mp4"
    command = [ffmpeg_path(), "-v", "error", "-y", "-i", str(video), "-an", "-vf", f"{filters},format=yuv420p"]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", str(crf), "-threads", "1", str(copy)]
    subprocess.run(command, check=True)
    return copy


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=list(CHANGES))
    parser.add_argument("--only", nargs="+", default=[], help="names of the files to take, without extension")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    config = CurateConfig()
    counts = {change: [0, 0] for change in options.changes}
    differing: list[dict[str, object]] = []
    for video in sorted(options.folder.glob("*.mp4")):
        if options.only and video.stem not in options.only:
            continue
        originals = judged(video, config)
        for change in options.changes:
            with tempfile.TemporaryDirectory() as folder:
                others = judged(changed_copy(video, change, Path(folder)), config)
            for one in originals:
                other = answering(one, others)
                same = other is not None and (other.reason is None) == (one.reason is None)
                counts[change][0] += same
                counts[change][1] += 1
                if not same:
                    now = "no such shot" if other is None else other.reason or "kept"
                    differing.append({"video": video.stem, "at_s": one.start_s, "change": change,
                                      "was": one.reason or "kept", "is": now})  # fmt: skip
                    print(f"{video.stem} {one.start_s:.2f} s, {change}: {one.reason or 'kept'} -> {now}", flush=True)
        print(f"{video.stem}: {len(originals)} shots", flush=True)
    for change, (same, total) in counts.items():
        low, high = wilson(same, total)
        print(f"{change}: {same} of {total} the same; 95 % {low:.3f}-{high:.3f}")
    if options.out:
        options.out.write_text(json.dumps({"same": counts, "differing": differing}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
