"""Kill -9 at random moments of every stage, and count what is lost; the table of docs/reliability.md is made from it.

    python benchmarks/fault_campaign.py [--kills 60] [--seed 0] [--folder DIR] [-o docs/data/faults.json]

Each stage is run once undisturbed. Then, from the same start, it is killed again and again (the driver alone, one
worker alone, or all processes together, at moments drawn by the seed), run to its end, and compared.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from flythrough.sample.film import film
from flythrough.workspace.catalog import TABLES, Workspace
from flythrough.workspace.stage import STAGES
from flythrough.workspace.upkeep.verify import verify

VICTIMS = ("driver", "worker", "all")
RULES = ("short", "exposure", "bars", "untracked", "still", "lost", "blurred", "shaky", "no_parallax", "moving",
         "overlay", "sky", "water", "people", "not_nature", "duplicate")  # fmt: skip
CONFIG = (
    "".join(f'[curate.rules.{rule}]\nmode = "off"\n' for rule in RULES)
    + """
[train]
preset = "tiny"
height = 32
width = 64
base_width = 2
style_size = 8
discriminator_width = 4
unroll = 2
steps = 20
save_every = 4
device = "cpu"

[evaluate]
steps = 4
view_steps = [2]
starts_per_clip = 1
sfm_flights = 0
replicates = 20
set_replicates = 10
methods = ["infinite-nature", "render-only", "layered", "real"]
"""
)


def command(stage: str, root: Path) -> list[str]:
    given = ["--input", str(root.parent / "videos")] if stage == "acquire" else []
    return [sys.executable, "-m", "flythrough", stage, "-w", str(root), "--retry-errors", *given]


def tables(root: Path) -> dict[str, bytes]:
    return {name: file.read_bytes() for name in TABLES if (file := Workspace(root).table_file(name)).exists()}


def finish(stage: str, root: Path) -> float:
    """Run a stage to its end; returns the seconds it took."""
    began = time.monotonic()
    subprocess.run(command(stage, root), check=True, capture_output=True, timeout=600)
    return time.monotonic() - began


def kill(stage: str, root: Path, after_s: float, victim: str) -> tuple[str, int]:
    """Start a stage and kill it; returns what was hit ("" if it had ended) and how many processes outlived it."""
    driver = subprocess.Popen(
        command(stage, root), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(after_s)
    own = psutil.Process(driver.pid)
    family: list[psutil.Process] = []
    with suppress(psutil.Error):
        family = own.children(recursive=True)
    if driver.poll() is not None:
        return "", 0
    workers = [each for each in family if "spawn_main" in " ".join(_words(each))]
    if victim == "worker" and not workers:
        victim = "driver"  # a stage that works in its own process, or has not started one yet
    targets = {"driver": [own], "worker": workers[:1], "all": [own, *family]}[victim]
    for each in targets:
        with suppress(psutil.Error):
            each.kill()
    driver.wait(600)
    _, alive = psutil.wait_procs(family, timeout=10)
    return victim, len(alive)


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def trial(stage: str, folder: Path, kills: int, draw: random.Random) -> dict[str, Any]:
    """Kill one stage ``kills`` times, then run it to its end; returns its row."""
    whole, hit, start = folder / "whole", folder / "hit", folder / f"before-{stage}"
    if not start.exists():
        part = Path(shutil.copytree(whole, folder / "part", dirs_exist_ok=True))
        part.rename(start)
    for copy in (whole, hit):  # an earlier campaign may have been interrupted within this stage
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(start, copy)
    took_s = finish(stage, whole)
    hits: Counter[str] = Counter()
    orphans, tries = 0, 0
    while sum(hits.values()) < kills and tries < 18 * kills:
        tries += 1
        if (hit / stage / "summary.json").exists():
            shutil.rmtree(hit / stage)  # it had finished: begin again
        what, left = kill(stage, hit, draw.uniform(0.2, took_s), draw.choice(VICTIMS))
        hits[what] += bool(what)
        orphans += left
    finish(stage, hit)
    before, after = tables(whole), tables(hit)
    return {
        "stage": stage, "kills": {victim: hits[victim] for victim in VICTIMS}, "orphans": orphans,
        "tables_that_differ": sorted(name for name in before | after if before.get(name) != after.get(name)),
        "broken_files": len(verify(Workspace(hit)).findings), "undisturbed_s": round(took_s, 1),
    }  # fmt: skip


def campaign(kills: int, seed: int, folder: Path) -> dict[str, Any]:
    """Kill each stage; returns one row per stage: kills by victim, orphans, tables and files that differ.

    Finished rows are kept in the folder, so an interrupted campaign resumes with the stage it was in.
    """
    rows: list[dict[str, Any]] = []
    if (kept := folder / "rows.json").exists():
        rows = json.loads(kept.read_text())
    if not (folder / "whole").exists():
        (folder / "videos").mkdir(parents=True, exist_ok=True)
        for number, kind in ((1, "forward"), (2, "orbit")):
            film(number, kind, 3, width=320, height=180, fps=12).write_video(folder / "videos" / f"{kind}.mp4")
        (folder / "whole").mkdir()
        (folder / "whole" / "flythrough.toml").write_text(CONFIG)
    for stage in list(STAGES)[len(rows) :]:
        # moments drawn by stage, so that they do not depend on where an earlier campaign was interrupted
        rows.append(trial(stage, folder, kills // len(STAGES), random.Random(f"{seed}/{stage}")))
        kept.write_text(json.dumps(rows))
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    return {"seed": seed, "stages": rows}


def table(found: dict[str, Any]) -> str:
    """The campaign as the table of docs/reliability.md."""
    head = (
        "stage",
        *(f"{victim} killed" for victim in VICTIMS),
        "processes left",
        "tables that differ",
        "broken files",
    )
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in found["stages"]:
        kills = " | ".join(str(row["kills"][victim]) for victim in VICTIMS)
        differ = ", ".join(row["tables_that_differ"]) or "0"
        lines.append(f"| {row['stage']} | {kills} | {row['orphans']} | {differ} | {row['broken_files']} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="keep the workspaces here; called again, it goes on from there")
    parser.add_argument("-o", "--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flythrough-faults-") as scratch:
        found = campaign(given.kills, given.seed, given.folder or Path(scratch))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")
    print(table(found))
    sys.exit(any(row["orphans"] or row["tables_that_differ"] or row["broken_files"] for row in found["stages"]))


if __name__ == "__main__":
    main()
