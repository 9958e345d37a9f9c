"""Finding methods and running them: a Python class, or any command in an environment of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
from pydantic import Field, model_validator

from flythrough.errors import FlythroughError, InputError
from flythrough.workspace.names import Name
from flythrough.workspace.stage import Section
from flythrough.workspace.worker import WALL_CLOCK_FACTOR, processor_seconds

from .supervise import NOT_STARTED

GROUP = "flythrough.methods"
REAL = "real"
NEEDS_CHECKPOINT = "checkpoint"
WEIGHTS = "weights:"  # before a name of flythrough weights list, in a spec's checkpoint
_CHECK_S = 0.2  # seconds between checks of the limit


_HELD: dict[str, tuple[Any, str]] = {}  # by name: an instance, and what tells it from those of other calls


class MethodFailure(FlythroughError):
    """A method crashed, hung, or made frames that are not what the protocol asks for; ``frame`` is the first such."""

    kind = "method"
    frame: Path | None = None


class Spec(Section):
    """A method's description and how it is run; reading one imports nothing."""

    name: Name = Field(pattern="^[a-z0-9][a-z0-9._-]*$", description="lower case, as in tables")
    about: str = Field(default="", description="one line")
    citation: str = Field(default="", description="paper or page")
    entry_point: str | None = Field(default=None, description="module:Class with setup and generate")
    command: tuple[str, ...] | None = Field(
        default=None, description="program and arguments; {request} and {frames} become the two folders"
    )
    needs: tuple[str, ...] = Field(default=(), description="checkpoint (the workspace's newest), cuda, ...")
    checkpoint: str | None = Field(
        default=None, description="folder of its checkpoint, relative to the spec's file; or weights:NAME, as fetched"
    )
    environment: str = Field(default="", description="how to make the environment it runs in")
    code: str = Field(default="", description="where its code is")
    weights: str = Field(default="", description="where its weights are")
    folder: str | None = Field(default=None, description="where the command runs; by default beside the spec's file")
    handed_in: bool = Field(default=False, description="its frames were handed in: there is nothing to run")
    trusted: bool = Field(default=False, description="runs in this process: the baselines of this package")

    @model_validator(mode="after")
    def _one_way(self) -> Spec:
        ways = (self.entry_point is not None) + (self.command is not None) + self.handed_in + (self.name == REAL)
        if ways != 1:
            raise ValueError("give either entry_point or command")
        return self


_BASELINES = {
    "render-only": ("RenderOnly", "warps the last frame, fills nothing"),
    "render-inpaint": ("RenderInpaint", "warps, and fills holes with OpenCV's Telea inpainting"),
    "layered": ("Layered", "multiplane image of the start frame, inpainted layers"),
    "static": ("Static", "the start frame, repeated: flies nowhere"),
    "zoom": ("Zoom", "the start frame as one plane: a homography"),
}
BUILT_IN: dict[str, Spec] = {
    name: Spec(name=name, about=about, entry_point=f"flythrough.evaluate.methods.baselines:{cls}", trusted=True)
    for name, (cls, about) in _BASELINES.items()
} | {REAL: Spec(name=REAL, about="recorded frames against other recorded frames: the floor", trusted=True)}


def find_specs(names: Iterable[str]) -> list[Spec]:
    """The methods of these names: baselines, entry points of the group ``flythrough.methods``, or paths of TOML specs.

    Raises:
        InputError: there is no such method; two have one name.
    """
    points = {point.name: point for point in entry_points(group=GROUP)}
    specs = [_find(name, points) for name in names]
    seen = [spec.name for spec in specs]
    if doubled := sorted({name for name in seen if seen.count(name) > 1}):
        raise InputError(f"There are two methods called {doubled[0]}", remedy="Rename one of them")
    return specs


def _find(name: str, points: dict[str, EntryPoint]) -> Spec:
    if name in BUILT_IN:
        return BUILT_IN[name]
    if name in _HELD:
        kind = type(_HELD[name][0])
        return Spec(name=name, entry_point=f"{kind.__module__}:{kind.__qualname__}", trusted=True)
    if name.endswith(".toml"):
        return read_spec(Path(name))
    if name in points:
        return installed(points[name])
    known = ", ".join([*BUILT_IN, *sorted(points)])
    raise InputError(f"There is no method {name!r}", remedy=f"Use one of: {known}; or the path of a .toml spec")


def installed(point: EntryPoint) -> Spec:
    """An entry point's spec: ``NAME.toml`` beside its class's module if there is one. The class is not imported."""
    found = None
    with suppress(Exception):  # it imports parent packages; a broken one fails when it flies, and then says so
        found = find_spec(point.module)
    if found is not None and found.origin is not None:
        path = Path(found.origin).with_name(f"{point.name}.toml")
        if path.is_file():
            spec = read_spec(path, {"name": point.name, "entry_point": point.value, "folder": None})
            if spec.checkpoint is None or spec.checkpoint.startswith(WEIGHTS):
                return spec
            return spec.model_copy(update={"checkpoint": str(path.parent / spec.checkpoint)})
    return Spec(name=point.name, entry_point=point.value)


def read_spec(path: Path, known: Mapping[str, str | None] | None = None) -> Spec:
    """A method's TOML spec.

    Args:
        path: of the file.
        known: keys that the file does not decide.

    Raises:
        InputError: missing or malformed; names the key.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
        values.pop("trusted", None)
        return Spec(**({"folder": str(path.parent.resolve())} | values | dict(known or {})))
    except (OSError, ValueError, RecursionError) as error:
        text = " ".join(str(error).split())[:300]
        raise InputError(f"{path} is no method spec: {text}", remedy="See docs/evaluate.md, Bring a method") from error


@contextmanager
def held(methods: Mapping[str, object]) -> Iterator[None]:
    """Let instances that were given from Python be found by their names; they fly in this process."""
    if taken := sorted(BUILT_IN.keys() & methods.keys()):
        raise InputError(f"{taken[0]} is the name of a baseline", remedy="Rename the class")
    # What an instance holds cannot be hashed, so each call is another method, which flies anew.
    _HELD.update({name: (method, uuid4().hex) for name, method in methods.items()})
    try:
        yield
    finally:
        for name in methods:
            del _HELD[name]


def token_of(spec: Spec) -> str | None:
    """What tells an instance from those of other calls; None for all other methods."""
    return _HELD[spec.name][1] if spec.trusted and spec.name in _HELD else None


def instance_of(spec: Spec) -> Any:
    """The object of a method that runs in this process."""
    return _HELD[spec.name][0] if spec.name in _HELD else load_class(str(spec.entry_point))


def load_class(entry_point: str) -> Any:
    """An instance of a method's class."""
    return EntryPoint("method", entry_point, GROUP).load()()


def run_command(spec: Spec, request: Path, frames: Path, time_limit_s: float) -> None:
    """Run an external method on a request folder; it ends with all its descendants.

    Args:
        spec: the method.
        request: the request folder.
        frames: folder for its frames.
        time_limit_s: limit on processor time; ten times that by the clock, since other work may share the machine.

    Raises:
        MethodFailure: it did not start, ended with an error, or did not end.
    """
    if spec.command is not None:
        places = {"{request}": str(request.absolute()), "{frames}": str(frames.absolute())}
        # Other braces belong to the command, such as those of a format string.
        command = [re.sub("{request}|{frames}", lambda found: places[found[0]], part) for part in spec.command]
    else:
        command = [
            sys.executable,
            "-m",
            "flythrough.evaluate.generation.host",
            str(spec.entry_point),
            str(request),
            str(frames),
        ]
    environment = dict(os.environ)
    if spec.entry_point is not None and spec.folder is not None:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [spec.folder, environment.get("PYTHONPATH")]))
    folder = spec.folder if spec.command is not None else None
    log = request / "log.txt"
    # The supervisor ends the command and all that it started when we close our end of the pipe, or die.
    lifeline, ours = os.pipe()
    try:
        with open(log, "wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", "flythrough.evaluate.methods.supervise", str(lifeline), *command],
                stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder, env=environment,
                start_new_session=True, pass_fds=(lifeline,),
            )  # fmt: skip
        code = _wait(process, time_limit_s)
    except OSError as error:
        raise MethodFailure(f"{command[0]} does not start: {error}", remedy="Check the spec's command") from error
    finally:
        os.close(ours)
        os.close(lifeline)
        if "process" in locals():
            process.wait()
    if code != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        said = lines[-1] if lines else "it said nothing"
        if code == NOT_STARTED and said.startswith("does not start"):
            raise MethodFailure(f"{command[0]} {said}", remedy="Check the spec's command")
        how = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
        raise MethodFailure(f"{how}: {said}", remedy="Run it on a request folder by hand: flythrough evaluate check")


def _wait(process: subprocess.Popen[bytes], limit_s: float) -> int:
    """Exit code of a process.

    Raises:
        MethodFailure: it is over its limit.
    """
    ends, observed = time.monotonic() + WALL_CLOCK_FACTOR * limit_s, psutil.Process(process.pid)
    while True:
        with suppress(subprocess.TimeoutExpired):
            return process.wait(_CHECK_S)
        with suppress(psutil.Error):
            if processor_seconds(observed) > limit_s:
                what = f"{limit_s:g} s of processor time"
                break
        if time.monotonic() > ends:
            what = f"{WALL_CLOCK_FACTOR * limit_s:g} s"
            break
    raise MethodFailure(f"did not end within {what}", remedy="Raise evaluate.time_limit_s, or fix the method")
