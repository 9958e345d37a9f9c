"""The schema of ``results.json``: scores, and all that they were computed from."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError

from ..errors import InputError, installed_version
from ..workspace.catalog import Row, Workspace
from ..workspace.files import JsonObject, write_json
from ..workspace.names import Name
from ..workspace.printing import one_line
from ..workspace.stage import Section
from .strict_json import read_strict_json, strict_json

SCHEMA_VERSION = 1
LIBRARIES = (
    "numpy",
    "torch",
    "torchvision",
    "torch-fidelity",
    "lpips",
    "scikit-image",
    "opencv-python-headless",
    "pycolmap",
)


class Value(Section):
    """One number of the table; ``results.parquet`` has a row for each."""

    metric: str = Field(description="metric, with its network where it has one")
    step: int | None = Field(default=None, description="flight step; null: all")
    value: float | None = Field(default=None, description="null where there is none: see note")
    low: float | None = Field(default=None, description="lower end of the 95 % bootstrap interval over starts")
    high: float | None = Field(default=None, description="upper end")
    n: int = Field(default=0, description="images or pairs behind the value")
    floor: float | None = Field(default=None, description="real frames against other real frames")
    ranked: bool = Field(default=False, description="may be ranked")
    note: str | None = Field(default=None, description="why it is missing or not ranked")


class Replicates(Section):
    """Bootstrap replicates of one value, for paired comparisons with other methods.

    Two results with the same ``drawn`` have drawn the same starts in every replicate.
    """

    drawn: str = Field(description="hash over the starts in order, the seed and the number of replicates")
    starts: int = Field(ge=2, description="starts that were drawn from")
    values: tuple[FiniteFloat, ...] = Field(
        min_length=2, description="the metric when the drawn starts are all there are"
    )


class _Record(BaseModel):
    """Declared fields are checked; others are kept as they are."""

    model_config = ConfigDict(frozen=True, extra="allow", allow_inf_nan=False)


class ProtocolRecord(_Record):
    """What a result was flown on."""

    name: Name = Field(description="name and version")
    hash: str = Field(description="of the whole protocol")
    scoring_version: int = Field(default=1, ge=1, description="of the recipe of flights and scores, part of the hash")
    held_out: bool = Field(default=True, description="no start comes from a clip that may be trained on")
    height: int | None = Field(default=None, description="pixels")
    width: int | None = Field(default=None, description="pixels")
    starts: int | None = Field(default=None, description="how many")
    flights: int | None = Field(default=None, description="starts of generation flights")
    steps: int | None = Field(default=None, description="of a generation flight")
    left_out: dict[str, str] = Field(default_factory=dict, description="clips without a start, and why")


class MethodRecord(_Record):
    """The method whose frames were scored: its spec."""

    name: Name = Field(description="of the method")


class Result(Section):
    """Everything about one method on one protocol."""

    schema_version: Literal[1] = Field(default=1, description="of this file")
    status: Literal["scored", "failed"] = Field(description="failed: the method did not make all its frames")
    failure: str | None = Field(default=None, description="what happened")
    protocol: ProtocolRecord = Field(description="what was flown")
    method: MethodRecord = Field(description="its spec")
    weights: dict[str, str] = Field(
        default_factory=dict, description="SHA-256 of all weights behind the numbers, by use"
    )
    frames_sha256: dict[str, str] = Field(default_factory=dict, description="of each flight's frames")
    follows_camera: bool | None = Field(default=None, description="null: could not be measured")
    follow_note: str | None = Field(default=None, description="why it does not follow, or was not measured")
    values: tuple[Value, ...] = Field(default=(), description="the numbers")
    starts: dict[str, dict[str, float | None]] = Field(default_factory=dict, description="raw values of each start")
    replicates: dict[Annotated[str, Field(pattern=r"^[^@]+(@[0-9]{1,9})?$")], Replicates] = Field(
        default_factory=dict, description="bootstrap over starts of the metrics that rank: METRIC or METRIC@STEP"
    )
    curves: dict[str, tuple[tuple[int, float], ...]] = Field(
        default_factory=dict, description="(step, value); of a window, its last step"
    )
    not_measured: dict[str, str] = Field(default_factory=dict, description="metrics of the protocol left out, and why")
    settings: JsonObject = Field(default_factory=dict, description="of the scoring: replicates, seeds, kernels")
    code: JsonObject = Field(default_factory=dict, description="version, commit, dirty")
    libraries: dict[str, str] = Field(default_factory=dict, description="versions")
    hardware: JsonObject = Field(default_factory=dict, description="processor, cores, device")
    seconds: dict[str, float] = Field(default_factory=dict, description="time taken: generate, score")


def write_result(result: Result, path: Path) -> None:
    """Write a ``results.json``, atomically."""
    write_json(path, result.model_dump(mode="json"))


def read_result(path: Path) -> Result:
    """Read and check a ``results.json``. Types are not converted: a number in quotes is refused.

    Raises:
        InputError: missing, of another version, malformed, or against a limit of :mod:`.strict_json`.
    """
    return _result(read_strict_json(path)[0], str(path))


def result_from(content: bytes, name: str) -> Result:
    """As :func:`read_result`, from the bytes of a file called ``name``, such as one in an archive.

    Raises:
        InputError: as :func:`read_result`.
    """
    return _result(strict_json(content, name)[0], name)


def _result(text: str, name: str) -> Result:
    try:
        return Result.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_input=False, include_context=False)[0]
        what = one_line(": ".join((".".join(map(str, first["loc"])) or "the file", first["msg"])))
        raise InputError(
            f"{name} is not a results file of version {SCHEMA_VERSION}: {what}",
            remedy="Take the file that flythrough evaluate wrote, or score again",
        ) from error


def results_behind(workspace: Workspace, rows: Iterable[Row]) -> list[Result]:
    """The results files that rows of ``results`` come from; missing files are left out."""
    files = dict.fromkeys(row["results_file"] for row in rows if row["results_file"])
    return [read_result(workspace / file) for file in files if (workspace / file).is_file()]


def rows_of(result: Result, results_file: str | None) -> list[Row]:
    """The rows of ``results.parquet``."""
    common = {
        "protocol": result.protocol.name,
        "protocol_hash": result.protocol.hash,
        "method": result.method.name,
        "source": "measured",
        "results_file": results_file,
    }
    return [{**common, **value.model_dump()} for value in result.values]


def provenance(device: str) -> JsonObject:
    """``code``, ``libraries`` and ``hardware`` of a result made here and now."""
    return {"code": _code(), "libraries": _libraries(), "hardware": _hardware(device)}


def _code() -> JsonObject:
    folder = Path(__file__).parent

    def git(*arguments: str) -> str | None:
        try:
            found = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=10)
        except (OSError, subprocess.TimeoutExpired):
            return None
        return found.stdout.strip() if found.returncode == 0 else None

    if git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        # Installed inside somebody else's repository.
        return {"version": installed_version(), "commit": None, "dirty": None}
    changed = git("status", "--porcelain", "--untracked-files=no")
    return {
        "version": installed_version(),
        "commit": git("rev-parse", "HEAD"),
        "dirty": None if changed is None else bool(changed),
    }


def _libraries() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _hardware(device: str) -> JsonObject:
    return {"device": device, "machine": platform.machine(), "processor": platform.processor(), "cores": os.cpu_count()}
