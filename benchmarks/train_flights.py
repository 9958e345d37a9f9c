"""How well checkpoints fly, compared with render-inpaint on islands of the sample world that none was trained on.

    python benchmarks/train_flights.py CHECKPOINT ... --out FOLDER [--islands 2000 2008] [--autopilot 100] [--world]

Prints PSNR of RGB along the recorded path at a few steps, the share of the picture that the start picture does not show
there (``hidden``) and of the squared error in it (``hidden_error``). With ``--autopilot N``, also ``fd_lite0``
of flights of N steps to the islands' own frames, in all and of their first and last 20 steps; how many of them lead
through ground that their start shows; and by how much more the lower half of their last 20 pictures bends at the
borders of blocks of 16 pixels than amid them (``grid``; 1 where no grid is seen). With ``--rough`` these flights start
from a disparity guessed as for a photo, with ``--land`` the autopilot turns back to land, as it does in flights into
photos and not in protocols. With ``--world``, the same autopilot also flies over the true islands, by their true
disparity, as over what a model without fault would paint. Writes FOLDER/flights.json, and draws FOLDER/recorded.png and
FOLDER/autopilot.png, one row per method and island.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from itertools import count, islice
from pathlib import Path

import cv2
import numpy as np
import torch

from flythrough.evaluate.following.stated import first_crossing
from flythrough.evaluate.generation.generate import Recorder
from flythrough.evaluate.methods.baselines import RenderInpaint
from flythrough.evaluate.metrics.features import load_extractor
from flythrough.evaluate.metrics.fid import Reference
from flythrough.rendering.projection import max_sobel_at
from flythrough.rendering.render import render as mesh_warp
from flythrough.sample.raycast import render
from flythrough.sample.world import make_world
from flythrough.scene.autopilot import LAND, Autopilot, Flight
from flythrough.scene.geometry import camera_center, transform
from flythrough.scene.known_ground import start_surface
from flythrough.scene.plans import FixedFlight
from flythrough.train.data.islands import FPS, FRAMES, OVERSAMPLING, IslandClip, Take, _film_island
from flythrough.train.fly.depth_guess import guess_disparity
from flythrough.train.fly.from_photo import to_rgbd
from flythrough.train.fly.rollout import fly, to_image
from flythrough.train.fly.runtime import fast
from flythrough.train.model.native import load_checkpoint

COMPARED = (1, 5, 10, 20, 30, 59)
SHOWN = (1, 3, 5, 10, 20, 30, 59)
WORLD = "the world itself"
FAR = (1, 5, 10, 30, 60, 100, 200, 300)
Frames = Iterator[np.ndarray]
Fly = Callable[[np.ndarray, np.ndarray, Flight], Frames]  # start rgbd, intrinsics, where to


def inpainting(rgbd: np.ndarray, lens: np.ndarray, flight: Flight) -> Frames:
    return RenderInpaint().generate(rgbd, lens, flight, 0)


def ours(folder: Path, height: int, width: int, sky: bool | None) -> Fly:
    model = fast(load_checkpoint(folder).at_size(height, width))

    def go(rgbd: np.ndarray, lens: np.ndarray, flight: Flight) -> Frames:
        return map(to_image, fly(model, torch.from_numpy(rgbd), lens, flight, None, sky=sky))

    return go


def world_itself(clip: IslandClip, height: int, width: int) -> Fly:
    """Flies over the island that the clip was filmed on."""
    world = make_world(clip.island, clip.take.biome)

    def go(rgbd: np.ndarray, lens: np.ndarray, flight: Flight) -> Frames:
        disparity = rgbd[3]
        for step in count(1):
            pose = flight.next_pose(disparity)
            image, fine, _ = render(world, pose, lens, OVERSAMPLING * height, OVERSAMPLING * width, step / FPS)
            disparity = np.clip(
                cv2.resize(fine.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA), 0, 1
            )
            yield cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)

    return go


def filmed(seed: int, height: int, width: int, folder: Path) -> IslandClip:
    take = Take(seed, "forward", 0, height, width)
    if not take.file(folder).is_file():
        _film_island([take], folder)
    return IslandClip(take, folder)


def hidden(clip: IslandClip, step: int, height: int, width: int) -> np.ndarray:
    """Where in the frame of a step the start picture, rendered there at once, shows nothing; bool ``[h, w]``."""
    rgbd, cameras = clip.rgbd(0, height, width)[None], clip.cameras
    now, then = ((torch.from_numpy(cameras.poses[i]), torch.from_numpy(cameras.intrinsics[i])) for i in (0, step))
    _, mask = mesh_warp(torch.from_numpy(rgbd), *now, *then, max_sobel=max_sobel_at(height))
    return mask[0, 0].numpy() < 0.5


def follow(method: Fly, clip: IslandClip, height: int, width: int) -> tuple[dict[str, float], list[np.ndarray]]:
    """Figures at each of :data:`COMPARED` along the recorded path, and the frames."""
    cameras = clip.cameras
    start = clip.rgbd(0, height, width)
    path = FixedFlight(cameras.poses.astype(np.float64))
    frames = [to_image(torch.from_numpy(start)), *islice(method(start, cameras.intrinsics[0], path), FRAMES - 1)]
    figures = {}
    for step in COMPARED:
        real, unseen = to_image(torch.from_numpy(clip.rgbd(step, height, width))), hidden(clip, step, height, width)
        errors = np.square(frames[step].astype(float) - real).mean(-1)
        figures[f"psnr_{step}"] = float(10 * np.log10(255**2 / errors.mean()))
        figures[f"hidden_{step}"] = float(unseen.mean())
        figures[f"hidden_error_{step}"] = float(errors[unseen].sum() / errors.sum())
    return figures, frames


def roam(
    method: Fly,
    clip: IslandClip,
    steps: int,
    height: int,
    width: int,
    *,
    ground: bool = True,
    rough: bool = False,
    land: float = 0.0,
) -> tuple[list[np.ndarray], bool]:
    """The frames of one autopilot flight, the start first; and whether it leads through ground that the start shows.

    ``ground``: the autopilot knows that ground. ``rough``: the start's disparity is guessed. ``land``: see
    :class:`Autopilot`; flights into photos have it, those of protocols do not.
    """
    start, lens, takeoff = clip.rgbd(0, height, width), clip.cameras.intrinsics[0], clip.cameras.poses[0].astype(float)
    if rough:
        start = to_rgbd(image := to_image(torch.from_numpy(start)), guess_disparity(image).disparity, height, width)
    pilot = Autopilot.from_start(start[3], lens, takeoff, land=land) if ground else Autopilot(lens, takeoff, land=land)
    recorder = Recorder(pilot, steps)
    frames = [to_image(torch.from_numpy(start)), *islice(method(start, lens, recorder), steps)]
    path = transform(takeoff, camera_center(np.stack(recorder.poses)))
    return frames, first_crossing(path, start_surface(start[3], lens)) is not None


def grid(pictures: np.ndarray) -> float:
    """Mean bend (second difference along a row) at the borders of 16-pixel blocks, divided by that amid blocks.

    Of the lower halves of ``pictures`` ``[n, h, w, 3]``, without the outermost blocks, which bend at the sides.
    """
    height, width = pictures.shape[1:3]
    bends = np.abs(np.diff(pictures[:, height // 2 :].astype(float).mean(-1), 2)).mean((0, 1))  # [k]: about k + 1
    blocks = np.stack([bends[k - 1 : k + 15] for k in range(16, width - 31, 16)])
    return float(blocks[:, [0, 15]].mean() / blocks[:, 6:10].mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoints", type=Path, nargs="*")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--islands", type=int, nargs=2, default=(2000, 2008), metavar=("FIRST", "END"))
    parser.add_argument("--size", default="96x64", metavar="WIDTHxHEIGHT")
    parser.add_argument("--autopilot", type=int, default=0, metavar="STEPS")
    parser.add_argument(
        "--sky",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="keep the start's sky; unset: as the model has it",
    )
    parser.add_argument("--ground", action=argparse.BooleanOptionalAction, default=True, help="the autopilot knows it")
    parser.add_argument("--land", action="store_true", help="it turns back to land, as flights into photos do")
    parser.add_argument("--rough", action="store_true", help="autopilot flights start from a guessed disparity")
    parser.add_argument("--world", action="store_true", help="fly over the true islands, too, with --autopilot")
    given = parser.parse_args()
    width, height = map(int, given.size.split("x"))
    clips = [filmed(seed, height, width, given.out / "islands") for seed in range(*given.islands)]
    methods: dict[str, Fly | None] = {"render-inpaint": inpainting}
    methods |= {str(folder): ours(folder, height, width, given.sky) for folder in given.checkpoints}
    if given.world and given.autopilot:
        methods[WORLD] = None  # each island has its own
    extract = load_extractor("lite0") if given.autopilot else None
    real = [to_image(torch.from_numpy(c.rgbd(i, height, width))) for c in clips for i in range(0, FRAMES, 3)]
    reference = Reference.of_features(extract(np.stack(real))) if extract else None
    rows, near, far = {}, [], []
    for name, method in methods.items():
        rows[name] = {}
        if method:
            values, films = zip(*(follow(method, clip, height, width) for clip in clips), strict=True)
            rows[name] = {key: float(np.mean([figures[key] for figures in values])) for key in values[0]}
            near += [np.concatenate([frames[step] for step in SHOWN], 1) for frames in films[:3]]
        if extract and reference:
            flown = ((method or world_itself(clip, height, width), clip) for clip in clips)
            how = {"ground": given.ground, "rough": given.rough, "land": LAND if given.land else 0.0}
            roamed = (roam(each, clip, given.autopilot, height, width, **how) for each, clip in flown)
            flights, through = zip(*roamed, strict=True)
            rows[name]["through_ground"] = sum(through)
            features = np.stack([extract(np.stack(frames[1:])) for frames in flights])
            for key, part in (("fd", features), ("fd_first_20", features[:, :20]), ("fd_last_20", features[:, -20:])):
                rows[name][key] = reference.distance_of(part.reshape(-1, features.shape[-1]))
            rows[name]["grid"] = grid(np.concatenate([frames[-20:] for frames in flights]))
            shown = [step for step in FAR if step <= given.autopilot]
            far += [np.concatenate([frames[step] for step in shown], 1) for frames in flights[:4]]
        print(name, *(f"{key} {value:.2f}" for key, value in rows[name].items()), flush=True)
    for name, pictures in (("recorded", near), ("autopilot", far)):
        if pictures:
            cv2.imwrite(str(given.out / f"{name}.png"), np.concatenate(pictures)[..., ::-1])
    (given.out / "flights.json").write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
