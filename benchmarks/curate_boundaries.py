"""Boundary detectors side by side on videos with known edits: ours (two settings), PySceneDetect's two, TransNetV2.

python benchmarks/curate_boundaries.py --out docs/data/curate_boundaries.json [--data ../shared/data/real]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.curate.curate_edits import Edit, matches, overlaps, pan

WIDTH, HEIGHT = 320, 180
Found = tuple[list[int], list[tuple[int, int]]]


def takes(cache: Path) -> list[np.ndarray]:
    """Steady flights over several islands, three seconds each; rendered once."""
    from flythrough.sample.film import film

    found = []
    cache.mkdir(parents=True, exist_ok=True)
    plans = [(seed, kind, take) for seed in (1, 2, 3) for kind in ("forward", "orbit", "sideways") for take in (0, 1)]
    for seed, kind, take in plans:
        file = cache / f"{seed}-{kind}-{take}.npy"
        if not file.exists():
            made = film(seed, kind, 3.2, width=WIDTH, height=HEIGHT, take=take, speed=(1.5, 4.0)[take])
            np.save(file, made.images)
        found.append(np.load(file))
    return found


def real_takes(folder: Path) -> list[np.ndarray]:
    """Pieces of real and generated footage within one shot each, at our size."""
    import cv2

    from flythrough.media.video_reader import frames

    pieces = [
        ("sintel_30s.mp4", a, b) for a, b in ((8, 66), (108, 142), (258, 285), (428, 442), (525, 572), (652, 718))
    ]
    pieces += [("infinite_nature_generated.mp4", a, a + 90) for a in (0, 400, 900, 1500, 2100, 2600)]
    found = []
    for name, start, end in pieces:
        images = [f.image for f in islice(frames(folder / name), start, end)]
        inner = [i[60:420] if name.startswith("sintel") else i for i in images]
        found.append(np.array([cv2.resize(i, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for i in inner]))
    return found


def fast_pans(folder: Path) -> list[np.ndarray]:
    """Fast pans over drone photos: 4 to 12 % of the width per frame."""
    import cv2

    found = []
    for number, file in enumerate(sorted((folder / "brighton_beach").glob("*.JPG"))[::3]):
        photo = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
        found.append(pan(photo, 40, WIDTH * (0.04 + 0.016 * number), (WIDTH, HEIGHT), (100 * number, 60 * number)))
    return found


def edits(
    flights: list[np.ndarray], others: list[np.ndarray], pans: list[np.ndarray], seed: int = 0
) -> Iterator[tuple[str, Edit]]:
    """Videos of every kind of edit, from every kind of take; the seed fixes which follows which, and how."""
    rng = np.random.default_rng(seed)

    def order(pool: list[np.ndarray]) -> list[np.ndarray]:
        return [pool[i] for i in rng.permutation(len(pool))]

    for name, pool in (("flight", flights), ("other", others), ("mixed", [*flights, *others])):
        if not pool:
            continue
        cuts, dissolves, fades, spins = Edit(), Edit(), Edit(), Edit()
        for take in order(pool):
            cuts.cut(take[: rng.integers(12, len(take) + 1)])
        yield f"cuts, {name}", cuts
        for kind, edit in (("dissolves", dissolves), ("fades", fades), ("spins", spins)):
            long = [t for t in order(pool) if len(t) >= 58]
            edit.cut(long[0])
            for take in long[1:]:
                seconds = float(rng.uniform(0.5, min(1.5, (len(take) - 10) / 30)))
                if kind == "dissolves":
                    edit.dissolve(take, seconds)
                elif kind == "fades":
                    edit.fade(take, seconds, int(rng.choice([0, 255])))
                else:
                    edit.spin(take)
            yield f"{kind}, {name}", edit
    if pans:
        edit = Edit()
        for take in order(pans) + order(pans):
            edit.cut(take)
        yield "cuts in fast pans", edit
    flashes = Edit()
    for take in order(flights)[:6]:
        flashes.cut(take)
    for at in range(20, len(flashes.frames) - 10, 55):
        if all(abs(at - c) > 12 for c in flashes.cuts):
            flashes.flash(at, int(rng.integers(1, 4)), float(rng.uniform(0.5, 1)))
    yield "cuts and flashes", flashes
    for number, take in enumerate([*flights, *pans]):
        yield f"steady {number}", Edit().cut(take)


def ours(detector: str) -> Callable[[Path], Found]:
    """Our detector under a setting of ``curate.shots.detector``."""

    def detect(path: Path) -> Found:
        from flythrough.curate.config import CurateConfig, Shots
        from flythrough.curate.scan import find_boundaries

        transitions, _ = find_boundaries(path, CurateConfig(shots=Shots(detector=detector)))
        cuts = [t.start for t in transitions if t.kind == "cut"]
        return cuts, [(t.start, t.end) for t in transitions if t.kind != "cut"]

    return detect


def scenedetect(name: str) -> Callable[[Path], Found]:
    """A detector of PySceneDetect at its defaults; it reports no spans, so each cut may count as either kind."""

    def detect(path: Path) -> Found:
        import scenedetect as sd

        detector = {"adaptive": sd.AdaptiveDetector, "content": sd.ContentDetector}[name]()
        scenes = sd.detect(str(path), detector)
        return [s[0].frame_num for s in scenes[1:]], []

    return detect


def transnet(path: Path) -> Found:
    """TransNetV2 alone, at its own threshold 0.5; it names no kinds, so the middle of a run may count as either."""
    import cv2

    from flythrough.curate.boundaries.transnet import probabilities
    from flythrough.media.video_reader import frames

    known = path.with_suffix(".transnet.npy")  # 20 to 40 frames a second on two cores: asked once a file
    if not known.exists():
        tiny = np.array([cv2.resize(f.image, (48, 27), interpolation=cv2.INTER_AREA) for f in frames(path)])
        np.save(known, probabilities(tiny))
    high = np.load(known) > 0.5
    edges = np.flatnonzero(np.diff(np.concatenate([[0], high.astype(np.int8), [0]])))
    runs = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    return [(a + b + 1) // 2 for a, b in runs], []


def score(found: Found, edit: Edit, spans: bool) -> dict[str, int]:
    """Hits and counts. Of a detector without kinds, cuts inside a true transition count as finding it, however many."""
    cuts, graduals = list(found[0]), list(found[1])
    if not spans:
        inside = {g: [c for c in cuts if g[0] - 1 <= c <= g[1] + 1] for g in edit.graduals}
        graduals = [(cs[0], cs[0] + 1) for cs in inside.values() if cs]
        used = {c for cs in inside.values() for c in cs}
        cuts = [c for c in cuts if c not in used]
    return {
        "cut_hits": matches(cuts, edit.cuts), "cut_found": len(cuts), "cut_true": len(edit.cuts),
        "gradual_hits": overlaps(graduals, edit.graduals), "gradual_found": len(graduals),
        "gradual_true": len(edit.graduals),
    }  # fmt: skip


def f1(hits: int, found: int, true: int) -> float | None:
    """Harmonic mean of precision and recall; None if there was nothing to find and nothing was found."""
    return None if found + true == 0 else 2 * hits / (found + true)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data/real"))
    parser.add_argument("--cache", type=Path, default=Path("/tmp/curate-boundaries"))
    parser.add_argument("--seed", type=int, default=0, help="other edits of the same takes; the thresholds know 0")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only", help="run one detector")
    parser.add_argument("--skip", nargs="*", default=[], help="leave out videos whose name starts with one of these")
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    real = options.data.is_dir()
    others, pans = (real_takes(options.data), fast_pans(options.data)) if real else ([], [])
    made = edits(takes(options.cache), others, pans, options.seed)
    videos = []
    for name, edit in made:
        if name.startswith(tuple(options.skip)):
            continue
        path = options.cache / f"{options.seed} {name}.mp4"
        videos.append((name, edit, path if path.exists() else edit.write(path)))
    detectors: dict[str, tuple[Callable[[Path], Found], bool]] = {
        "ours, cheap": (ours("cheap"), True),
        "ours, cascade": (ours("cascade"), True),
        "TransNetV2": (transnet, False),
        "PySceneDetect adaptive": (scenedetect("adaptive"), False),
        "PySceneDetect content": (scenedetect("content"), False),
    }
    table = []
    for name, (detect, spans) in detectors.items():
        if options.only and options.only != name:
            continue
        total: dict[str, int] = {}
        steady = 0
        started = time.perf_counter()
        for video, edit, path in videos:
            found = detect(path)
            counts = score(found, edit, spans)
            if video.startswith("steady"):
                steady += counts["cut_found"] + counts["gradual_found"]
            total = {key: total.get(key, 0) + value for key, value in counts.items()}
            if (options.verbose and (len(found[0]), len(found[1])) != (0, 0)) or edit.cuts or edit.graduals:
                print(name, "|", video, "|", counts)
                if options.verbose:
                    missed = [c for c in edit.cuts if all(abs(c - f) > 1 for f in found[0])]
                    false = [c for c in found[0] if all(abs(c - t) > 1 for t in edit.cuts)]
                    print("   missed cuts", missed, "false cuts", false)
                    print("   graduals", edit.graduals, "found", found[1])
        row = {
            "detector": name,
            "cuts_f1": f1(total["cut_hits"], total["cut_found"], total["cut_true"]),
            "gradual_f1": f1(total["gradual_hits"], total["gradual_found"], total["gradual_true"]),
            "false_in_steady": steady,
            "seconds": time.perf_counter() - started,
            **total,
        }
        table.append(row)
        print(json.dumps(row))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
