"""Frames in, a result out. Knows nothing of how the frames were made."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from flythrough.cameras import read_cameras
from flythrough.errors import InputError, MissingWeights

from . import images
from .bootstrap import mean_interval
from .cache import Rows, cached_features
from .features import Extractor, load_extractor
from .follow import Follow, follow, warp_error
from .frames import Frames, check_flights, expected_flights
from .generate import CAMERAS_FILE, FLIGHT, VIEW
from .methods import REAL, MethodFailure, Spec
from .protocol import Protocol, Start
from .results import Result, Value, provenance
from .sets import NAMES, RealSide, distances, over_steps
from .source import RealFrame, Source
from .style import EVERY, style_distances

Image = images.Image
NOT_FOLLOWING = "does not follow its commanded camera"
FLOOR_NOTE = "real frames: the floor, not a method"


@dataclass(frozen=True)
class Settings:
    """How scores are taken, besides what the protocol says.

    Attributes:
        replicates: bootstrap draws for means over starts.
        set_replicates: bootstrap draws for distances between sets.
        device: for feature networks.
        inception: a weight file in place of the known one.
    """

    replicates: int = 1000
    set_replicates: int = 100
    device: str = "cpu"
    inception: Path | None = None


@dataclass
class Tally:
    """A result in the making."""

    values: list[Value] = field(default_factory=list)
    starts: dict[str, dict[str, float | None]] = field(default_factory=dict)
    curves: dict[str, tuple[tuple[int, float], ...]] = field(default_factory=dict)
    not_measured: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    verdict: tuple[bool | None, str | None] = (None, None)

    def note_start(self, start: str, name: str, value: float | None) -> None:
        self.starts.setdefault(start, {})[name] = value


def score(spec: Spec, source: Source, folder: Path | None, settings: Settings, weights: dict[str, str]) -> Result:
    """Score a frames folder on a protocol.

    Args:
        spec: whose frames they are; the method ``real`` has none (``folder`` is None): recorded frames stand in.
        source: the protocol's data.
        folder: ``view_synthesis/START/000001.png`` and so on, ``generation/START/000001.png`` and so on.
        settings: see there.
        weights: SHA-256 of the method's own weights, by use.

    Raises:
        MethodFailure: frames are missing or not what was asked for.
    """
    began = time.monotonic()
    protocol = source.protocol
    header = protocol.header
    tally = Tally(weights=dict(weights))
    extractors = extractors_of(protocol, settings, tally)
    frames: dict[str, Frames] = {}
    if folder is not None:
        frames = check_flights(folder, expected_flights(source), header.height, header.width)
        _view_synthesis(source, frames, settings, tally)
    flights = _real_flights(source) if folder is None else _made_flights(source, frames, folder)
    _following(source, flights, settings, tally)
    for extractor in extractors:
        _set_distances(source, extractor, frames, settings, tally, is_real=folder is None)
    return Result(
        status="scored",
        protocol=describe_protocol(protocol),
        method=spec.model_dump(mode="json", exclude={"trusted"}),
        weights=tally.weights,
        frames_sha256={id: each.sha256() for id, each in frames.items()},
        follows_camera=tally.verdict[0],
        follow_note=tally.verdict[1],
        values=tuple(_with_ranking(value, spec, protocol, tally) for value in tally.values),
        starts=tally.starts,
        curves=tally.curves,
        not_measured=tally.not_measured,
        settings={"replicates": settings.replicates, "set_replicates": settings.set_replicates, "seed": header.seed},
        seconds={"score": round(time.monotonic() - began, 3)},
        **provenance(settings.device),
    )


def failed(spec: Spec, protocol: Protocol, failure: MethodFailure, settings: Settings) -> Result:
    """The result of a method that made no full set of frames: every row says what happened."""
    planned = [(name, step) for name in ("psnr", "ssim", "mse") for step in protocol.header.view_synthesis.steps]
    planned += [(NAMES["lite0"][0], None), (NAMES["lite0"][1], None)]  # type: ignore[list-item]
    return Result(
        status="failed",
        failure=failure.message,
        protocol=describe_protocol(protocol),
        method=spec.model_dump(mode="json", exclude={"trusted"}),
        values=tuple(Value(metric=name, step=step, note=f"failed: {failure.message}") for name, step in planned),
        **provenance(settings.device),
    )


def describe_protocol(protocol: Protocol) -> dict[str, object]:
    header = protocol.header
    return {
        "name": header.name,
        "hash": protocol.hash,
        "held_out": header.held_out,
        "height": header.height,
        "width": header.width,
        "starts": len(protocol.starts),
        "left_out": {start.clip: start.why for start in protocol.index.starts if start.frame is None},
    }


def _with_ranking(value: Value, spec: Spec, protocol: Protocol, tally: Tally) -> Value:
    notes = [] if protocol.header.held_out else ["not held out: starts come from clips that may be trained on"]
    ranked = value.value is not None and not value.metric.startswith(("follow_", "warp_", "sfm_"))
    if spec.name == REAL:
        ranked, notes = False, [FLOOR_NOTE]
    elif ranked and _is_generation(value.metric) and tally.verdict[0] is not True:
        ranked = False
        follows = NOT_FOLLOWING if tally.verdict[0] is False else "whether it follows its camera is not known"
        notes.append(f"{follows}: {tally.verdict[1]}")
    return value.model_copy(update={"ranked": ranked, "note": "; ".join(filter(None, [value.note, *notes])) or None})


def _is_generation(metric: str) -> bool:
    return metric.split("_")[0] in ("fid", "kid", "fd", "kd", "style")


def extractors_of(protocol: Protocol, settings: Settings, tally: Tally) -> list[Extractor]:
    found = []
    for name in protocol.header.sets.networks:
        try:
            extractor = load_extractor(name, settings.device, settings.inception if name == "inception" else None)
        except MissingWeights:
            tally.not_measured |= {metric: needs_weights(name) for metric in NAMES[name]}
            continue
        tally.weights[f"metric:{name}"] = extractor.weights_sha256
        found.append(extractor)
    return found


def needs_weights(name: str) -> str:
    """Why a metric was not measured, without the paths of this machine."""
    return f"the weights {name!r} were not on this machine: flythrough weights fetch {name}"


def image_metrics(tally: Tally) -> dict[str, Callable[[Image, Image], float]]:
    """Measures of a frame against the real one, by name; LPIPS where its trunk is on this machine."""
    from flythrough.files import sha256_of
    from flythrough.weights import locate

    found: dict[str, Callable[[Image, Image], float]] = {"psnr": images.psnr, "ssim": images.ssim, "mse": images.mse}
    for net in ("alex", "vgg"):
        try:
            trunk = locate(f"lpips-{net}")
        except MissingWeights:
            tally.not_measured[f"lpips_{net}"] = needs_weights(f"lpips-{net}")
            continue
        found[f"lpips_{net}"] = images.Lpips(net, trunk)
        tally.weights[f"metric:lpips_{net}"] = sha256_of(trunk)
    return found


def _view_synthesis(source: Source, frames: dict[str, Frames], settings: Settings, tally: Tally) -> None:
    metrics = image_metrics(tally)
    for step in source.protocol.header.view_synthesis.steps:
        found: dict[str, list[float]] = {name: [] for name in metrics}
        for start in source.protocol.view_starts():
            recorded = source.recorded(start)
            if len(recorded) < step:
                continue  # the protocol itself says how far this clip goes
            real = source.frame(RealFrame(start.clip, recorded[step - 1]))
            made = frames[f"{VIEW}/{start.id}"][step - 1]
            for name, measure in metrics.items():
                value = measure(made, real)
                found[name].append(value)
                tally.note_start(start.id, f"{name}@{step}", value if np.isfinite(value) else None)
        tally.values += [_mean(name, step, values, settings) for name, values in found.items()]


def _mean(metric: str, step: int | None, values: list[float], settings: Settings, n: int | None = None) -> Value:
    """The mean over starts, with its interval."""
    if not values:
        return Value(metric=metric, step=step, note="no start of the protocol reaches this step")
    if not np.isfinite(values).all():
        return Value(metric=metric, step=step, n=len(values), note="infinite: a frame equals the real one")
    interval = mean_interval(np.array(values), replicates=settings.replicates)
    low, high = interval or (None, None)
    count = len(values) if n is None else n
    return Value(metric=metric, step=step, value=float(np.mean(values)), low=low, high=high, n=count)


@dataclass(frozen=True)
class _Flight:
    """A flight with its start frame in front; poses are None where they are not known."""

    start: Start
    frames: list[Image]
    poses: np.ndarray | None


def _made_flights(source: Source, frames: dict[str, Frames], folder: Path) -> list[Callable[[], _Flight]]:
    def load(start: Start) -> _Flight:
        made = frames[f"{FLIGHT}/{start.id}"]
        first = np.round(source.rgbd(start)[:3].transpose(1, 2, 0) * 255).astype(np.uint8)
        return _Flight(start, [first, *(made[i] for i in range(len(made)))], _flown(folder, source, start, len(made)))

    return [lambda start=start: load(start) for start in source.protocol.generation_starts()]  # type: ignore[misc]


def _flown(folder: Path, source: Source, start: Start, steps: int) -> np.ndarray | None:
    """Where the camera was told to go: as handed in, else as the protocol plans it."""
    file = folder / FLIGHT / start.id / CAMERAS_FILE
    if file.is_file():
        poses = read_cameras(file).poses
        if len(poses) != steps + 1:
            raise InputError(f"{file} has {len(poses)} poses, not {steps + 1}", remedy="One for the start, one a step")
        return poses
    return None if start.plan is None else np.array(start.plan).reshape(-1, 3, 4)


def _real_flights(source: Source) -> list[Callable[[], _Flight]]:
    """The recorded clips as if they were flights, as far as they go."""

    def load(start: Start) -> _Flight:
        clip = source.clip_of(start)
        assert start.frame is not None
        chosen = list(range(start.frame, len(clip), clip.steps))[: source.protocol.header.generation.steps + 1]
        return _Flight(start, [source.frame(RealFrame(start.clip, i)) for i in chosen], clip.cameras.poses[chosen])

    return [lambda start=start: load(start) for start in source.protocol.generation_starts()]  # type: ignore[misc]


def _following(source: Source, flights: list[Callable[[], _Flight]], settings: Settings, tally: Tally) -> None:
    """Does each flight follow its camera, is it steady, and does it keep its style?"""
    found: list[Follow] = []
    warps, styles, pairs = [], [], 0
    for load in flights:
        flight = load()
        id = flight.start.id
        if len(flight.frames) < 2:
            continue
        warp = [e for e in map(warp_error, flight.frames[:-1:EVERY], flight.frames[1::EVERY]) if e is not None]
        if warp:
            warps.append(float(np.mean(warp)))
            tally.note_start(id, "warp_error", warps[-1])
            pairs += len(warp)
        longest = source.protocol.header.generation.style_steps
        style = style_distances(
            flight.frames[0], np.stack(flight.frames[1 : longest + 1][EVERY - 1 :: EVERY] or flight.frames[-1:])
        )
        styles.append(float(style.mean()))
        tally.note_start(id, "style_lite0", styles[-1])
        if flight.poses is not None:
            seen = follow(flight.frames, flight.poses, source.intrinsics(flight.start), source.rgbd(flight.start)[3])
            found.append(seen)
            tally.note_start(id, "follow_correlation", seen.correlation)
            tally.note_start(id, "follow_gain", seen.gain)
    tally.values += [_mean("style_lite0", None, styles, settings), _mean("warp_error", None, warps, settings, pairs)]
    tally.verdict = _verdict(found, len(flights))
    count = sum(each.pairs for each in found)
    for name in ("correlation", "gain"):
        tally.values.append(_mean(f"follow_{name}", None, [getattr(e, name) for e in found], settings, count))


def _verdict(found: list[Follow], flights: int) -> tuple[bool | None, str | None]:
    """A method follows its camera if most of its flights do."""
    if not found:
        return None, "no camera was handed in with the frames"
    reasons = [each.reason for each in found]
    against = [reason for reason in reasons if reason is not None]
    if 2 * len(against) < len(reasons):
        return True, None
    return False, f"{len(against)} of {len(reasons)} flights: the first {against[0]}"


def _set_distances(
    source: Source, extractor: Extractor, frames: dict[str, Frames], settings: Settings, tally: Tally, *, is_real: bool
) -> None:
    header = source.protocol.header
    real = RealSide.of(source, extractor)
    if is_real:
        made = real.floor_features
    else:
        made = Rows(
            [
                cached_features(extractor, each.sha256(), each.__getitem__, len(each))
                for id, each in frames.items()
                if id.startswith(f"{FLIGHT}/")
            ]
        )
    for found in distances(real, made, header, 0 if is_real else settings.set_replicates):
        low, high = found.interval or (None, None)
        tally.values.append(
            Value(metric=found.metric, value=found.value, low=low, high=high, n=found.n, floor=found.floor)
        )
    if is_real:
        return
    name = f"{NAMES[extractor.name][0]}_sw"
    curve = over_steps(real, made, header.generation.window)
    tally.curves[name] = tuple(curve)
    mean = float(np.mean([value for _, value in curve]))
    window = min(header.generation.window, header.generation.steps)
    note = f"mean of {len(curve)} windows of {window} steps, {window * len(made.parts)} images each"
    tally.values.append(Value(metric=name, value=mean, n=window * len(made.parts), note=note))
