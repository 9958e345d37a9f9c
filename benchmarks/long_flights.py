"""Drift of long flights: flies each start for many steps and plots what changes.

    python benchmarks/long_flights.py [START ...] --out FOLDER [--steps 500] [--checkpoint FOLDER]

A start is a photo, a .npz, or a picture of the page's (by default all seven); ``--islands 9000 9020`` films more.
Writes FOLDER/long_flights.json, FOLDER/drift.png (each measure over the steps, one line per start) and
FOLDER/strips.png (one row per start). Exits with 1 if a picture has a value that is not finite, or disparity outside
[0, 1].
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from flythrough.scene.autopilot import LAND, Autopilot
from flythrough.train.fly.from_photo import Start, at_size, load_model
from flythrough.train.fly.page.gallery import film_island, gallery, island_name, picture_file, read_any, read_island
from flythrough.train.fly.rollout import fly, to_image
from flythrough.train.fly.runtime import fast
from flythrough.train.fly.shipped import shipped_checkpoint
from flythrough.train.model.network import InfiniteNature
from flythrough.train.model.sky import SKY_DISPARITY

SHOWN = (0, 1, 10, 50, 100, 200, 300, 400, 500)
PANELS = {  # title: measures, the first solid
    "Colour, mean (0 to 255)": ("red", "green", "blue"),
    "Contrast: standard deviation of grey": ("contrast",),
    "Saturation (0 to 1)": ("saturation",),
    "Sharpness: variance of the Laplacian": ("sharpness",),
    "Disparity: median, 5 and 95 %": ("disparity_50", "disparity_5", "disparity_95"),
    f"Sky: share with disparity below {SKY_DISPARITY}": ("sky",),
}


def measure(rgbd: np.ndarray) -> dict[str, float]:
    """Measures of a picture ``[4, h, w]``, expected in [0, 1]; of another they are computed all the same."""
    image = to_image(torch.from_numpy(np.nan_to_num(rgbd)))
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    disparity = rgbd[3]
    values = {name: float(image[..., k].mean()) for k, name in enumerate(("red", "green", "blue"))}
    values["contrast"] = float(grey.std())
    values["saturation"] = float(cv2.cvtColor(image, cv2.COLOR_RGB2HSV)[..., 1].mean() / 255)
    values["sharpness"] = float(cv2.Laplacian(grey, cv2.CV_32F).var())
    values |= {f"disparity_{q}": float(np.percentile(disparity, q)) for q in (5, 50, 95)}
    values["sky"] = float((disparity < SKY_DISPARITY).mean())
    return values


def is_sane(rgbd: np.ndarray) -> bool:
    """Finite, and disparity in [0, 1]."""
    return bool(np.isfinite(rgbd).all() and rgbd[3].min() >= 0 and rgbd[3].max() <= 1)


def pictures(model: InfiniteNature, begin: Start, steps: int, sky: bool | None) -> Iterator[np.ndarray]:
    """The start and each step's picture ``[4, h, w]`` under the autopilot."""
    yield begin.rgbd
    pilot = Autopilot.from_start(begin.rgbd[3], begin.intrinsics, land=LAND)
    for rgbd in fly(model, torch.from_numpy(begin.rgbd), begin.intrinsics, pilot, steps, sky=sky):
        yield rgbd.float().cpu().numpy()


def held_out(seeds: range, folder: Path, height: int, width: int) -> dict[str, Start]:
    """Stills of islands, filmed where they are not in ``folder`` yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        if not picture_file(island_name(seed), folder).is_file():
            film_island(seed, folder)
    return {island_name(seed): read_island(seed, height, width, folder) for seed in seeds}


def watch(flight: Iterator[np.ndarray], shown: list[np.ndarray]) -> tuple[dict[str, list[float]], int | None]:
    """Measures by step, and the first step that is not sane, where the flight ends; adds pictures to ``shown``."""
    rows: dict[str, list[float]] = {}
    for step, rgbd in enumerate(flight):
        for name, value in measure(rgbd).items():
            rows.setdefault(name, []).append(value)
        if step in SHOWN:
            shown.append(to_image(torch.from_numpy(np.nan_to_num(rgbd))))
        if not is_sane(rgbd):
            return rows, step
    return rows, None


def plot(flights: dict[str, dict[str, list[float]]], file: Path) -> None:
    """One panel per kind of measure, one colour per start."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 9), layout="constrained")
    panels = figure.subplots(3, 2, sharex=True).ravel()
    for axes, (title, names) in zip(panels, PANELS.items(), strict=True):
        for number, rows in enumerate(flights.values()):
            for name, dashes in zip(names, ("-", "--", ":"), strict=False):
                axes.plot(rows[name], dashes, color=f"C{number % 10}", linewidth=1)
        axes.set_title(title, fontsize=10)
        axes.grid(alpha=0.3)
        axes.set_ylim(bottom=0)
    panels[0].text(0.01, 0.03, "solid red, dashed green, dotted blue", transform=panels[0].transAxes, fontsize=8)
    for axes in panels[-2:]:
        axes.set_xlabel("step")
    figure.legend(panels[1].lines, list(flights), loc="outside lower center", ncols=4, frameon=False)
    figure.savefig(file, dpi=110)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("starts", nargs="*", metavar="START")
    parser.add_argument("--islands", type=int, nargs=2, default=(0, 0), metavar=("FIRST", "END"))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--checkpoint", type=Path, help="by default the model in the package")
    parser.add_argument("--size", default="", metavar="WIDTHxHEIGHT")
    parser.add_argument("--depth", default="rough", help="who gives a bare photo's disparity")
    parser.add_argument("--sky", action=argparse.BooleanOptionalAction, help="by default as the model has it")
    given = parser.parse_args()
    model = fast(at_size(load_model(given.checkpoint or shipped_checkpoint()), given.size))
    given.out.mkdir(parents=True, exist_ok=True)
    size = model.config.height, model.config.width
    starts = held_out(range(*given.islands), given.out / "islands", *size)
    named = given.starts or ([] if starts else list(gallery()))
    starts |= {Path(start).name: read_any(start, *size, given.depth) for start in named}
    flights, broken, strips, seconds = {}, {}, [], {}
    for name, begin in starts.items():
        began, shown = time.perf_counter(), []
        flights[name], broken[name] = watch(pictures(model, begin, given.steps, given.sky), shown)
        seconds[name] = round(time.perf_counter() - began, 1)
        shown += [np.zeros_like(shown[0])] * (sum(step <= given.steps for step in SHOWN) - len(shown))
        strips.append(np.concatenate(shown, 1))
        ends = {key: (rows[0], rows[-1]) for key, rows in flights[name].items()}
        print(name, *(f"{key} {first:.2f} -> {last:.2f}" for key, (first, last) in ends.items()), flush=True)
        print(f"  {seconds[name]} s; " + ("sane" if broken[name] is None else f"broken at {broken[name]}"), flush=True)
    plot(flights, given.out / "drift.png")
    cv2.imwrite(str(given.out / "strips.png"), np.concatenate(strips)[..., ::-1])
    about = {
        "checkpoint": (given.checkpoint or shipped_checkpoint()).name,
        "steps": given.steps,
        "sky": model.config.sky if given.sky is None else given.sky,
    }
    about |= {"size": [model.config.width, model.config.height], "seconds": seconds, "broken_at": broken}
    (given.out / "long_flights.json").write_text(json.dumps({**about, "flights": flights}) + "\n")
    return int(any(step is not None for step in broken.values()))


if __name__ == "__main__":
    raise SystemExit(main())
