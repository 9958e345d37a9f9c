"""sfm/ as a stage: sample films and real footage through the pipeline, against the truth."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import psutil
import pytest

from flythrough.errors import InputError
from flythrough.media import video_reader as video
from flythrough.sample.film import Film, film
from flythrough.scene.cameras import write_cameras
from flythrough.scene.clips import load_clips
from flythrough.scene.geometry import camera_center, compose, make_pose, rotation_angle_deg
from flythrough.sfm import clip as clip_module
from flythrough.sfm.config import SfmConfig
from flythrough.sfm.poses import mapping, matching
from flythrough.sfm.poses.footage import Footage
from flythrough.sfm.poses.scene import Lens, Scene
from flythrough.sfm.poses.verify import fails, repair, verified, verify
from flythrough.sfm.view.clip_page import write_view
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import InlineExecutor, LocalExecutor
from flythrough.workspace.files import sha256_of
from flythrough.workspace.inspection import plan
from flythrough.workspace.pipeline import Report, run_stage
from flythrough.workspace.stage import load_stage

WIDTH, HEIGHT, FPS = 320, 180, 15


def add_shots(workspace: Workspace, path: Path, spans: list[tuple[int, int]] | None = None) -> str:
    """Rows of videos and shots as acquire and curate write them; returns the video's id."""
    frames = list(video.frames(path))
    times = [frame.time_us for frame in frames]
    times.append(times[-1] + (times[1] - times[0]))
    height, width = frames[0].image.shape[:2]
    id = f"{path.parent.name}-{path.stem}"
    target = workspace / "acquire" / path.name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(path.read_bytes())
    row = {
        "id": id, "path": f"acquire/{path.name}", "sha256": sha256_of(path), "bytes": path.stat().st_size,
        "width": width, "height": height, "fps_num": FPS, "fps_den": 1, "time_base_num": 1, "time_base_den": 1000,
        "frame_count": len(frames), "duration_us": times[-1], "rotation": 0, "pixel_format": "yuv420p",
        "variable_frame_rate": False,
    }  # fmt: skip
    shots: list[Row] = [
        {
            "id": f"{id}_{times[a]}_{times[b]}", "video_id": id, "start_frame": a, "end_frame": b,
            "start_us": times[a], "end_us": times[b], "crop_left": 0, "crop_top": 0, "crop_right": width,
            "crop_bottom": height, "measures": "{}",
        }
        for a, b in spans or [(0, len(frames))]
    ]  # fmt: skip
    workspace.write("videos", [*workspace.rows("videos"), row])
    workspace.write("shots", [*workspace.rows("shots"), *shots])
    return id


def copy_of(workspace: Workspace, folder: Path) -> Workspace:
    """A workspace with the same videos and shots, not yet reconstructed."""
    copy = Workspace(folder)
    for table in ("videos", "shots"):
        copy.write(table, workspace.rows(table))
    shutil.copytree(workspace / "acquire", copy / "acquire")
    return copy


def run(workspace: Workspace, *settings: str, executor=None, retry_errors: bool = False) -> Report:
    config = load_config(settings=settings)["sfm"]
    return run_stage(load_stage("sfm"), workspace, config, executor or InlineExecutor(), retry_errors=retry_errors)


def align(found: np.ndarray, true: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
    """Similarity that takes found positions to true ones (Umeyama): scale, rotation, translation."""
    a, b = found - found.mean(0), true - true.mean(0)
    u, s, vt = np.linalg.svd(b.T @ a)
    sign = np.diag([1, 1, np.linalg.det(u @ vt)])
    rotation = u @ sign @ vt
    scale = float(np.trace(np.diag(s) @ sign) / (a**2).sum())
    return scale, rotation, true.mean(0) - scale * rotation @ found.mean(0)


@pytest.fixture(scope="module")
def take() -> Film:
    return film(1, "orbit", 2.4, width=WIDTH, height=HEIGHT, fps=FPS)


@pytest.fixture(scope="module")
def done(take: Film, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with an orbit in one shot and, of the same video, a shot of two frames; after sfm."""
    folder = tmp_path_factory.mktemp("films")
    take.write_video(folder / "orbit.mp4")
    workspace = Workspace(tmp_path_factory.mktemp("workspace"))
    add_shots(workspace, folder / "orbit.mp4", [(0, len(take)), (0, 2)])
    run(workspace)
    return workspace


def test_a_flight_is_found_again(done: Workspace, take: Film):
    (clip,) = load_clips(done)
    assert len(clip) == len(take)
    found, true = camera_center(clip.cameras.poses), camera_center(take.poses)
    scale, rotation, shift = align(found, true)
    path = np.linalg.norm(np.diff(true, axis=0), axis=-1).sum()
    error = np.sqrt(((scale * found @ rotation.T + shift - true) ** 2).sum(-1).mean())
    assert error < 0.01 * path
    turned = np.concatenate([clip.cameras.poses[:, :, :3] @ rotation.T, clip.cameras.poses[:, :, 3:]], -1)
    assert np.median(rotation_angle_deg(turned, take.poses)) < 0.5
    assert clip.cameras.intrinsics[0, 0] == pytest.approx(take.intrinsics[0, 0], rel=0.02)
    relative = []
    for index in range(0, len(clip), 6):
        disparity, real = clip.disparity(index), take.disparity[index].astype(float) * scale
        assert disparity.shape == (HEIGHT, WIDTH)
        land = real > 0
        relative.append(np.median(np.abs(disparity - real)[land] / real[land]))
    assert np.median(relative) < 0.1


def test_a_broken_path_is_cut_where_the_pictures_contradict_it(take: Film):
    """The second half of a true path, turned by 4 degrees as a whole, agrees with itself and not with the first."""
    config = SfmConfig()
    footage = Footage(
        np.arange(len(take)), np.stack([cv2.cvtColor(i, cv2.COLOR_RGB2GRAY) for i in take.images]), take.images
    )
    lens = Lens(WIDTH, HEIGHT, float(take.intrinsics[0, 0] * WIDTH), 0.0)
    empty = np.zeros(0, np.int64)
    places = np.arange(len(take))
    scene = Scene(places, take.poses, np.zeros(len(take), bool), lens, np.zeros((0, 3)), empty, empty, np.zeros((0, 2)))
    sound = verify(footage, scene, config)
    assert sound.agreeing == 1
    assert sound.epipolar_px < 0.3
    half = len(take) // 2
    turned = take.poses.copy()
    c, s = np.cos(np.radians(4)), np.sin(np.radians(4))
    turned[half:] = compose(turned[half:], make_pose(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]]), np.zeros(3)))
    pieces = verified(footage, [replace(scene, poses=turned)], config)
    assert fails(pieces[0][1])
    repaired = repair(footage, *pieces[0], config)
    assert not any(fails(verdict) for _, verdict in repaired)
    kept = np.concatenate([piece.frames for piece, _ in repaired])
    assert len(repaired) == 2
    assert len(kept) > 0.7 * len(take)
    assert max(repaired[0][0].frames) < half <= min(repaired[1][0].frames)


def test_scale_steps_and_frames_fit_together(done: Workspace, take: Film):
    (clip,) = load_clips(done)
    (row,) = done.rows("clips")
    disparity = np.stack([clip.disparity(i) for i in range(0, len(clip), 5)])
    assert 0.6 < np.percentile(disparity, 99) < 1.6
    motion = np.median(np.linalg.norm(np.diff(camera_center(clip.cameras.poses), axis=0), axis=-1))
    assert row["steps"] == np.clip(round(0.2 / motion), 1, (len(clip) - 1) // 10)
    assert np.abs(clip.frame(7).astype(float) - take.images[7]).mean() < 12
    measures = json.loads(row["measures"])
    assert measures["registered"] == 1
    assert measures["warp_disparity"] < 0.1


def test_the_page_of_a_clip_holds_everything_in_itself(done: Workspace, tmp_path: Path):
    (clip,) = load_clips(done)
    text = write_view(done, clip.id, tmp_path / "view.html").read_text()
    scene = json.loads(text.split('id="scene-data">')[1].split("</script>")[0])
    assert len(scene["raw"]) == len(scene["smoothed"]) == len(clip)
    assert len(scene["subsampled"]) == -(-len(clip) // clip.steps)
    assert len(scene["points"]) == len(scene["colors"]) > 100
    heights = np.array(scene["points"])[:, 1] - np.mean(scene["raw"], axis=0)[1]
    assert (heights > 0).mean() > 0.5  # +y is down, and the land lies below the camera
    assert text.count("data:image/jpeg") == len(scene["cameras"]) == 8
    assert not re.findall(r'(?:src|href)="(?!data:|#)', text)
    with pytest.raises(InputError, match="no clip 'nowhere'"):
        write_view(done, "nowhere")


def test_two_frames_are_dropped_with_the_reason(done: Workspace):
    (drop,) = done.rows("drops")
    assert drop["reason"] == "too_few_frames"
    assert not done.rows("errors")


def test_same_seed_same_tables(done: Workspace, tmp_path: Path):
    again = copy_of(done, tmp_path)
    run(again)
    for table in ("clips", "drops"):
        assert again.table_file(table).read_bytes() == done.table_file(table).read_bytes()


def would_run(workspace: Workspace, *settings: str) -> list[str]:
    return plan(workspace, load_config(settings=settings), only=("sfm",))[0]["would_run"]


def test_deciding_otherwise_reconstructs_nothing(done: Workspace, tmp_path: Path):
    """Splits, limits of time, rules: verdicts follow, no task runs, and the clip is back with the old settings."""
    workspace = Workspace(shutil.copytree(done.root, tmp_path / "w"))
    before = workspace.table_file("clips").read_bytes()
    for other in ("splits.test=0.5", "time_limit_s=1", "quality.jump.mode=off", "quality.max_jump=50.0"):
        assert would_run(workspace, f"sfm.{other}") == []
        assert (run(workspace, f"sfm.{other}").ran, len(workspace.rows("clips"))) == (0, 1)
    (clip,) = done.rows("clips")
    for other, reason in (("min_points=9999", "few_points"), ("static=0.9", "static")):
        assert run(workspace, f"sfm.quality.{other}").ran == 0
        assert {row["id"]: row["reason"] for row in workspace.rows("drops")}[clip["id"]] == reason
        assert workspace.rows("clips") == []
    assert run(workspace, "sfm.quality.min_points=9999", "sfm.quality.few_points.mode=score").ran == 0
    assert json.loads(workspace.rows("clips")[0]["measures"])["scored"] == ["few_points"]
    assert run(workspace).ran == 0
    assert workspace.table_file("clips").read_bytes() == before


def test_a_rule_that_changes_its_mind_asks_only_for_what_was_never_done(
    done: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Stopped before mapping, then mapped and dropped by its points, then kept: each step of the work is done once."""
    calls: list[str] = []

    def count(module: ModuleType, name: str) -> None:
        real = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, **k: [calls.append(name), real(*a, **k)][1])

    for module, name in ((matching, "match_keyframes"), (mapping, "map_keyframes"), (clip_module, "publish_clip")):
        count(module, name)
    workspace = copy_of(done, tmp_path)
    (clip,) = done.rows("clips")
    for settings, work, reason in (
        (["static=0.9"], ["match_keyframes"], "static"),
        (["static=0.8"], [], "static"),
        (["min_points=9999"], ["match_keyframes", "map_keyframes"], "few_points"),
        (["min_points=8888", "static=0.9"], [], "static"),
        ([], ["publish_clip"], None),
    ):
        chosen = [f"sfm.quality.{each}" for each in settings]
        calls.clear()
        known = clip["id"] in {row["id"] for row in workspace.rows("drops")}
        assert not known or would_run(workspace, *chosen) == ([clip["shot_id"]] if work else [])
        run(workspace, *chosen)
        assert calls == work
        assert {row["id"]: row["reason"] for row in workspace.rows("drops")}.get(clip["id"]) == reason
    for table in ("clips", "drops"):  # as if it had been kept from the start
        assert workspace.table_file(table).read_bytes() == done.table_file(table).read_bytes()


def test_given_cameras_are_taken_as_given(take: Film, done: Workspace, tmp_path: Path):
    workspace = copy_of(done, tmp_path)
    shot = done.rows("shots")[0]
    given = take.cameras("https://example.org/video")
    first = next(video.frames(done / done.rows("videos")[0]["path"])).time_us
    times = given.timestamps_us[3:33] + first + 300  # as far off as ACID's
    write_cameras(
        workspace / "acquire" / "0123456789abcdef.txt",
        type(given)(given.url, times, given.intrinsics[3:33], given.poses[3:33]),
    )
    # Bars below alone: the crop that is used leaves as much out above, for the camera's centre is the frame's middle.
    cropped = {**shot, "camera_file": "acquire/0123456789abcdef.txt", "crop_bottom": HEIGHT - 8}
    workspace.write("shots", [cropped])
    run(workspace)
    (row,) = workspace.rows("clips")
    (clip,) = load_clips(workspace)
    assert len(clip) == 30
    poses = clip.cameras.poses.copy()
    poses[:, :, 3] *= row["scale"]
    np.testing.assert_allclose(poses, take.poses[3:33], atol=1e-9)
    expected = take.intrinsics[0] * [1, HEIGHT / (HEIGHT - 16), 1, 1]
    np.testing.assert_allclose(clip.cameras.intrinsics[0], expected, atol=1e-12)
    real = take.disparity[13, 8:-8].astype(float) * row["scale"]
    land = real > 0
    assert np.median(np.abs(clip.disparity(10) - real)[land] / real[land]) < 0.1


@pytest.mark.parametrize(
    ("kind", "reasons"),
    [
        ("static", {"static"}),
        ("rotation", {"rotation"}),
        ("zoom", {"zoom"}),
        ("sea", {"featureless", "no_matches", "few_points"}),  # by how rough the sea is
    ],
)
def test_no_geometry_is_dropped_with_the_reason(kind: str, reasons: set[str], tmp_path: Path):
    film(1, kind, 1.6, width=WIDTH, height=HEIGHT, fps=10).write_video(tmp_path / "film.mp4")
    workspace = Workspace(tmp_path / "workspace")
    add_shots(workspace, tmp_path / "film.mp4")
    run(workspace)
    assert not workspace.rows("clips")
    (drop,) = workspace.rows("drops")
    assert drop["reason"] in reasons
    assert not workspace.rows("errors")


def test_a_hang_and_a_crash_are_errors_of_their_shot_only(done: Workspace, tmp_path: Path):
    """One worker: it is killed in the first shot, as COLMAP might be; the other shot is judged all the same."""
    workspace = copy_of(done, tmp_path)
    report = run(workspace, "sfm.time_limit_s=0.2", executor=LocalExecutor(1))
    assert report.failed == len(workspace.rows("shots"))
    assert {error["kind"] for error in workspace.rows("errors")} == {"timeout"}
    long_, short = (shot["id"] for shot in workspace.rows("shots"))
    log = workspace / "logs" / "sfm" / f"{long_}.log"
    log.unlink(missing_ok=True)
    killer = threading.Thread(target=kill_worker_once_it_writes, args=(log,))
    killer.start()
    report = run(workspace, retry_errors=True, executor=LocalExecutor(1))
    killer.join()
    assert (report.failed, report.dropped) == (1, 1)
    (error,), (drop,) = workspace.rows("errors"), workspace.rows("drops")
    assert (error["id"], error["kind"], drop["id"]) == (long_, "crash", short)


def kill_worker_once_it_writes(log: Path) -> None:
    while not log.exists():
        time.sleep(0.05)
    for child in psutil.Process().children():
        if "spawn_main" in " ".join(child.cmdline()):
            child.send_signal(signal.SIGSEGV)


@pytest.mark.parametrize("name", ["SIGTERM", "SIGSEGV", "SIGABRT", "SIGBUS", "SIGFPE", "SIGILL"])
def test_a_worker_dies_of_a_signal_at_once(name: str):
    """Without pycolmap's report, which can wait for ever for a lock that the crash holds."""
    number = signal.Signals[name]
    code = f"import os; from flythrough.sfm.stage import load_colmap; load_colmap(); os.kill(os.getpid(), {number:d})"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-number, "", "")


def test_canyon_is_posed_whole(shared_data: Path, tmp_path: Path):
    workspace = Workspace(tmp_path)
    add_shots(workspace, shared_data / "real" / "canyon_drone_1fps.mp4")
    run(workspace)
    (row,) = workspace.rows("clips")
    assert row["frame_count"] == 11
    assert row["split"] == "train"
    assert row["steps"] == 1


def test_photos_of_the_beach_agree_with_gps(shared_data: Path, tmp_path: Path):
    folder = shared_data / "real" / "brighton_beach"
    workspace = Workspace(tmp_path)
    run(workspace, f"sfm.images={folder}")
    (clip,) = load_clips(workspace)
    assert len(clip) == 18
    found, true = camera_center(clip.cameras.poses), gps_positions(folder)
    scale, rotation, shift = align(found, true)
    assert np.sqrt(((scale * found @ rotation.T + shift - true) ** 2).sum(-1).mean()) <= 0.5


def gps_positions(folder: Path) -> np.ndarray:
    """East, north, up of each photo, metres."""
    from PIL import Image

    places = []
    for file in sorted(folder.glob("*.JPG")):
        with Image.open(file) as image:
            gps = image.getexif().get_ifd(0x8825)
        signs = (1 if gps[1] == "N" else -1), (1 if gps[3] == "E" else -1)
        north, east = (
            sign * float(np.dot(gps[tag], [1, 1 / 60, 1 / 3600])) for sign, tag in zip(signs, (2, 4), strict=True)
        )
        places.append([east, north, float(gps[6])])
    places = np.array(places)
    latitude = np.radians(places[:, 1].mean())
    per_degree = [
        111_412.84 * np.cos(latitude) - 93.5 * np.cos(3 * latitude),
        111_132.95 - 559.82 * np.cos(2 * latitude),
    ]
    return (places - places.mean(0)) * [*per_degree, 1]
