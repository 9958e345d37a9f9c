"""Processor time of every stage against how much it is given.

    python -m benchmarks.stage_scale --folder DIR [-o FILE.json]

A unit of acquire, curate and sfm is a video (3 s, 320 x 180): a window of 60 % of one of 100 films of the sample world.
Each film has ten, which no hash takes for the same; the first hundred are of different films. A unit of train is an
optimiser step of the preset ``tiny`` at T = 1, of evaluate a flight (10 steps of ``render-inpaint`` and their scores,
as many from each test clip as UNITS says), of leaderboard a method on one protocol.

Each command runs in a process of its own; its time and its children's are counted. DIR must be new: a stage that was
interrupted there would go on, and count too little. Prints seconds, and the slope: between the two largest sizes, the
time grows as this power of the units (below 1 where starting still counts).
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import product
from pathlib import Path

from benchmarks.leaderboard_scale import make
from flythrough.media.video_writer import ffmpeg_path
from flythrough.workspace.catalog import Workspace

UNITS: dict[str, tuple[int, ...]] = {
    "acquire": (1, 10, 100, 1000),
    "curate": (1, 10, 100, 1000),
    "sfm": (1, 10, 30),
    "train": (1, 10, 100, 1000),
    "evaluate": (1, 10, 40),
    "leaderboard": (1, 10, 100, 1000),
}
FILMS = 100
FEW = ["--set", "sfm.splits.validation=0"]


def flythrough(*words: str | Path | int) -> None:
    """Run the command, silently unless it fails."""
    command = [sys.executable, "-c", "from flythrough.cli.app import main; main()", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


def processor_s(work: Callable[[], None]) -> float:
    """Seconds of processor time of the processes that ``work`` starts and waits for."""
    before = os.times()
    work()
    after = os.times()
    return round(sum(after[2:4]) - sum(before[2:4]), 2)


def film_all(folder: Path) -> None:
    """Film islands to ``folder/films``, and cut ten windows of each to ``folder/windows``."""
    flythrough("sample", folder / "films", "--videos", FILMS, "--seconds", "3", "--size", "320x180")
    (folder / "windows").mkdir()
    for k, (flip, left) in enumerate(product(("", ",hflip"), (0.2, 0.3, 0.1, 0.4, 0))):
        look = f"crop=iw*0.6:ih*0.6:iw*{left}:ih*{left},scale=320:180{flip}"
        for film in sorted((folder / "films").glob("*.mp4")):
            out = folder / "windows" / f"{k}_{film.name}"
            subprocess.run([ffmpeg_path(), "-v", "error", "-i", film, "-vf", look, "-crf", "18", out], check=True)


def videos(folder: Path, count: int) -> Path:
    """A folder of the first ``count`` videos, as links."""
    found = folder / f"videos-{count}"
    found.mkdir(exist_ok=True)
    for file in sorted((folder / "windows").glob("*.mp4"))[:count]:
        if not (found / file.name).exists():
            (found / file.name).symlink_to(file)
    return found


def upstream(folder: Path, units: int) -> Path:
    """The workspace that the video stages of so many units share."""
    return folder / f"videos-{units}.w"


def measure(stage: str, units: int, folder: Path) -> float:
    """Processor seconds of one stage for so many units; what it needs is there before."""
    workspace = upstream(folder, units)
    if stage == "acquire":
        return processor_s(lambda: flythrough("acquire", "--input", videos(folder, units), "-w", workspace, "--new"))
    if stage == "curate":
        return processor_s(lambda: flythrough("curate", "-w", workspace))
    if stage == "sfm":
        if not workspace.is_dir():
            flythrough("run", "--input", videos(folder, units), "-w", workspace, "--until", "curate")
        return processor_s(lambda: flythrough("sfm", "-w", workspace, *FEW))
    posed = upstream(folder, UNITS["sfm"][-1])
    if stage == "train":
        settings = [f"train.{each}" for each in ("preset=tiny", f"steps={units}", "unroll=1")]
        return processor_s(lambda: flythrough("train", "-w", posed, *_set(settings)))
    if stage == "evaluate":
        fixed = ('methods=["render-inpaint"]', "steps=10", "view_steps=[5]", "sfm_flights=0", "set_replicates=10")
        settings = [f"evaluate.{each}" for each in (*fixed, f"starts_per_clip={units}")]
        return processor_s(lambda: flythrough("evaluate", "-w", posed, *_set(settings)))
    board = Workspace(folder / f"board-{units}")
    board.write("results", list(make(board, units, 1, 24)))
    return processor_s(lambda: flythrough("leaderboard", "-w", board.root))


def test_clips(folder: Path) -> int:
    """How many clips evaluate flies from: the test clips of the posed workspace."""
    return sum(clip["split"] == "test" for clip in Workspace(upstream(folder, UNITS["sfm"][-1])).rows("clips"))


def _set(settings: list[str]) -> list[str]:
    return [word for each in settings for word in ("--set", each)]


def slope(seconds: dict[int, float]) -> float:
    """The power of the units by which the time grows between the two largest sizes."""
    (few, less), (many, more) = sorted(seconds.items())[-2:]
    return round(math.log(more / less) / math.log(many / few), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("-o", "--out", type=Path)
    given = parser.parse_args()
    folder = given.folder.absolute()
    folder.mkdir(parents=True)
    film_all(folder)
    found: dict[str, dict[int, float]] = {}
    for stage, units in UNITS.items():
        each = test_clips(folder) if stage == "evaluate" else 1
        found[stage] = {each * count: measure(stage, count, folder) for count in units}
        print(stage, found[stage], "slope", slope(found[stage]), flush=True)
    if given.out:
        rows = {stage: {"seconds": seconds, "slope": slope(seconds)} for stage, seconds in found.items()}
        given.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
