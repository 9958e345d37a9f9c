"""Runs methods: a request folder goes in, a folder of PNG frames comes out. Scoring is elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8

from flythrough.errors import InputError
from flythrough.media.image_files import write_image
from flythrough.results.methods import Method, Setting
from flythrough.scene.autopilot import Autopilot, Flight
from flythrough.scene.cameras import Cameras, write_cameras
from flythrough.scene.geometry import Pose
from flythrough.scene.plans import FixedFlight
from flythrough.workspace.files import publish_folder, read_json, write_json
from flythrough.workspace.progress import bar

from ..methods.registry import MethodFailure, Spec, instance_of, run_command
from ..protocols.plan import plan_flight
from ..protocols.protocol import Start
from ..protocols.source import Source
from .refused import keep_refused

VIEW, FLIGHT, REVISIT = "view_synthesis", "generation", "revisit"
REQUEST_FILE, CAMERAS_FILE = "request.json", "cameras.txt"


def frame_name(step: int) -> str:
    """File name of the frame at a step; the first frame made is step 1."""
    return f"{step:06d}.png"


@dataclass(frozen=True)
class FlightRequest:
    """One flight of a request folder.

    Attributes:
        id: ``view_synthesis/START``, ``generation/START`` or ``revisit/START``; where its frames go.
        start: file of the start frame below the request folder: an array ``rgbd`` ``[4, h, w]``, in [0, 1].
        intrinsics: fx fy cx cy, normalised.
        seed: for all that is random in the method.
        steps: frames to make.
        pose: cam_from_world of the start frame, row by row.
        poses: cam_from_world of the start and of each step; None where the autopilot steers.
        speed: of the autopilot.
    """

    id: str
    start: str
    intrinsics: list[float]
    seed: int
    steps: int
    pose: list[float]
    poses: list[list[float]] | None
    speed: float

    def fly(self, disparity: Float[np.ndarray, "h w"]) -> Flight:
        """The flight it asks for: its poses, or the autopilot, which knows the start frame's ``disparity``."""
        if self.poses is not None:
            return FixedFlight(np.array(self.poses).reshape(-1, 3, 4))
        pose = np.array(self.pose).reshape(3, 4)
        return Autopilot.from_start(disparity, np.array(self.intrinsics), pose, self.speed)


class Recorder:
    """A flight that records its poses and ends after a given number of steps."""

    def __init__(self, flight: Flight, steps: int) -> None:
        self._flight, self._steps = flight, steps
        self.pose = flight.pose
        self.poses = [np.array(flight.pose)]

    def next_pose(self, disparity: object = None, steer: tuple[float, float] = (0.0, 0.0)) -> Pose:
        """The next pose, cam_from_world ``[3, 4]``, which is recorded.

        Raises:
            InputError: the flight is over.
        """
        if len(self.poses) > self._steps:
            raise InputError(f"The flight has {self._steps} steps, and one more was asked for", remedy="Stop there")
        self.pose = self._flight.next_pose(disparity)  # a method does not steer
        self.poses.append(np.array(self.pose))
        return self.pose


def write_request(source: Source, folder: Path, *, planned: bool, setting: Setting) -> list[FlightRequest]:
    """Write a request folder: ``request.json`` and the start frames.

    Args:
        source: the protocol's data.
        folder: where.
        planned: include the poses of generation flights (for methods that cannot be steered).
        setting: what the method is told.
    """
    header = source.protocol.header
    flights = []
    (folder / "starts").mkdir(parents=True, exist_ok=True)
    flown = {start.id for start in source.protocol.generation_starts()}
    for start in source.protocol.starts:
        name = f"starts/{start.id}.npz"
        rgbd = source.rgbd(start)
        np.savez(folder / name, rgbd=rgbd)
        recorded = source.poses(start)
        if len(recorded) > 1:
            flights.append(_request(source, start, VIEW, len(recorded) - 1, recorded))
        if (returning := source.out_and_back(start)) is not None:
            flights.append(_request(source, start, REVISIT, len(returning) - 1, returning))
        if start.id in flown:
            poses = np.array(start.plan).reshape(-1, 3, 4) if start.plan is not None else None
            if planned and poses is None:
                poses = plan_flight(rgbd, source.intrinsics(start), recorded[0], header)
            flights.append(_request(source, start, FLIGHT, header.generation.steps, poses))
    told = {**asdict(setting), "checkpoint": str(setting.checkpoint.absolute()) if setting.checkpoint else None}
    write_json(folder / REQUEST_FILE, {"version": 1, "setting": told, "flights": [asdict(f) for f in flights]})
    return flights


def _request(source: Source, start: Start, kind: str, steps: int, poses: np.ndarray | None) -> FlightRequest:
    return FlightRequest(
        id=f"{kind}/{start.id}",
        start=f"starts/{start.id}.npz",
        intrinsics=source.intrinsics(start).tolist(),
        seed=source.protocol.seed_of(start),
        steps=steps,
        pose=source.poses(start)[0].ravel().tolist(),
        poses=poses.reshape(-1, 12).tolist() if poses is not None else None,
        speed=source.protocol.header.generation.speed,
    )


def fly_request(method: Method, request: Path, frames: Path) -> None:
    """Fly all flights of a request folder; those whose folder exists are done already.

    Raises:
        MethodFailure: the method raised, or its frames are not what was asked for; names the flight and the step.
    """
    record = read_json(request / REQUEST_FILE)
    told = record["setting"]
    setting = Setting(**{**told, "checkpoint": Path(told["checkpoint"]) if told["checkpoint"] else None})
    flights = [FlightRequest(**values) for values in record["flights"]]
    left = [flight for flight in flights if not (frames / flight.id).is_dir()]
    try:
        method.setup(setting)
    except Exception as error:
        raise MethodFailure(f"setup: {_said(error)}", remedy="See its log") from error
    with bar("flights", len(left), "flight") as advance:
        for flight in left:
            with np.load(request / flight.start) as archive:
                rgbd = archive["rgbd"]
            _fly(method, flight, rgbd, frames, setting)
            advance()


def _fly(method: Method, flight: FlightRequest, rgbd: np.ndarray, frames: Path, setting: Setting) -> None:
    scratch = frames / ".partial" / flight.id
    if scratch.exists():
        shutil.rmtree(scratch)
    scratch.mkdir(parents=True)
    recorder = Recorder(flight.fly(rgbd[3]), flight.steps)
    for step, frame in enumerate(_frames(method, flight, rgbd, recorder), start=1):
        try:
            check_frame(frame, setting.height, setting.width, f"{flight.id}: step {step}")
        except MethodFailure:
            keep_refused(frame, frames)
            raise
        write_image(scratch / frame_name(step), frame)
    write_flown(scratch / CAMERAS_FILE, flight, np.stack(recorder.poses))
    publish_folder(scratch, frames / flight.id)


def _frames(
    method: Method, flight: FlightRequest, rgbd: np.ndarray, recorder: Recorder
) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The method's frames, as many as asked for; whatever it raises becomes a :class:`MethodFailure`."""

    # Called at the first frame, so that a generate() that returns no frames fails like one that yields bad ones.
    def made() -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        yield from method.generate(rgbd.copy(), np.array(flight.intrinsics), recorder, flight.seed)

    frames = made()
    for step in range(1, flight.steps + 1):
        try:
            frame = next(frames, None)
        except Exception as error:
            raise MethodFailure(f"{flight.id}: step {step}: {_said(error)}", remedy="See its log") from error
        if frame is None:
            raise MethodFailure(
                f"{flight.id}: made {step - 1} of {flight.steps} frames", remedy="Yield one frame per step"
            )
        if len(recorder.poses) != step + 1:
            raise MethodFailure(
                f"{flight.id}: step {step}: asked for {len(recorder.poses) - 1} poses",
                remedy="Call flight.next_pose once per frame",
            )
        yield frame


def check_frame(frame: object, height: int, width: int, where: str) -> None:
    """Refuse a frame that is not uint8 ``[h, w, 3]``.

    Raises:
        MethodFailure: it is another kind of array; says which.
    """
    found = np.asarray(frame)
    what = None
    if found.dtype.kind == "f" and not np.isfinite(found).all():
        what = "has values that are not finite (NaN)"
    elif found.dtype != np.uint8:
        what = f"is {found.dtype}, not uint8"
    elif found.shape != (height, width, 3):
        what = f"has shape {list(found.shape)}, not {[height, width, 3]}"
    if what:
        raise MethodFailure(f"{where} {what}", remedy="Yield uint8 RGB frames of the protocol's size")


def _said(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def write_flown(path: Path, flight: FlightRequest, poses: Float[np.ndarray, "n 3 4"]) -> None:
    """Write the commanded cameras, start first, as a camera file whose times are the steps."""
    count = len(poses)
    intrinsics = np.tile(np.array(flight.intrinsics), (count, 1))
    write_cameras(path, Cameras(flight.id, np.arange(count, dtype=np.int64), intrinsics, poses))


def generate(spec: Spec, source: Source, folder: Path, setting: Setting, time_limit_s: float) -> Path:
    """Run a method on a protocol; returns the folder of frames. An interrupted run resumes.

    Raises:
        MethodFailure: see :func:`fly_request` and :func:`.methods.run_command`.
    """
    request, frames = folder / "request", folder / "frames"
    os.makedirs(frames, exist_ok=True)
    flights = write_request(source, request, planned=spec.command is not None, setting=setting)
    if spec.trusted:
        fly_request(instance_of(spec), request, frames)
    else:
        run_command(spec, request, frames, time_limit_s)
    for flight in flights:
        cameras = frames / flight.id / CAMERAS_FILE
        if flight.poses is not None and cameras.parent.is_dir():  # replaces any that the method wrote
            write_flown(cameras, flight, np.array(flight.poses).reshape(-1, 3, 4))
    shutil.rmtree(frames / ".partial", ignore_errors=True)
    shutil.rmtree(request / "starts")
    return frames
