"""Verdicts on changed copies: mirrored, re-encoded, scaled and resampled videos keep their shots' verdicts.

    python benchmarks/curate_metamorphic.py FOLDER [--sample-world TAKES] [--seconds 6] [--longest 1000] --out FILE.json

Curates every video of a folder as it is and in changed copies, and counts the shots whose verdict (kept or dropped)
stays the same. An original shot is compared with the shot of the copy that overlaps it most; if none overlaps it by
half, it counts as changed.

All pairs of a video and a change make a list, which ``--seed`` shuffles so that every video gets every change; the run
works through it until ``--cpu-minutes`` of processor time are used, with its encoders'. Finished pairs are kept beside
``--out`` in ``FILE.pairs.jsonl``: the same command resumes from there, and ``--cpu-minutes 0`` only counts.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flythrough.curate.config import CurateConfig
from flythrough.curate.scan import scan
from flythrough.curate.score.figures import wilson
from flythrough.media.video_reader import open_video
from flythrough.media.video_writer import ffmpeg_path
from flythrough.rules import MissingMeasure

# Name: ffmpeg's filter, and the quality (CRF) of the copy.
CHANGES = {
    "mirrored": ("hflip", 18),
    "crf18": ("null", 18),
    "crf24": ("null", 24),
    "crf30": ("null", 30),
    "half": ("scale=trunc(iw/4)*2:trunc(ih/4)*2", 18),
    "double": ("scale=iw*2:ih*2", 18),
    "fps24": ("fps=24", 18),
    "fps30": ("fps=30", 18),
    "fps60": ("fps=60", 18),
    "brightened": ("eq=brightness=0.06", 18),
}
ASKED = [name for name in CHANGES if name != "brightened"]
MOST_DOUBLED = 1280  # pixels of the longer side; larger videos are not doubled, 4K takes too long to encode
KINDS = ("forward", "orbit", "sideways", "static", "rotation", "zoom", "sea")


class Judged(NamedTuple):
    """A shot, seconds; ``reason`` is None if it is kept."""

    start_s: float
    end_s: float
    reason: str | None
    measures: dict[str, Any]


def judged(video: Path, config: CurateConfig) -> list[Judged]:
    """A video's shots with the rules' verdicts; duplicates are not sought."""
    found = []
    for shot in scan(video, config).shots:
        try:
            reason = config.rules.judge(shot.measures).reason
        except MissingMeasure as error:
            reason = f"error: {error.message}"
        figures = {name: value for name, value in shot.measures.items() if isinstance(value, (int, float))}
        found.append(Judged(shot.start_us / 1e6, shot.end_us / 1e6, reason, figures))
    return found


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


def changes_a_thing(video: Path, change: str) -> bool:
    """Whether a change applies to this video, and is affordable."""
    if not video.exists():  # a take
        return change != "fps24"
    if change.startswith("fps"):
        with open_video(video) as (_, stream):
            return abs(float(stream.average_rate or 0) / float(change.removeprefix("fps")) - 1) > 0.01
    return change != "double" or longest_side(video) <= MOST_DOUBLED


def longest_side(video: Path) -> int:
    """Pixels of the longer side; a take that is not filmed yet will be small."""
    if not video.exists():
        return 320
    with open_video(video) as (_, stream):
        return int(max(stream.width, stream.height))


def plan(videos: list[Path], changes: list[str], seed: int) -> list[tuple[Path, str]]:
    """Every pair once: in each round, every video has one change, the rounds go through all changes."""
    shuffled = random.Random(seed).sample(videos, len(videos))
    places = range(len(shuffled))
    pairs = [(shuffled[i], changes[(i + round_) % len(changes)]) for round_ in range(len(changes)) for i in places]
    return [(video, change) for video, change in pairs if changes_a_thing(video, change)]


def film_take(file: Path) -> None:
    """Film a take of the sample world, 3 s: ``sample_KIND_SEED.mp4``."""
    from flythrough.sample.film import film

    _, kind, seed = file.stem.split("_")
    file.parent.mkdir(parents=True, exist_ok=True)
    film(int(seed), kind, 3.0, width=320, height=180, fps=24).write_video(part := file.with_suffix(".part.mp4"))
    part.replace(file)


def cpu_s() -> float:
    """Processor time of this process and of those it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(one.ru_utime + one.ru_stime for one in used)


def beginning(video: Path, seconds: float, folder: Path) -> Path:
    """The first seconds of a video, as it is coded."""
    piece = folder / f"{video.stem}.mp4"
    command = [
        ffmpeg_path(),
        "-v",
        "error",
        "-y",
        "-i",
        str(video),
        "-an",
        "-t",
        str(seconds),
        "-c",
        "copy",
        str(piece),
    ]
    subprocess.run(command, check=True)
    return piece


def work(pairs: list[tuple[Path, str]], done: Path, minutes: float, seconds: float) -> None:
    """Judge pair after pair and record each, until the processor time is used."""
    seen = {(row["video"], row["change"]): row["shots"] for row in read(done)}
    config = CurateConfig()
    for video, change in pairs:
        for each in ("original", change):
            if (video.stem, each) in seen or cpu_s() >= 60 * minutes:
                continue
            if not video.exists():
                film_take(video)
            with tempfile.TemporaryDirectory() as folder:
                piece = beginning(video, seconds, Path(folder))
                copy = piece if each == "original" else changed_copy(piece, each, Path(folder))
                shots = [shot._asdict() for shot in judged(copy, config)]
            seen[video.stem, each] = shots
            with done.open("a") as file:
                file.write(json.dumps({"video": video.stem, "change": each, "shots": shots}) + "\n")


def read(done: Path) -> Iterator[dict[str, Any]]:
    """The records of earlier runs, without an incomplete last line."""
    for line in done.read_text().splitlines() if done.exists() else []:
        try:
            yield json.loads(line)
        except json.JSONDecodeError:
            continue


def count(pairs: list[tuple[Path, str]], done: Path) -> dict[str, Any]:
    """The report: by change, shots with the same verdict and all shots; every shot that differs, with its figures."""
    rows = {(row["video"], row["change"]): [Judged(**shot) for shot in row["shots"]] for row in read(done)}
    same: dict[str, list[int]] = {}
    differing = []
    ran = [(v.stem, c) for v, c in pairs if {(v.stem, "original"), (v.stem, c)} <= rows.keys()]
    for video, change in ran:
        counted = same.setdefault(change, [0, 0])
        for one in rows[video, "original"]:
            other = answering(one, rows[video, change])
            kept = other is not None and (other.reason is None) == (one.reason is None)
            counted[0] += kept
            counted[1] += 1
            if not kept:
                now = "no such shot" if other is None else other.reason or "kept"
                differing.append({"video": video, "at_s": round(one.start_s, 2), "change": change,
                                  "was": one.reason or "kept", "is": now, "figures": figures(one, other)})  # fmt: skip
    total = [sum(column) for column in zip(*same.values(), strict=True)]
    kept_at_first = sum(shot.reason is None for v in {v for v, _ in ran} for shot in rows[v, "original"])
    return {"same": same, "all": [*total, *(round(x, 3) for x in wilson(*total))] if total else [],
            "pairs_run": len(ran), "pairs": len(pairs), "videos": len({v for v, _ in ran}),
            "shots": sum(len(rows[v, "original"]) for v in {v for v, _ in ran}), "shots_kept": kept_at_first,
            "differing": differing}  # fmt: skip


def figures(one: Judged, other: Judged | None) -> dict[str, list[float | None]]:
    """Before and after, of the measures of the rules that gave a reason."""
    rules = CurateConfig().rules
    reasons = {one.reason, other.reason if other else None}
    names = {x.measure for x in rules.limits() if reasons & {x.rule, x.reason}} | {"length_s"}
    after = other.measures if other else {}
    return {name: [round(x, 4) if x is not None else None for x in (one.measures.get(name), after.get(name))]
            for name in sorted(names)}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=ASKED)
    parser.add_argument("--only", nargs="+", default=[], help="names of the files to take, without extension")
    parser.add_argument("--sample-world", type=Path, help="a folder for takes of an island, filmed there once")
    parser.add_argument("--seconds", type=float, default=1e6, help="only so much of each video, from its beginning")
    parser.add_argument("--longest", type=int, default=10**6, help="only videos of at most so many pixels a side")
    parser.add_argument("--seed", type=int, default=0, help="shuffles the videos")
    parser.add_argument("--cpu-minutes", type=float, default=15.0, help="processor time after which no pair is begun")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    videos = sorted(options.folder.glob("*.mp4"))
    if options.sample_world:
        videos += [options.sample_world / f"sample_{kind}_1.mp4" for kind in KINDS]
    videos = [v for v in videos if (not options.only or v.stem in options.only) and longest_side(v) <= options.longest]
    pairs = plan(videos, options.changes, options.seed)
    done = options.out.with_suffix(".pairs.jsonl")
    work(pairs, done, options.cpu_minutes, options.seconds)
    report = count(pairs, done)
    for change, (same, total) in report["same"].items():
        print(f"{change}: {same} of {total} the same; 95 % {'-'.join(f'{x:.3f}' for x in wilson(same, total))}")
    for row in report["differing"]:
        print(f"{row['video']} {row['at_s']} s, {row['change']}: {row['was']} -> {row['is']} {row['figures']}")
    print(f"all: {report['all']}, {report['pairs_run']} of {report['pairs']} pairs, {cpu_s():.0f} s of processor time")
    sample = {name: getattr(options, name) for name in ("seed", "seconds", "longest")}
    options.out.write_text(json.dumps({**sample, **report}, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
