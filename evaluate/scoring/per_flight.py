"""Generated flights, and what is measured along them: steadiness, style, and whether they follow their camera."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from flythrough.results.metrics import CAMERA_FIGURES
from flythrough.results.schema import Value
from flythrough.scene.known_ground import start_surface

from ..following.figures import fill_failures
from ..following.follow import Follow, follow, warp_error
from ..following.reconstruct import Recovered, recover
from ..following.stated import NOT_STATED, Commanded, stated_cameras
from ..generation.frames import Frames
from ..generation.generate import CAMERAS_FILE, FLIGHT
from ..metrics.images import Image
from ..metrics.style import EVERY, style_distances
from ..protocols.protocol import Start
from ..protocols.real_frames import RealFrame
from ..protocols.source import Source
from .tally import Tally


@dataclass(frozen=True)
class Flight:
    """A flight with its start frame in front, and the camera it is judged by."""

    start: Start
    frames: list[Image]
    commanded: Commanded


Load = Callable[[], Flight]  # flights are read one at a time


def made_flights(source: Source, frames: dict[str, Frames], folder: Path) -> list[Load]:
    """The flights of a frames folder."""

    def load(start: Start) -> Flight:
        made = frames[f"{FLIGHT}/{start.id}"]
        return Flight(
            start, [source.start_frame(start), *(made[i] for i in range(len(made)))], _commanded(source, start, folder)
        )

    return [partial(load, start) for start in source.protocol.generation_starts()]


def _commanded(source: Source, start: Start, folder: Path) -> Commanded:
    """The commanded camera: the protocol's plan, or if it has none, what the method states."""
    if start.plan is not None:
        return Commanded(np.array(start.plan).reshape(-1, 3, 4))
    header = source.protocol.header.generation
    surface = start_surface(source.rgbd(start)[3], source.intrinsics(start))
    file = folder / FLIGHT / start.id / CAMERAS_FILE
    return stated_cameras(file, header.steps, source.poses(start)[0], header.speed, surface)


def real_flights(source: Source) -> list[Load]:
    """The recorded clips as flights, as far as they go."""

    def load(start: Start) -> Flight:
        clip = source.clip_of(start)
        assert start.frame is not None
        chosen = list(range(start.frame, len(clip), clip.steps))[: source.protocol.header.generation.steps + 1]
        frames = [source.frame(RealFrame(start.clip, i)) for i in chosen]
        return Flight(start, frames, Commanded(clip.cameras.poses[chosen]))

    return [partial(load, start) for start in source.protocol.generation_starts()]


def measure_flights(source: Source, flights: list[Load], tally: Tally) -> None:
    """Add each flight's steadiness and style distance, and whether it follows its camera."""
    found: list[Follow] = []
    against: list[str | None] = []
    warps: list[float] = []
    styles: list[float] = []
    pairs = 0
    for load in flights:
        flight = load()
        id = flight.start.id
        if len(flight.frames) < 2:
            continue
        errors = map(warp_error, flight.frames[:-1:EVERY], flight.frames[1::EVERY])
        if seen := [error for error in errors if error is not None]:
            warps.append(float(np.mean(seen)))
            tally.note_start(id, "warp_error", warps[-1])
            pairs += len(seen)
        styles.append(_style(flight, source.protocol.header.generation.style_steps))
        tally.note_start(id, "style_lite0", styles[-1])
        poses, objection = flight.commanded.poses, flight.commanded.objection
        if poses is not None:
            found.append(follow(flight.frames, poses, source.intrinsics(flight.start), source.rgbd(flight.start)[3]))
            tally.note_start(id, "follow_correlation", found[-1].correlation)
            tally.note_start(id, "follow_gain", found[-1].gain)
            objection = found[-1].reason or objection
        against.append(objection)
    tally.add_mean("style_lite0", None, styles)
    tally.add_mean("warp_error", None, warps, pairs)
    tally.follows_camera, tally.follow_note = verdict(against)
    count = sum(each.pairs for each in found)
    if without := len(against) - len(found):
        note = _without(without, len(against))
        tally.values += [Value(metric=name, n=count, note=note) for name in ("follow_correlation", "follow_gain")]
    else:
        tally.add_mean("follow_correlation", None, [each.correlation for each in found], count)
        tally.add_mean("follow_gain", None, [each.gain for each in found], count)
    recovered_paths(source, flights, tally)


def _without(without: int, flights: int) -> str:
    """Why no mean is taken: it would be over those flights only that a method chose to state cameras for."""
    return f"{without} of {flights} flights have no camera to be judged by"


def _style(flight: Flight, longest: int) -> float:
    chosen = flight.frames[1 : longest + 1][EVERY - 1 :: EVERY] or flight.frames[-1:]
    return float(style_distances(flight.frames[0], np.stack(chosen)).mean())


def verdict(reasons: list[str | None]) -> tuple[bool | None, str | None]:
    """Whether a method follows its camera, which it does if most of its flights do; else why not.

    Args:
        reasons: for each flight why it does not follow, or None. A flight without a camera counts as not following.
    """
    against = [reason for reason in reasons if reason is not None]
    if all(reason == NOT_STATED for reason in reasons):
        return None, "no camera was handed in with the frames"
    if 2 * len(against) < len(reasons):
        return True, None
    return False, f"{len(against)} of {len(reasons)} flights: the first {against[0]}"


def recovered_paths(source: Source, flights: list[Load], tally: Tally) -> None:
    """Compare the first flights' cameras, as structure from motion finds them, with the commanded ones."""

    def one(load: Load) -> tuple[str, int, Recovered] | None:
        flight = load()
        if len(flight.frames) < 3:
            return None
        if flight.commanded.poses is None:
            return flight.start.id, len(flight.frames), Recovered(None, None, "no camera to compare it with")
        path = recover(flight.frames, flight.commanded.poses, source.intrinsics(flight.start))
        return flight.start.id, len(flight.frames), path

    chosen = flights[: source.protocol.header.generation.sfm_flights]
    with ThreadPoolExecutor(os.cpu_count()) as pool:  # each waits for a process of its own
        found = [each for each in pool.map(one, chosen) if each is not None]
    if not found:
        return
    for id, _, path in found:
        tally.note_start(id, "follow_sfm_registered", path.registered)
        for name in CAMERA_FIGURES:
            tally.note_start(id, name, (path.figures or {}).get(name))
    if unmeasured := [path.why_not for _, _, path in found if path.why_not]:
        why = f"{unmeasured[0]} ({len(unmeasured)} of {len(found)} flights)"
        tally.not_measured |= dict.fromkeys(("follow_sfm_registered", *CAMERA_FIGURES), why)
        return
    count = sum(frames for _, frames, _ in found)
    tally.add_mean("follow_sfm_registered", None, [path.registered or 0.0 for _, _, path in found], count)
    for name in CAMERA_FIGURES:
        _add_figure(tally, name, {id: (path.figures or {}).get(name) for id, _, path in found}, count)


def _add_figure(tally: Tally, name: str, values: dict[str, float | None], count: int) -> None:
    """The mean over flights of a camera figure; a flight without one counts as the worst, and is named."""
    lost = [id for id, value in values.items() if value is None]
    filled = fill_failures(list(values.values()))
    if filled is None:
        nowhere = f"structure from motion finds no path in {len(lost)} of {len(values)} flights"
        tally.values.append(Value(metric=name, n=count, note=nowhere))
        return
    note = f"no path found, counted as the worst of the others: {', '.join(lost)}" if lost else None
    tally.add_mean(name, None, filled, count, note=note)
