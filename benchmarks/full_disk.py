"""Fill the disk in every stage, and compare what the same command makes once there is room again.

    python benchmarks/full_disk.py [--rooms 8 64]     # needs the right to mount a tmpfs, or sudo

Before each stage all but a few KiB of a small tmpfs are taken. The stage must end with an error and no traceback; with
the room given back the same command must end in the tables of an undisturbed run.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from fault_campaign import CONFIG, command, finish, tables

from flythrough.sample.film import film
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.stage import STAGES
from flythrough.workspace.upkeep.verify import verify

SIZE_MB = 200


def fill(folder: Path, left_kib: int) -> Path:
    """Fill a file system except for ``left_kib``; returns the file that fills it."""
    ballast = folder / "ballast"
    space = os.statvfs(folder)
    with open(ballast, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, max(1, space.f_bavail * space.f_frsize - left_kib * 1024))
    return ballast


def squeeze(stage: str, disk: Path, hit: Path, left_kib: int) -> tuple[int, bool]:
    """Run a stage on a nearly full disk; returns its exit code and whether it showed a traceback."""
    ballast = fill(disk, left_kib)
    done = subprocess.run(command(stage, hit), capture_output=True, text=True, timeout=600, check=False)
    ballast.unlink()
    return done.returncode, "Traceback" in done.stderr + done.stdout


def campaign(disk: Path, rooms: list[int]) -> list[str]:
    """Returns one line of a table per stage and room."""
    lines = []
    (disk / "videos").mkdir()
    for number, kind in ((1, "forward"), (2, "orbit")):
        film(number, kind, 3, width=320, height=180, fps=12).write_video(disk / "videos" / f"{kind}.mp4")
    whole, hit = disk / "whole", disk / "hit"
    whole.mkdir()
    (whole / "flythrough.toml").write_text(CONFIG)
    for stage in STAGES:
        start = disk / "start"
        shutil.copytree(whole, start)
        finish(stage, whole)
        for left_kib in rooms:
            shutil.rmtree(hit, ignore_errors=True)
            shutil.copytree(start, hit)
            code, traceback = squeeze(stage, disk, hit, left_kib)
            finish(stage, hit)
            before, after = tables(whole), tables(hit)
            differ = sorted(name for name in before | after if before.get(name) != after.get(name))
            broken = len(verify(Workspace(hit)).findings)
            shown = "yes" if traceback else "no"
            lines.append(f"| {stage} | {left_kib} | {code} | {shown} | {', '.join(differ) or 0} | {broken} |")
            print(lines[-1], flush=True)
        shutil.rmtree(start)
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rooms", type=int, nargs="+", default=[8, 64], help="KiB left")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flythrough-full-") as scratch:
        rights = [] if os.geteuid() == 0 else ["sudo", "-n"]
        mount = [*rights, "mount", "-t", "tmpfs", "-o", f"size={SIZE_MB}m,mode=1777", "tmpfs", scratch]
        if subprocess.run(mount, check=False).returncode:
            sys.exit("Not run: mounting a tmpfs needs more rights")
        try:
            lines = campaign(Path(scratch), given.rooms)
        finally:
            subprocess.run([*rights, "umount", scratch], check=True)
    rows = [line.strip("| ").split(" | ") for line in lines]
    sys.exit(any(code == "0" or rest != ["no", "0", "0"] for _, _, code, *rest in rows))


if __name__ == "__main__":
    main()
