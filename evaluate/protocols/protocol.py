"""A protocol: what is flown and what it is compared with, frozen as a TOML header and a JSON index under one hash."""

from __future__ import annotations

import tomllib
from functools import cached_property
from importlib.resources import files as package_files
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import Field, ValidationError, model_validator

from flythrough.errors import InputError
from flythrough.results.metrics import METRICS, names
from flythrough.workspace.files import content_key, read_json, write_text
from flythrough.workspace.names import Name
from flythrough.workspace.stage import Section

from .power import Power
from .recipe import Recipe

SHIPPED = ("acid-v1", "sample-v1", "sample-v2")
# Raise it with every change that moves a score for the same protocol and method: the autopilot that flies, the draw of
# real frames and floors, a metric's definition. Set it in the shipped protocols, too, and list the change here.
#   1: protocols without a scoring_version
#   2: the autopilot climbs over the ground that the start frame shows; real side and floor are of different videos
SCORING_VERSION = 2
TIMES_FROM_CLIP = "every clip.steps-th frame after the start frame"


class ViewSynthesis(Section):
    """Frames along the recorded camera path against the recorded frames."""

    steps: tuple[int, ...] = Field(
        default=(5, 10), description="steps after the start frame at which frames are compared"
    )

    seen: bool = Field(
        default=False, description="also over only those pixels that the start frame shows (psnr_seen, ssim_seen, ...)"
    )

    revisit: int = Field(
        default=0,
        ge=0,
        description="steps out along the recorded path and back to the start frame, to compare with it; 0: not flown",
    )

    @property
    def longest(self) -> int:
        """The last step that is compared; 0 if there is none."""
        return max(self.steps, default=0)

    @model_validator(mode="after")
    def _within_recorded(self) -> Self:
        if self.revisit > self.longest:
            raise ValueError(f"revisit is {self.revisit}, farther than the longest of steps ({self.longest})")
        return self


class Generation(Section):
    """Flights beyond the recorded views, compared with a set of real frames."""

    steps: int = Field(default=100, ge=1, description="steps a flight")
    flight: Literal["autopilot", "plan"] = Field(
        default="autopilot",
        description="who steers: the autopilot, by the disparity the method sees, or poses in the index",
    )
    speed: float = Field(default=0.2, gt=0, description="distance per step, scene units")
    window: int = Field(default=20, ge=1, description="steps per sliding window (FID_sw)")
    style_steps: int = Field(default=50, ge=1, description="steps over which the style distance to the start is taken")
    sfm_flights: int = Field(
        default=10, ge=0, description="flights, the first ones, whose camera structure from motion looks for"
    )


class Sets(Section):
    """Distances between sets of frames."""

    networks: tuple[Literal["inception", "lite0"], ...] = Field(
        default=("inception", "lite0"),
        description="feature networks; what has no weights here is not measured, and said so",
    )
    reference_frames: int = Field(default=50_000, ge=2, description="most real frames on the real side")
    floor_frames: int = Field(
        default=50_000, ge=2, description="most other real frames, for the real-against-real floor"
    )
    kid_subsets: int = Field(default=100, ge=1, description="random subsets of a kernel distance")
    kid_subset_size: int = Field(default=1000, ge=2, description="images per subset; at most the smaller set's size")
    kid_seed: int = Field(default=2020, description="of the subsets")


class Header(Section):
    """A protocol's settings."""

    name: Name = Field(description="name with its version, e.g. acid-v1")
    scoring_version: int = Field(
        default=SCORING_VERSION,
        ge=1,
        description="of the recipe of flights and scores; those of another do not compare",
    )
    about: str = Field(description="what it is, in a sentence")
    held_out: bool = Field(description="no start comes from a clip that may be trained on")
    height: int = Field(ge=32, description="pixels of every frame")
    width: int = Field(ge=32, description="pixels of every frame")
    resize: Literal["area"] = Field(default="area", description="kernel that brings recorded frames to this size")
    seed: int = Field(default=0, description="root of the seeds given to methods, one per start")
    view_synthesis: ViewSynthesis = Field(default=ViewSynthesis(), description="see there")
    generation: Generation = Field(default=Generation(), description="see there")
    sets: Sets = Field(default=Sets(), description="see there")
    recipe: Recipe | None = Field(default=None, description="how its clips are filmed; null: they are recorded")


class Start(Section):
    """Where a flight starts; ``frame`` is null, and ``why`` says the reason, for a clip that is left out."""

    clip: Name = Field(description="clip id")
    frame: int | None = Field(description="start frame")
    why: str | None = Field(default=None, description="why the clip is left out")
    sha256: str | None = Field(
        default=None, description="of the clip's folder; null where the clip is not ours to freeze"
    )
    recorded: tuple[int, ...] | None = Field(
        default=None,
        description=f"frame at step 1, 2, ...; null: {TIMES_FROM_CLIP}; empty: no view synthesis from here",
    )
    intrinsics: tuple[float, ...] | None = Field(default=None, description="fx fy cx cy; null: the clip's")
    poses: tuple[tuple[float, ...], ...] | None = Field(
        default=None, description="cam_from_world, row by row, at the start and the recorded frames; null: the clip's"
    )
    generation: bool = Field(default=True, description="a generation flight starts here")
    plan: tuple[tuple[float, ...], ...] | None = Field(
        default=None, description="poses of a planned flight, start first"
    )

    @property
    def id(self) -> str:
        """Unique within a protocol, safe as a file name."""
        return f"{self.clip}-{self.frame:06d}"


class Index(Section):
    """A protocol's starts and real frames."""

    starts: tuple[Start, ...] = Field(description="in order")
    reference: dict[str, tuple[int, ...]] | None = Field(
        description="real frames by clip; null: drawn from all clips of the starts by the seed"
    )
    floor: dict[str, tuple[int, ...]] | None = Field(description="real frames that are not in reference")


class Protocol(Section):
    """A header and an index, and the power of its starts."""

    header: Header = Field(description="settings")
    index: Index = Field(description="starts and real frames")
    power: tuple[Power, ...] = Field(default=(), description="what its starts tell apart; not part of the hash")

    @cached_property
    def hash(self) -> str:
        """SHA-256 over header and index, hex."""
        record = self.model_dump(mode="json", exclude={"power"})
        # Settings that came later: protocols without them keep their hash.
        if self.header.scoring_version == 1:
            del record["header"]["scoring_version"]
        if not self.header.view_synthesis.revisit:
            del record["header"]["view_synthesis"]["revisit"]
        if self.header.recipe is None:
            del record["header"]["recipe"]
        return content_key("flythrough protocol 1", record)

    @property
    def name(self) -> str:
        """Name and version, such as ``sample-v1``."""
        return self.header.name

    @property
    def starts(self) -> list[Start]:
        """The starts that are flown; clips that are left out are not among them."""
        return [start for start in self.index.starts if start.frame is not None]

    def view_starts(self) -> list[Start]:
        """The starts that view synthesis is measured from."""
        return [start for start in self.starts if start.recorded is None or start.recorded]

    def generation_starts(self) -> list[Start]:
        """The starts of long flights."""
        return [start for start in self.starts if start.generation]

    @property
    def longest_flight(self) -> int:
        """Steps of the longest flight that a method is asked for."""
        view = self.header.view_synthesis
        return max(self.header.generation.steps, view.longest, 2 * view.revisit)

    def starts_by_metric(self) -> dict[str, int]:
        """Number of starts behind each metric that ranks, by ``METRIC`` or ``METRIC@STEP``."""
        flights = {name: len(self.generation_starts()) for name in METRICS if METRICS[name].needs_following}
        views = {
            f"{name}@{step}": sum(start.recorded is None or len(start.recorded) >= step for start in self.starts)
            for name in names("view synthesis")
            for step in self.header.view_synthesis.steps
        }
        return flights | views

    def seed_of(self, start: Start) -> int:
        """The seed that every method is given for this start."""
        return int(content_key(self.header.seed, start.id)[:8], 16) % 2**31


def as_pose(values: object) -> np.ndarray:
    """Twelve numbers of the index as ``[3, 4]``."""
    return np.array(values, dtype=np.float64).reshape(3, 4)


def require_current(protocol: Protocol) -> None:
    """Refuse to score by a protocol of another scoring version: this version's scores would not compare with its own.

    Raises:
        InputError: it is of another one; says how to get on.
    """
    stated = protocol.header.scoring_version
    if stated == SCORING_VERSION:
        return
    remedy = f"Freeze it again (protocol build), or write scoring_version = {SCORING_VERSION} into its .toml"
    if stated > SCORING_VERSION:
        remedy = "Install a newer flythrough"
    raise InputError(
        f"{protocol.name} is of scoring version {stated}, and this flythrough scores by version {SCORING_VERSION}: "
        "the scores would not be comparable",
        remedy=remedy,
    )


def load_protocol(name: str) -> Protocol:
    """A shipped protocol by name, or one from its TOML file (its index is the JSON file beside it).

    Raises:
        InputError: there is none, or it is malformed.
    """
    path = Path(str(package_files("flythrough.evaluate.protocols"))) / f"{name}.toml" if name in SHIPPED else Path(name)
    if path.suffix != ".toml" or not path.is_file():
        raise InputError(
            f"There is no protocol {name!r}", remedy=f"Use {', '.join(SHIPPED)}, or a .toml file (protocol build)"
        )
    try:
        settings = tomllib.loads(path.read_text(encoding="utf-8"))
        power = settings.pop("power", ())
        header = Header.model_validate({"scoring_version": 1} | settings)
        index = Index.model_validate(read_json(path.with_suffix(".json")))
        return Protocol.model_validate({"header": header, "index": index, "power": power})
    except (ValidationError, tomllib.TOMLDecodeError, OSError, ValueError) as error:
        text = " ".join(str(error).split())[:300]
        raise InputError(f"{path} is not a complete protocol: {text}", remedy="Build it again, or fix it") from error


def save_protocol(protocol: Protocol, folder: Path) -> Path:
    """Write ``<name>.toml`` and ``<name>.json`` to a folder; returns the TOML's path."""
    import json

    from flythrough.workspace.config import describe

    path = Path(folder) / f"{protocol.name}.toml"
    text = describe({"protocol": protocol.header}).replace("[protocol.", "[").replace("[protocol]\n", "")
    index = protocol.index.model_dump(mode="json", exclude_defaults=True)
    starts = ",\n  ".join(json.dumps(start) for start in index.pop("starts"))
    rest = "".join(f',\n "{key}": {json.dumps(value)}' for key, value in index.items())
    write_text(path.with_suffix(".json"), f'{{"starts": [\n  {starts}\n ]{rest}\n}}\n')
    write_text(path, f"# SHA-256 of the whole protocol: {protocol.hash}\n{text}{_power_text(protocol)}")
    return path


def _power_text(protocol: Protocol) -> str:
    """The protocol's power, as tables of the TOML file."""
    import tomlkit

    if not protocol.power:
        return ""
    tables = tomlkit.dumps({"power": [each.model_dump(mode="json") for each in protocol.power]})
    return f"\n# what the starts tell apart, measured on earlier results; not part of the hash\n{tables}"
