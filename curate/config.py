"""Settings of this stage. Lengths in a picture are in picture widths, so that they are independent of resolution."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from flythrough.workspace.stage import Section

from .rules import Rules


class Shots(Section):
    """How a video is cut into shots."""

    detector: Literal["cascade", "cheap", "transnet"] = Field(
        default="cascade",
        description="cascade: TransNetV2 only where the cheap detector is uncertain; transnet: everywhere",
    )
    max_network_share: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="largest share of frames that the cascade shows to TransNetV2; raise it, up to 1, on a GPU",
    )
    margin_frames: int = Field(
        default=1, ge=0, le=30, description="frames trimmed from a shot at each cut or transition"
    )
    max_s: float = Field(default=30.0, gt=1, description="longer shots are split, seconds")


class CurateConfig(Section):
    """Which shots are worth training on."""

    unkeyed: ClassVar[frozenset[str]] = frozenset({"rules", "time_limit_s"})  # rules are applied again in every run

    shots: Shots = Shots()
    rules: Rules = Rules()
    working_px: int = Field(
        default=256, ge=96, le=640, description="longer side of the frames that are measured, pixels"
    )
    track_hz: float = Field(default=15.0, gt=0, le=60, description="rate at which points are followed, frames a second")
    sample_every_s: float = Field(default=0.5, gt=0, description="seconds between frames measured at full size")
    nature_frames: int = Field(default=4, ge=1, le=32, description="frames of a shot that EfficientNet-Lite0 sees")
    writing_frames: int = Field(default=3, ge=1, le=32, description="frames of a shot that the text detector sees")
    time_limit_s: float | None = Field(default=None, gt=0, description="a video that takes longer is an error, seconds")
