"""The stage from videos to shots and drops, on synthetic and real footage, and on odd files."""

from __future__ import annotations

import json
import shutil
import subprocess
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from flythrough.curate import shots
from flythrough.curate.config import CurateConfig
from flythrough.curate.decode import glimpses
from flythrough.curate.measures.collect import Collector
from flythrough.curate.measures.semantics import Semantics
from flythrough.curate.review.listing import load_items
from flythrough.curate.review.verdicts import Verdict, append_verdicts
from flythrough.curate.rules import NoParallax, Rules
from flythrough.curate.scan import scan
from flythrough.curate.stage import STAGE
from flythrough.errors import InputError
from flythrough.media.video_reader import Upright, frames, open_video, timed
from flythrough.media.video_writer import VideoWriter, ffmpeg_path
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.config import load_config
from flythrough.workspace.executor import InlineExecutor
from flythrough.workspace.files import sha256_of
from flythrough.workspace.pipeline import Report, run_stage, run_stages
from tests.curate.curate_edits import Edit, pan, scenery

# What made footage cannot be: nature. The rule is for the tests on real footage.
CHEAP = {"shots": {"detector": "cheap"}}
NO_NATURE = CurateConfig.model_validate({**CHEAP, "rules": {"not_nature": {"mode": "off"}}})


def workspace_of(root: Path, files: list[Path], camera_folder: str | None = None) -> Workspace:
    workspace = Workspace(root)
    (root / "acquire").mkdir(parents=True, exist_ok=True)
    rows = []
    for file in files:
        shutil.copy(file, root / "acquire" / file.name)
        rows.append({
            "id": file.stem, "path": f"acquire/{file.name}", "sha256": sha256_of(file), "bytes": file.stat().st_size,
            "width": 1, "height": 1, "fps_num": 1, "fps_den": 1, "time_base_num": 1, "time_base_den": 1,
            "frame_count": 1, "duration_us": 1, "rotation": 0, "pixel_format": "yuv420p",
            "variable_frame_rate": False, "camera_folder": camera_folder,
        })  # fmt: skip
    workspace.write("videos", rows)
    return workspace


def curate(workspace: Workspace, config: CurateConfig = NO_NATURE) -> Report:
    return run_stage(STAGE, workspace, config, InlineExecutor())


def flight(seconds: float = 3.0, fps: int = 24, size: tuple[int, int] = (192, 108)) -> np.ndarray:
    """Layers of scenery that slide at different speeds: a sideways flight, with parallax."""
    count, third = round(seconds * fps), size[1] // 3
    out = pan(scenery(11, 900, 400), count, 0.8, size, (0, 40))
    out[:, third:] = pan(scenery(13, 900, 400), count, 1.6, size, (0, 60))[:, third:]
    out[:, 2 * third :] = pan(scenery(12, 1200, 400), count, 3.0, size, (0, 90))[:, 2 * third :]
    return out


@pytest.fixture(scope="module")
def edited(tmp_path_factory) -> Workspace:
    """Good flight, cut, a still, dissolve, the first flight again; with bars of 10 rows above and 6 below."""
    folder = tmp_path_factory.mktemp("edited")
    take = flight()
    still = np.repeat(scenery(5, 192, 108)[None], 60, 0)
    edit = Edit(fps=24).cut(take).cut(still).dissolve(take, 0.75)
    for i, image in enumerate(edit.frames):
        edit.frames[i] = np.pad(image, ((10, 6), (0, 0), (0, 0)))
    edit.write(folder / "film.mp4")
    workspace = workspace_of(folder / "workspace", [folder / "film.mp4"])
    curate(workspace)
    return workspace


def test_shots_are_kept_or_dropped_with_a_reason_and_transitions_are_neither(edited) -> None:
    kept, dropped = edited.rows("shots"), {d["id"]: d for d in edited.rows("drops")}
    assert [(s["start_frame"], s["end_frame"]) for s in kept] == [(0, 71)]
    assert kept[0]["id"] == f"film-{kept[0]['start_us']}-{kept[0]['end_us']}"
    shown_us = [frame.time_us for frame in frames(edited / "acquire/film.mp4")]
    assert (kept[0]["start_us"], kept[0]["end_us"]) == (shown_us[0], shown_us[71])
    assert sorted(d["reason"] for d in dropped.values()) == ["duplicate", "still"]
    spans = sorted(tuple(map(int, id.split("-")[1:])) for id in [*dropped, kept[0]["id"]])
    assert all(a[1] <= b[0] for a, b in pairwise(spans))
    assert not any(a < shown_us[129] and shown_us[117] < b for a, b in spans)  # the dissolve runs from 114 to 132


def test_bars_are_cropped_to_the_pixel_row(edited) -> None:
    shot = edited.rows("shots")[0]
    assert [shot[k] for k in ("crop_left", "crop_top", "crop_right", "crop_bottom")] == [0, 10, 192, 118]


def test_report_names_every_outcome_and_shows_the_shots(edited) -> None:
    page = (edited / "curate/report.html").read_text()
    for text in ("kept", "still", "duplicate", edited.rows("shots")[0]["id"], "data:image/jpeg"):
        assert text in page


def test_a_verdict_counts_on_the_next_run_without_decoding_again(edited) -> None:
    still = next(d["id"] for d in edited.rows("drops") if d["reason"] == "still")
    kept = edited.rows("shots")[0]["id"]
    append_verdicts(edited.root, [Verdict(still, "accept"), Verdict(kept, "reject", "dull")])
    report = curate(edited)
    assert report.ran == 0
    assert still in [s["id"] for s in edited.rows("shots")]
    assert (kept, "dull") in [(d["id"], d["reason"]) for d in edited.rows("drops")]
    append_verdicts(edited.root, [Verdict(still, "undo"), Verdict(kept, "undo")])
    curate(edited)
    assert [s["id"] for s in edited.rows("shots")] == [kept]


def test_another_threshold_or_mode_changes_verdicts_without_decoding_again(edited, monkeypatch) -> None:
    monkeypatch.setattr("flythrough.curate.scan.scan", None)  # whatever decodes would fail
    off = {"duplicate": {"mode": "score"}, "still": {"mode": "off"}, "not_nature": {"mode": "off"}}
    report = curate(edited, CurateConfig.model_validate({**CHEAP, "rules": off}))
    assert (report.ran, report.errors) == (0, [])
    assert "still" not in report.reasons
    assert "duplicate" not in report.reasons
    report = curate(edited, CurateConfig.model_validate({**CHEAP, "rules": {"short": {"min_s": 1000}}}))
    assert (report.ran, report.rows, list(report.reasons)) == (0, 0, ["short"])
    assert curate(edited).rows == 1


def test_twice_is_byte_for_byte_the_same(edited, tmp_path) -> None:
    again = workspace_of(tmp_path, [edited / "acquire/film.mp4"])
    curate(again)
    for table in ("shots", "drops"):
        assert again.table_file(table).read_bytes() == edited.table_file(table).read_bytes()


def measured(path: Path, take: np.ndarray, fps: int = 24) -> dict[str, Any]:
    found = scan(Edit(fps=fps).cut(take).write(path / "take.mp4"), NO_NATURE)
    assert len(found.shots) == 1
    return found.shots[0].measures


def test_motion_is_measured_in_widths_and_seconds(tmp_path) -> None:
    slide = measured(tmp_path, pan(scenery(1), 48, 1.92, (192, 108)))
    assert slide["speed_widths_s"] == pytest.approx(1.92 * 24 / 192, rel=0.05)
    assert slide["parallax"] < 0.02 < measured(tmp_path, flight())["parallax"]
    assert measured(tmp_path, np.repeat(scenery(1, 192, 108)[None], 48, 0))["speed_widths_s"] < 0.002


def test_a_turn_or_a_zoom_shows_no_parallax_and_a_flight_does(tmp_path) -> None:
    photo = scenery(1, 600, 340)
    zoom, turn = [], []
    for i in range(48):
        inner = photo[i : 340 - i, round(i * 600 / 340) : 600 - round(i * 600 / 340)]
        zoom.append(cv2.resize(inner, (192, 108), interpolation=cv2.INTER_AREA))
        angle = 0.01 * (i - 24)  # a camera with a focal length of one width turns about its upright axis
        focal = np.array([[192, 0, 96], [0, 192, 54], [0, 0, 1.0]])
        about = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
        whole = np.array([[1, 0, -204], [0, 1, -116], [0, 0, 1.0]])
        turn.append(cv2.warpPerspective(photo, focal @ about @ np.linalg.inv(focal) @ whole, (192, 108)))
    least = Rules()[NoParallax].min_translation
    assert measured(tmp_path, np.array(zoom))["translation"] < least / 2
    assert measured(tmp_path, np.array(turn))["translation"] < least / 2
    assert measured(tmp_path, flight())["translation"] > 2 * least


def test_shake_is_seen_at_any_frame_rate_and_slow_footage_is_not_called_shaky(tmp_path) -> None:
    rng = np.random.default_rng(3)
    wide = scenery(4, 400, 300)

    def jerky(spread_px: float) -> np.ndarray:
        shifts = rng.normal(0, spread_px, (48, 2)) + np.arange(48)[:, None] * [1.0, 0.2]
        return np.array([pan(wide, 1, 0, (192, 108), (40 + dx, 60 + dy))[0] for dx, dy in shifts])

    assert measured(tmp_path, jerky(3.0))["shake_widths_s2"] > 1.5 > measured(tmp_path, jerky(0.1))["shake_widths_s2"]
    slow = pan(scenery(2, 1200), 10, 14.0, (192, 108))  # a frame a second, far apart
    found = measured(tmp_path, slow, fps=1)
    assert found["frames"] == 10
    assert found["tracked"] > 0.5
    assert found["shake_widths_s2"] < 0.1


def test_a_logo_is_masked_and_a_passing_landscape_is_not(tmp_path) -> None:
    take = pan(scenery(8, 1600, 400), 96, 4.0, (384, 216))
    assert measured(tmp_path, take)["overlay_area"] == 0
    take[:, 20:44, 300:306] = take[:, 20:26, 300:360] = take[:, 32:38, 300:350] = 250  # an F
    found = scan(Edit(fps=24).cut(take).write(tmp_path / "logo.mp4"), NO_NATURE).shots[0]
    assert found.overlay is not None
    assert found.overlay[20:26, 310:350].mean() > 0.8
    assert found.overlay[60:].sum() == 0
    assert 0.005 < found.measures["overlay_area"] < 0.05


def test_given_cameras_make_one_shot_each(tmp_path) -> None:
    film = Edit(fps=24).cut(flight()).write(tmp_path / "film.mp4")
    root = tmp_path / "workspace"
    shown_us = [frame.time_us for frame in frames(film)]
    for name, first, last in (("aa", 10, 30), ("bb", 24, 60)):
        times = np.array(shown_us[first:last]) + 300  # decoders differ by 0.3 ms
        pose = np.tile(np.eye(3, 4), (len(times), 1, 1))
        write_cameras(root / f"acquire/given/{name}.txt", Cameras("u", times, np.full((len(times), 4), 0.5), pose))
    workspace = workspace_of(root, [tmp_path / "film.mp4"], "acquire/given")
    curate(workspace)
    shots = workspace.rows("shots")
    assert [(s["start_frame"], s["end_frame"], s["camera_file"]) for s in shots] == [
        (10, 30, "acquire/given/aa.txt"),
        (24, 60, "acquire/given/bb.txt"),
    ]
    assert workspace.rows("drops") == []


def test_given_cameras_are_forgotten_by_time_and_listed_by_name(tmp_path, monkeypatch) -> None:
    film = Edit(fps=5).cut(flight(30.0, 5)).write(tmp_path / "film.mp4")
    shown_us = np.array([frame.time_us for frame in frames(film)])
    for place, name in enumerate("fedcba"):
        times = shown_us[25 * place : 25 * place + 20]
        pose = np.tile(np.eye(3, 4), (len(times), 1, 1))
        cameras = Cameras("u", times, np.full((len(times), 4), 0.5), pose)
        write_cameras(tmp_path / f"workspace/acquire/given/{name}.txt", cameras)
    held: list[int] = []
    forget = Collector.forget
    monkeypatch.setattr(Collector, "forget", lambda self, time: [held.append(len(self.changes)), forget(self, time)])
    workspace = workspace_of(tmp_path / "workspace", [film], "acquire/given")
    curate(workspace)
    assert [(s["start_frame"], Path(s["camera_file"]).stem) for s in workspace.rows("shots")] == [
        (25 * place, name) for place, name in reversed([*enumerate("fedcba")])
    ]
    assert max(held) < 60


# --- odd files ------------------------------------------------------------------------------------------------------


def encode(path: Path, *options: str, seconds: float = 1.5, size: str = "192x108", rate: int = 24) -> Path:
    source = f"testsrc2=size={size}:rate={rate}:duration={seconds}"
    command = [ffmpeg_path(), "-loglevel", "error", "-y", "-f", "lavfi", "-i", source, *options, str(path)]
    subprocess.run(command, check=True)
    return path


@pytest.mark.parametrize(
    ("options", "size", "rate"),
    [
        (["-pix_fmt", "yuv420p10le", "-c:v", "libx264"], "192x108", 24),
        (["-pix_fmt", "yuv444p", "-c:v", "libx264"], "191x107", 24),
        (["-pix_fmt", "yuv420p", "-c:v", "libx264"], "192x108", 240),
        (["-vf", "select='not(mod(n,3))+lt(n,9)'", "-fps_mode", "vfr", "-c:v", "libx264"], "192x108", 24),
    ],
    ids=["10 bit", "odd size", "240 fps", "variable rate"],
)
def test_odd_formats_keep_exact_times(tmp_path, options, size, rate) -> None:
    file = encode(tmp_path / "odd.mp4", *options, size=size, rate=rate)
    found = scan(file, NO_NATURE)
    truth = list(frames(file))
    assert found.frame_count == len(truth)
    assert sum(s.end_frame - s.start_frame for s in found.shots) <= len(truth)
    for shot in found.shots:
        assert shot.size == truth[0].image.shape[:2]
        assert shot.start_us == truth[shot.start_frame].time_us
        if shot.end_frame < len(truth):
            assert shot.end_us == truth[shot.end_frame].time_us


def test_frames_looked_at_in_full_are_decoded_in_full(tmp_path) -> None:
    file = encode(
        tmp_path / "blocks.mp4", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-crf", "38", "-bf", "3", seconds=3
    )
    looked = {g.index: g.luma for g in glimpses(file, longest=96, sample_every_s=0.4) if g.luma is not None}
    upright = Upright("gray")
    with open_video(file) as (container, stream):
        whole = [upright(frame) for _, _, frame in timed(file, container, stream)]
    assert 5 < len(looked) < 10
    for index, luma in looked.items():
        np.testing.assert_array_equal(luma, whole[index])


def test_nature_that_is_sure_is_not_looked_at_further(monkeypatch: pytest.MonkeyPatch) -> None:
    views = [np.full((8, 8, 3), level, np.uint8) for level in range(4)]
    for found, expected, asked in (([0.7, 0.6, 0, 0], 0.65, 2), ([0.2, 0.3, 0.1, 0], 0.15, 4), ([0, 0, 0, 0], 0, 4)):
        seen = []
        monkeypatch.setattr(
            shots,
            "semantics",
            lambda images, f=found, s=seen: s.append(images) or [Semantics(f[int(images[0].max())], 0.5, 0, 0.25)],
        )
        assert shots.shown(views) == pytest.approx({"nature": expected, "coast": 0.5, "screen": 0, "built": 0.25})
        assert len(seen) == asked


def test_a_rotated_video_is_measured_upright(tmp_path) -> None:
    encode(tmp_path / "flat.mp4", "-pix_fmt", "yuv420p", "-c:v", "libx264")
    command = [ffmpeg_path(), "-loglevel", "error", "-y", "-display_rotation", "90", "-i", str(tmp_path / "flat.mp4")]
    subprocess.run([*command, "-c", "copy", str(tmp_path / "turned.mp4")], check=True)
    assert scan(tmp_path / "turned.mp4", NO_NATURE).shots[0].size == (192, 108)


def test_one_frame_is_a_short_shot(tmp_path) -> None:
    file = encode(tmp_path / "one.mp4", "-frames:v", "1", "-pix_fmt", "yuv420p", "-c:v", "libx264")
    workspace = workspace_of(tmp_path / "w", [file])
    curate(workspace)
    assert [d["reason"] for d in workspace.rows("drops")] == ["short"]


def damage(file: Path) -> None:
    """Overwrite one byte in forty of the middle of a file."""
    data = bytearray(file.read_bytes())
    rng = np.random.default_rng(0)
    for at in range(2 * len(data) // 5, len(data) // 2, 40):
        data[at] = int(rng.integers(256))
    file.write_bytes(data)


def test_broken_videos_are_errors_of_their_own(tmp_path) -> None:
    good = Edit(fps=24).cut(flight()).write(tmp_path / "good.mp4")
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "cut.mp4").write_bytes(good.read_bytes()[:500])
    encode(tmp_path / "none.mp4", "-frames:v", "0", "-pix_fmt", "yuv420p", "-c:v", "libx264")  # a container, no frame
    for codec, suffix in (("mpeg4", "mkv"), ("libx264", "mp4"), ("libx264", "ts")):
        damage(encode(tmp_path / f"{codec}-{suffix}.{suffix}", "-pix_fmt", "yuv420p", "-c:v", codec, seconds=3))
    whole = ["-pix_fmt", "yuv420p", "-c:v", "libx264"]
    halves = [encode(tmp_path / f"{side}.ts", *whole, "-vf", f"scale={side}:90") for side in (160, 90)]
    (tmp_path / "two-sizes.ts").write_bytes(b"".join(half.read_bytes() for half in halves))
    names = ["text.mp4", "cut.mp4", "none.mp4", "good.mp4", "mpeg4-mkv.mkv", "libx264-mp4.mp4", "libx264-ts.ts"]
    names.append("two-sizes.ts")
    workspace = workspace_of(tmp_path / "w", [tmp_path / n for n in names])
    report = curate(workspace)
    errors = {e["id"]: e for e in workspace.rows("errors")}
    assert set(errors) == {Path(n).stem for n in names} - {"good"}
    assert (report.done, report.failed) == (1, 7)
    assert all(e["kind"] == "input" and e["remedy"] for e in errors.values())
    assert "changes its size" in errors["two-sizes"]["message"]
    assert [s["video_id"] for s in workspace.rows("shots")] == ["good"]


# --- real footage ---------------------------------------------------------------------------------------------------


def test_the_canyon_is_kept_whole(shared_data, tmp_path) -> None:
    workspace = workspace_of(tmp_path, [shared_data / "real/canyon_drone_1fps.mp4"])
    curate(workspace, CurateConfig())
    shots = workspace.rows("shots")
    assert [(s["start_frame"], s["end_frame"], s["start_us"], s["end_us"]) for s in shots] == [(0, 11, 0, 11_000_000)]
    assert [shots[0][k] for k in ("crop_left", "crop_top", "crop_right", "crop_bottom")] == [0, 0, 672, 384]


def test_the_film_is_dropped_wholly_and_its_bars_are_found(shared_data, tmp_path) -> None:
    workspace = workspace_of(tmp_path, [shared_data / "real/sintel_10s.mp4"])
    curate(workspace, CurateConfig.model_validate(CHEAP))
    drops = workspace.rows("drops")
    assert workspace.rows("shots") == []
    assert len(drops) >= 3
    assert {tuple(json.loads(d["values"])["box"]) for d in drops} == {(58, 0, 422, 854)}


def test_broken_input_is_one_line_with_a_remedy(tmp_path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(InputError) as caught:
        scan(tmp_path / "text.mp4", NO_NATURE)
    assert caught.value.remedy
    assert "\n" not in str(caught.value)


def test_pictures_leave_with_their_shot(edited: Workspace) -> None:
    """Memory must not grow with the number of shots."""
    seen: list[int] = []
    film = edited / edited.rows("videos")[0]["path"]
    found = scan(film, NO_NATURE, hand_over=lambda shot: seen.append(len(shot.pictures)))
    assert len(seen) == len(found.shots) > 1
    assert min(seen) > 0
    assert not any(shot.pictures or shot.views for shot in found.shots)


def test_a_cut_just_before_the_end_leaves_a_shot_with_pictures(tmp_path: Path) -> None:
    seen: list[int] = []
    edit = Edit().cut(pan(scenery(1), 50, 1.4, (192, 108))).cut(pan(scenery(2), 3, 1.4, (192, 108)))
    found = scan(edit.write(tmp_path / "a.mp4"), NO_NATURE, hand_over=lambda shot: seen.append(len(shot.pictures)))
    assert len(found.shots) == 2
    assert min(seen) > 0


def test_a_scan_leaves_opencvs_threads_as_they_were(edited: Workspace) -> None:
    before, seen = cv2.getNumThreads(), []
    cv2.setNumThreads(2)
    try:
        film = edited / edited.rows("videos")[0]["path"]
        scan(film, NO_NATURE, hand_over=lambda shot: seen.append(cv2.getNumThreads()))
        assert cv2.getNumThreads() == 2
    finally:
        cv2.setNumThreads(before)
    assert set(seen) == {1}


def test_a_black_video_is_a_drop(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    with VideoWriter(tmp_path / "in" / "black.mp4", width=64, height=48, fps=Fraction(24)) as writer:
        for _ in range(48):
            writer.write(np.zeros((48, 64, 3), np.uint8))
    settings = [f"acquire.inputs={json.dumps([str(tmp_path / 'in')])}"]
    workspace = Workspace(tmp_path / "w")
    reports = list(run_stages(workspace, load_config(None, settings), InlineExecutor(), until="curate"))
    assert [(report.dropped, report.errors) for report in reports] == [(0, []), (1, [])]
    assert [row["reason"] for row in workspace.rows("drops")] == ["no_shot"]
    assert load_items(workspace, CurateConfig())[0].rule == "no_shot"


def test_compression_air_and_light_are_measured(tmp_path) -> None:
    found = {}
    for crf in (18, 45):
        file = encode(tmp_path / f"{crf}.mp4", "-pix_fmt", "yuv420p", "-c:v", "libx264", "-crf", str(crf), "-an")
        found[crf] = scan(file, NO_NATURE).shots[0].measures
        with open_video(file) as (container, stream):
            bits = 8 * sum(packet.size for packet in container.demux(stream))
            pixels = stream.width * stream.height * found[crf]["frames"]
        assert found[crf]["bits_a_pixel"] == pytest.approx(bits / pixels, rel=0.05)
    assert found[45]["bits_a_pixel"] < found[18]["bits_a_pixel"] / 3
    assert 0 <= found[18]["blockiness"] <= 10
    assert found[18]["flicker"] >= 0
    for name in ("haze", "night", "coast", "screen", "built", "dark", "bright", "repeated"):
        assert 0 <= found[18][name] <= 1
