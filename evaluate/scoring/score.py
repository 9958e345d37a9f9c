"""Scores a folder of frames, however they were made."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from flythrough.errors import MissingWeights
from flythrough.results.metrics import METRICS, wanders
from flythrough.results.ranking import DEVIATION
from flythrough.results.schema import MethodRecord, ProtocolRecord, Result, Value, provenance

from ..generation.frames import Frames, check_flights, expected_flights
from ..generation.generate import FLIGHT, VIEW
from ..methods.registry import REAL, MethodFailure, Spec
from ..metrics import images
from ..metrics.cache import Rows, cached_features
from ..metrics.features import Extractor, load_extractor
from ..metrics.images import Image
from ..metrics.sets import NAMES, RealSide, distances, feature_drift, over_steps
from ..protocols.protocol import Protocol, Start
from ..protocols.real_frames import RealFrame
from ..protocols.source import Source
from .draws import note_draws
from .drift import measure_drift
from .per_flight import made_flights, measure_flights, real_flights
from .revisit import Measure, measure_revisits
from .tally import Settings, Tally

NOT_FOLLOWING = "does not follow its commanded camera"
FLOOR_NOTE = "real frames: the floor, not a method"


def score(
    spec: Spec,
    source: Source,
    folder: Path | None,
    settings: Settings,
    weights: dict[str, str],
    notes: Path | None = None,
) -> Result:
    """Score a frames folder on a protocol.

    Args:
        spec: whose frames they are; the method ``real`` has none (``folder`` is None): recorded frames stand in.
        source: the protocol's data.
        folder: ``view_synthesis/START/000001.png`` and so on, ``generation/START/000001.png`` and so on.
        settings: how scores are taken.
        weights: SHA-256 of the method's own weights, by use.
        notes: folder to write what :mod:`.redraw` needs into.

    Raises:
        MethodFailure: frames are missing or not what was asked for.
    """
    began = time.monotonic()
    header = source.protocol.header
    tally = Tally(settings, weights=dict(weights))
    extractors = extractors_of(source.protocol, tally)
    frames: dict[str, Frames] = {}
    if folder is None:
        flights = real_flights(source)
    else:
        frames = check_flights(folder, expected_flights(source), header.height, header.width)
        flights = made_flights(source, frames, folder)
        metrics = image_metrics(tally)
        _view_synthesis(source, frames, metrics, tally)
        measure_revisits(source, frames, metrics, tally)
    measure_flights(source, flights, tally)
    measure_drift(source, flights, tally)
    for extractor in extractors:
        set_distances(source, extractor, frames, tally)
    if notes is not None:
        note_draws(notes, tally)
    result = result_of(spec, source.protocol, tally, frames)
    return result.model_copy(update={"seconds": {"score": round(time.monotonic() - began, 3)}})


def result_of(spec: Spec, protocol: Protocol, tally: Tally, frames: dict[str, Frames]) -> Result:
    """The result that a tally adds up to."""
    return Result(
        status="scored",
        protocol=describe_protocol(protocol),
        method=describe_method(spec),
        weights=tally.weights,
        frames_sha256={id: each.sha256() for id, each in frames.items()},
        follows_camera=tally.follows_camera,
        follow_note=tally.follow_note,
        values=tuple(_with_ranking(value, spec, protocol, tally) for value in tally.values),
        starts=tally.starts,
        replicates=tally.replicates,
        curves=tally.curves,
        not_measured=tally.not_measured,
        settings={**tally.settings.draws(), "seed": protocol.header.seed},
        **provenance(tally.settings.device),
    )


def failed(spec: Spec, protocol: Protocol, failure: MethodFailure, settings: Settings) -> Result:
    """The result of a method that did not make all its frames: every row says what happened."""
    planned: list[tuple[str, int | None]]
    planned = [(name, step) for name in ("psnr", "ssim", "mse") for step in protocol.header.view_synthesis.steps]
    planned += [(name, None) for network in protocol.header.sets.networks for name in NAMES[network]]
    return Result(
        status="failed",
        failure=failure.message,
        protocol=describe_protocol(protocol),
        method=describe_method(spec),
        values=tuple(Value(metric=name, step=step, note=f"failed: {failure.message}") for name, step in planned),
        **provenance(settings.device),
    )


def describe_method(spec: Spec) -> MethodRecord:
    """A method's spec as a result records it; of folders only the names, since results are published."""
    told = spec.model_dump(mode="json", exclude={"trusted"})
    named = {key: Path(told[key]).name for key in ("checkpoint", "folder") if told[key]}
    return MethodRecord.model_validate(told | named)


def describe_protocol(protocol: Protocol) -> ProtocolRecord:
    """A protocol as a result records it."""
    header = protocol.header
    record = {
        "name": header.name,
        "hash": protocol.hash,
        "scoring_version": header.scoring_version,
        "held_out": header.held_out,
        "height": header.height,
        "width": header.width,
        "starts": len(protocol.starts),
        "flights": len(protocol.generation_starts()),
        "steps": header.generation.steps,
        "left_out": {start.clip: start.why for start in protocol.index.starts if start.frame is None},
    }
    return ProtocolRecord.model_validate(record)


def _with_ranking(value: Value, spec: Spec, protocol: Protocol, tally: Tally) -> Value:
    """The value with whether it may be ranked, and why not."""
    metric = METRICS[value.metric]
    notes = [] if protocol.header.held_out else ["not held out: starts come from clips that may be trained on"]
    ranked = value.value is not None and not metric.qualifies
    if spec.name == REAL:
        ranked, notes = False, [FLOOR_NOTE]
    elif ranked and metric.needs_following and tally.follows_camera is not True:
        ranked = False
        follows = NOT_FOLLOWING if tally.follows_camera is False else "whether it follows its camera is not known"
        notes.append(f"{follows}: {tally.follow_note}")
    elif ranked and metric.needs_following and (away := wanders(tally.value_of(DEVIATION))):
        ranked = False
        notes.append(away)
    return value.model_copy(update={"ranked": ranked, "note": "; ".join(filter(None, [value.note, *notes])) or None})


def extractors_of(protocol: Protocol, tally: Tally) -> list[Extractor]:
    """The protocol's feature networks; those without weights here are noted as not measured."""
    found = []
    settings = tally.settings
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


def image_metrics(tally: Tally) -> dict[str, Measure]:
    """Metrics of a frame against the real one, by name; LPIPS only if its trunk is on this machine."""
    from flythrough.networks.weights import locate
    from flythrough.workspace.files import sha256_of

    found: dict[str, Measure] = {"psnr": images.psnr, "ssim": images.ssim, "mse": images.mse}
    for net in ("alex", "vgg"):
        try:
            trunk = locate(f"lpips-{net}")
        except MissingWeights:
            tally.not_measured[f"lpips_{net}"] = needs_weights(f"lpips-{net}")
            continue
        found[f"lpips_{net}"] = images.Lpips(net, trunk)
        tally.weights[f"metric:lpips_{net}"] = sha256_of(trunk)
    return found


def _view_synthesis(source: Source, frames: dict[str, Frames], metrics: dict[str, Measure], tally: Tally) -> None:
    for step in source.protocol.header.view_synthesis.steps:
        found: dict[str, list[float]] = {name: [] for name in metrics}
        starts: list[str] = []
        for start in source.protocol.view_starts():
            recorded = source.recorded(start)
            if len(recorded) < step:
                continue  # the protocol itself ends this clip before
            real = source.frame(RealFrame(start.clip, recorded[step - 1]))
            made = frames[f"{VIEW}/{start.id}"][step - 1]
            values = {name: measure(made, real) for name, measure in metrics.items()}
            if source.protocol.header.view_synthesis.seen:
                values |= _over_seen(source, start, step, made, real)
            starts.append(start.id)
            for name, value in values.items():
                found.setdefault(name, []).append(value)
                tally.note_start(start.id, f"{name}@{step}", value)
        for name, each in found.items():
            tally.add_mean(name, step, each, starts=starts)


def _over_seen(source: Source, start: Start, step: int, made: Image, real: Image) -> dict[str, float]:
    poses = source.poses(start)
    seen = images.seen_from_start(source.rgbd(start), poses[0], poses[step], source.intrinsics(start))
    measures = {"psnr_seen": images.psnr, "ssim_seen": images.ssim, "mse_seen": images.mse}
    return {name: measure(made, real, seen) for name, measure in measures.items()}


def set_distances(source: Source, extractor: Extractor, frames: dict[str, Frames], tally: Tally) -> None:
    """All flights' frames against the real side; without frames, the real side against itself: the floor."""
    header = source.protocol.header
    real = RealSide.of(source, extractor)
    flown = {id: each for id, each in frames.items() if id.startswith(f"{FLIGHT}/")}
    made = Rows([cached_features(extractor, each.sha256(), each.__getitem__, len(each)) for each in flown.values()])
    if not flown:
        tally.values += distances(real, real.floor_features, header, replicates=0).values
        return
    tally.add_distances(distances(real, made, header, tally.settings.set_replicates), list(flown), header.seed)
    if len(made) < 2:  # one flight of one step has no distance
        return
    name = f"{NAMES[extractor.name][0]}_sw"
    tally.curves[name] = tuple(over_steps(real, made, header.generation.window))
    mean = float(np.mean([value for _, value in tally.curves[name]]))
    window = min(header.generation.window, header.generation.steps)
    n = window * len(flown)
    note = f"mean of {len(tally.curves[name])} windows of {window} steps, {n} images each"
    tally.values.append(Value(metric=name, value=mean, n=n, note=note))
    tally.values.append(feature_drift(real, made, header, tally.settings.set_replicates))
