"""Errors of poses, lens and disparity against the truth: takes of the sample world through the whole stage.

    python benchmarks/sfm_accuracy.py [--seeds 18] [--seconds 3] [--workers 2]      # writes the table in docs/sfm.md

For each island a forward, an orbit and a sideways flight, on half of the islands with water over more than half of the
picture; then takes without geometry, which must be dropped. Errors are taken after the similarity that aligns the
camera centres. On a straight path that similarity is free to roll about it, so rotations are also given after the
rotation that aligns them best.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sfm_tables import align, rotation_error_deg, write_table

from flythrough.media import video_reader as video
from flythrough.sample.film import Film, film
from flythrough.scene.clips import Clip, load_clips
from flythrough.scene.geometry import camera_center
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import LocalExecutor
from flythrough.workspace.files import sha256_of
from flythrough.workspace.pipeline import run_stage
from flythrough.workspace.stage import load_stage

MOVING, STILL = ("forward", "orbit", "sideways"), ("static", "rotation", "zoom", "sea")


@dataclass(frozen=True)
class Errors:
    """Errors of one clip: shares in percent, rotation in degrees."""

    posed: float
    path: float
    rotation: float  # median, centres aligned
    orientation: float  # median, rotations aligned
    focal: float
    disparity: float

    def good(self, rotation: float) -> bool:
        """Whether the clip is as near the truth as the stage promises, with one of the two rotations."""
        return self.path <= 1 and rotation <= 0.5 and abs(self.focal) <= 2 and self.disparity < 10


def add_shot(workspace: Workspace, name: str, take: Film) -> tuple[Row, Row]:
    """Encode a take; its rows as acquire and curate write them."""
    path = workspace / "acquire" / f"{name}.mp4"
    path.parent.mkdir(parents=True, exist_ok=True)
    take.write_video(path)
    times = [frame.time_us for frame in video.frames(path)]
    height, width = take.images.shape[1:3]
    end_us = 2 * times[-1] - times[-2]
    row = {
        "id": name, "path": f"acquire/{path.name}", "sha256": sha256_of(path), "bytes": path.stat().st_size,
        "width": width, "height": height, "fps_num": take.fps.numerator, "fps_den": take.fps.denominator,
        "time_base_num": 1, "time_base_den": 1000, "frame_count": len(times), "duration_us": end_us, "rotation": 0,
        "pixel_format": "yuv420p", "variable_frame_rate": False,
    }  # fmt: skip
    shot = {
        "id": name, "video_id": name, "start_frame": 0, "end_frame": len(times), "start_us": times[0],
        "end_us": end_us, "crop_left": 0, "crop_top": 0, "crop_right": width, "crop_bottom": height, "measures": "{}",
    }  # fmt: skip
    return row, shot


def compare(clip: Clip, take: Film, path: Path) -> Errors:
    """Errors of a clip of the take that was filmed to ``path``."""
    first = int(np.searchsorted(video.frame_times(path)[1], clip.cameras.timestamps_us[0]))
    true_poses, poses = take.poses[first : first + len(clip)], clip.cameras.poses
    scale, rotation, error = align(camera_center(poses), camera_center(true_poses))

    u, _, vt = np.linalg.svd((true_poses[:, :, :3].swapaxes(1, 2) @ poses[:, :, :3]).sum(0))
    best = u @ np.diag([1, 1, np.linalg.det(u @ vt)]) @ vt
    relative = []
    for index in range(0, len(clip), 10):
        real = take.disparity[first + index].astype(float) * scale
        land = real > 0
        relative.append(np.median(np.abs(clip.disparity(index) - real)[land] / real[land]))
    return Errors(
        posed=100 * len(clip) / len(take),
        path=error,
        rotation=rotation_error_deg(poses, true_poses, rotation),
        orientation=rotation_error_deg(poses, true_poses, best),
        focal=float(100 * (clip.cameras.intrinsics[0, 0] / take.intrinsics[0, 0] - 1)),
        disparity=float(100 * np.median(relative)),
    )


def measure(takes: dict[str, Film], workers: int, folder: Path) -> list[str]:
    """Run the stage on all takes; the lines of the table."""
    workspace = Workspace(folder)
    rows = [add_shot(workspace, name, take) for name, take in takes.items()]
    workspace.write("videos", [row for row, _ in rows])
    workspace.write("shots", [shot for _, shot in rows])
    report = run_stage(load_stage("sfm"), workspace, load_config()["sfm"], LocalExecutor(workers))
    clips: dict[str, list[Clip]] = {name: [] for name in takes}
    for clip in load_clips(workspace):
        clips[clip.video_id].append(clip)
    ends = {row["id"]: row["reason"] for row in workspace.rows("drops")}
    ends |= {row["id"]: f"error: {row['message']}" for row in workspace.rows("errors")}
    lines = [
        "| take | posed, % | ATE, % of path | rotation, deg | the same, rotations aligned | focal, % | disparity, % |",
        "|---|---|---|---|---|---|---|",
    ]
    errors = []
    for name, take in takes.items():
        if not clips[name]:
            lines.append(f"| {name} | {ends.get(name, '?')} | | | | | |")
            continue
        if take.kind in STILL:
            lines.append(f"| {name} | a clip, which should not be | | | | | |")
            continue
        e = compare(max(clips[name], key=len), take, workspace / "acquire" / f"{name}.mp4")
        errors.append(e)
        figures = f"{e.path:.3f} | {e.rotation:.2f} | {e.orientation:.2f} | {e.focal:+.2f} | {e.disparity:.1f}"
        lines.append(f"| {name} | {e.posed:.0f} | {figures} |")
    moving = sum(take.kind in MOVING for take in takes.values())
    dropped = sum(take.kind in STILL and not clips[name] for name, take in takes.items())
    worst = [
        max(abs(getattr(e, name)) for e in errors) for name in ("path", "rotation", "orientation", "focal", "disparity")
    ]
    summary = (
        f"{len(errors)} of {moving} moving takes gave a clip, {sum(e.good(e.rotation) for e in errors)} within the "
        f"bounds ({sum(e.good(e.orientation) for e in errors)} with rotations aligned). "
        f"Worst: ATE {worst[0]:.3f} %, rotation {worst[1]:.2f} deg ({worst[2]:.2f} with rotations aligned), "
        f"focal {worst[3]:.2f} %, disparity {worst[4]:.1f} %. "
        f"{dropped} of {len(STILL)} takes without geometry gave none. {report.seconds:.0f} s of work."
    )
    return [summary, "", *lines]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=18)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--workers", type=int, default=2)
    args = parser.parse_args()
    takes = {}
    for seed in range(1, args.seeds + 1):
        for kind in MOVING:
            water = seed % 2 == 0
            takes[f"{kind}-{seed}{'-water' if water else ''}"] = film(seed, kind, args.seconds, water=water)
    for number, kind in enumerate(STILL):
        takes[f"{kind}-{number + 1}"] = film(number + 1, kind, args.seconds)
    with tempfile.TemporaryDirectory() as folder:
        lines = measure(takes, args.workers, Path(folder))
    print("\n".join(lines))
    write_table("accuracy", lines)


if __name__ == "__main__":
    main()
