"""Sample videos: a synthetic coast, filmed and edited as a drone channel would, with the ground truth beside each."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ..errors import FlythroughError, InputError
from ..scene.cameras import Cameras, write_cameras
from ..workspace import progress
from ..workspace.files import JsonObject, disk_errors, publish, write_json
from . import script as sample_script
from .film import frame_times_us
from .paths import FlightPlan, plan_flight
from .raycast import render
from .script import Piece, blend, dress, picture_box
from .world import World, make_world


def make_sample(
    folder: Path | str,
    videos: int = 3,
    seconds: float = 8,
    width: int = 640,
    height: int = 360,
    seed: int = 0,
    fps: float = 30,
    *,
    water: bool = False,
    biome: str = "coast",
) -> list[Path]:
    """Film sample videos; the same arguments write the same bytes.

    Beside each ``coast_000.mp4`` stand ``coast_000.json`` (shots, transitions, what is wrong with which shot),
    ``coast_000.npz`` (poses and intrinsics of every frame, disparity at half size) and, for every usable shot,
    ``cameras/coast_000_01.txt`` (RealEstate10K text). docs/sample.md describes them.

    Args:
        folder: for the videos; created if missing.
        videos: how many; each is another island.
        seconds: length of each.
        width: pixels, even.
        height: pixels, even.
        seed: of everything.
        fps: frames a second.
        water: film where water fills more than half of the picture.
        biome: the kind of landscape, of :data:`.biome.BIOMES`; the files are named after it.

    Returns:
        The video files, in order.

    Raises:
        InputError: an impossible size or length, or no such biome.
        DiskError: the folder cannot be written to.
    """
    _check(videos, seconds, width, height, fps)
    folder = Path(folder)
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    frame_count = round(seconds * fps)
    written = []
    with progress.bar("Filming", total=videos * frame_count, unit="frames") as advance:
        for index in range(videos):
            shoot = _Shoot.prepare(
                index, frame_count, width, height, seed, Fraction(fps).limit_denominator(1001), water, biome
            )
            written.append(_film_video(folder, shoot, advance))
    return written


def _check(videos: int, seconds: float, width: int, height: int, fps: float) -> None:
    if videos < 1 or fps <= 0 or round(seconds * fps) < 2:
        raise InputError(
            f"{videos} videos of {seconds} s at {fps} frames/s hold nothing",
            remedy="Ask for at least one video of two frames",
        )
    if width % 2 or height % 2 or min(width, height) < 32:
        raise InputError(
            f"{width}x{height} cannot be the size of a video",
            remedy="Use an even width and height of at least 32, e.g. 640x360",
        )


@dataclass(frozen=True)
class _Shoot:
    """One video before it is filmed: its world, its pieces, and a flight plan for each piece except titles."""

    name: str
    seed: int
    world: World
    fps: Fraction
    width: int
    height: int
    pieces: list[Piece]
    plans: list[FlightPlan | None]

    @classmethod
    def prepare(
        cls, index: int, frame_count: int, width: int, height: int, seed: int, fps: Fraction, water: bool, biome: str
    ) -> _Shoot:
        world = make_world(1000 * seed + index, biome)
        focal = 0.72 + 0.18 * np.random.default_rng([seed, index]).random()  # a lens for the whole video
        pieces = sample_script.script(index, frame_count, float(fps))
        plans: list[FlightPlan | None] = []
        before = 0  # frames of the transition into a piece
        for take, piece in enumerate(pieces):
            plan = None
            if piece.kind != "title":
                plan = plan_flight(
                    world, piece.kind, before + piece.frames + piece.mix, fps=float(fps), aspect=width / height,
                    take=take, water=water and piece.kind != "sea", focal=focal,
                    shake_deg=0.7 if "shaky" in piece.extras else 0.0,
                )  # fmt: skip
            plans.append(plan)
            before = piece.mix
        return cls(f"{biome}_{index:03d}", seed, world, fps, width, height, pieces, plans)


@dataclass(frozen=True)
class _Shown:
    """A frame of a take; without camera and disparity on title cards."""

    image: np.ndarray
    pose: np.ndarray | None = None
    intrinsics: np.ndarray | None = None
    disparity: np.ndarray | None = None


def _take(shoot: _Shoot, number: int, before: int) -> Iterator[_Shown]:
    """The frames of a piece, with those of the transitions at both its ends."""
    piece, plan = shoot.pieces[number], shoot.plans[number]
    if plan is None:
        text = f"{shoot.world.biome.upper()} {shoot.name[-3:]}"
        for image in sample_script.title_card(text, before + piece.frames + piece.mix, shoot.width, shoot.height):
            yield _Shown(image)
        return
    for pose, intrinsics, time_s in zip(plan.poses, plan.intrinsics, plan.times_s, strict=True):
        image, disparity, _ = render(shoot.world, pose, intrinsics, shoot.height, shoot.width, float(time_s))
        yield _Shown(dress(image, piece.extras), pose, intrinsics, disparity)


def _edit(shoot: _Shoot) -> Iterator[_Shown]:
    """All frames of the video. Frames in which two pieces mix have no camera."""
    takes = [_take(shoot, k, shoot.pieces[k - 1].mix if k else 0) for k in range(len(shoot.pieces))]
    black = np.zeros((shoot.height, shoot.width, 3), np.uint8)
    for number, piece in enumerate(shoot.pieces):
        for _ in range(piece.frames):
            yield next(takes[number])
        for k in range(piece.mix):
            old, new = next(takes[number]).image, next(takes[number + 1]).image
            share = (k + 1) / (piece.mix + 1)
            if piece.ends == "dissolve":
                yield _Shown(blend(old, new, share))
            elif share < 0.5:
                yield _Shown(blend(old, black, 2 * share))
            else:
                yield _Shown(blend(black, new, 2 * share - 1))


def _film_video(folder: Path, shoot: _Shoot, advance: Callable[..., None]) -> Path:
    path = folder / f"{shoot.name}.mp4"
    cameras: list[tuple[np.ndarray, np.ndarray]] = []
    none = np.full((3, 4), np.nan), np.full(4, np.nan)
    with publish(path) as scratch, publish(path.with_suffix(".npz")) as truth:
        draft = scratch.with_name(scratch.name + ".draft")
        try:
            from ..media.video_writer import VideoWriter

            with (
                VideoWriter(draft, width=shoot.width, height=shoot.height, fps=shoot.fps, crf=20) as video,
                zipfile.ZipFile(truth, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive,
            ):
                for frame, shown in enumerate(_edit(shoot)):
                    video.write(shown.image)
                    if shown.pose is None or shown.intrinsics is None or shown.disparity is None:
                        cameras.append(none)
                    else:
                        cameras.append((shown.pose, shown.intrinsics))
                        _add(archive, f"{frame:06d}", _halved(shown.disparity))
                    advance(1, note=shoot.name)
                _add(archive, "poses", np.stack([pose for pose, _ in cameras]))
                _add(archive, "intrinsics", np.stack([intrinsics for _, intrinsics in cameras]))
            _remux(draft, scratch)
        finally:
            draft.unlink(missing_ok=True)
    write_json(path.with_suffix(".json"), _truth(folder, shoot, cameras))
    return path


def _halved(disparity: np.ndarray) -> np.ndarray:
    """The mean of each 2 x 2 pixels."""
    height, width = disparity.shape
    blocks = disparity.astype(np.float32).reshape(height // 2, 2, width // 2, 2)
    return blocks.mean((1, 3)).astype(np.float16)


def _add(archive: zipfile.ZipFile, name: str, array: np.ndarray) -> None:
    """Append an array to an .npz file, so that memory stays constant."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array))


def _remux(draft: Path, path: Path) -> None:
    """Turn the writer's fragmented MP4 into a plain one, as video sites serve."""
    import ffmpeg

    from ..media.video_writer import ffmpeg_path

    stream = ffmpeg.input(str(draft.absolute())).output(
        str(path.absolute()), c="copy", movflags="+faststart", fflags="+bitexact", format="mp4"
    )
    try:
        stream.overwrite_output().global_args("-loglevel", "error").run(
            cmd=ffmpeg_path(), capture_stdout=True, capture_stderr=True
        )
    except ffmpeg.Error as error:
        message = error.stderr.decode(errors="replace").strip().splitlines()[-1:]
        raise FlythroughError(
            f"Could not write {path}: {' '.join(message)}", remedy="Check the folder's free space", kind="disk"
        ) from error


def _truth(folder: Path, shoot: _Shoot, cameras: list[tuple[np.ndarray, np.ndarray]]) -> JsonObject:
    """Describe the video, and write the usable shots' camera files."""
    shots, transitions = [], []
    times = frame_times_us(len(cameras) + 1, shoot.fps)
    start = 0
    for number, piece in enumerate(shoot.pieces):
        end = start + piece.frames
        camera_file = None
        if piece.usable:
            camera_file = f"cameras/{shoot.name}_{number:02d}.txt"
            poses, intrinsics = (np.stack(part) for part in zip(*cameras[start:end], strict=True))
            write_cameras(folder / camera_file, Cameras(f"{shoot.name}.mp4", times[start:end], intrinsics, poses))
        shots.append(
            {
                "index": number,
                "kind": piece.kind,
                "start_frame": start,
                "end_frame": end,
                "start_us": int(times[start]),
                "end_us": int(times[end]),
                "problems": list(piece.problems),
                "usable": piece.usable,
                "box": list(picture_box(piece.extras, shoot.width, shoot.height)),
                "camera_file": camera_file,
            }
        )
        if piece.ends != "end":
            transitions.append({"kind": piece.ends, "start_frame": end, "end_frame": end + piece.mix})
        start = end + piece.mix
    return {
        "video": f"{shoot.name}.mp4",
        "seed": shoot.seed,
        "world_seed": shoot.world.seed,
        "biome": shoot.world.biome,
        "width": shoot.width,
        "height": shoot.height,
        "fps_num": shoot.fps.numerator,
        "fps_den": shoot.fps.denominator,
        "frame_count": len(cameras),
        "shots": shots,
        "transitions": transitions,
        "disparity_file": f"{shoot.name}.npz",
    }
