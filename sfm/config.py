"""Settings of sfm/, one section per module."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, model_validator

from flythrough.workspace.stage import Section

from .rules import Rules


class FramesConfig(Section):
    """Which frames of a shot are decoded, and at what size."""

    max_fps: float = Field(default=30.0, gt=0, description="decode at most this many frames per second of a shot")
    max_frames: int = Field(default=600, ge=3, description="decode at most this many frames of a shot, evenly spread")
    min_frames: int = Field(default=5, ge=3, description="drop shots and clips with fewer frames")
    rows: int = Field(
        default=384, ge=160, description="height of a clip's stored frames at most, pixels; the aspect is kept"
    )
    work_px: int = Field(
        default=1280, ge=160, description="longer side of the pictures that are matched at most, pixels"
    )


class KeyframesConfig(Section):
    """Choice of the frames that are matched and mapped, by how far the picture has moved."""

    motion: float = Field(default=0.04, gt=0, description="median motion of the picture between keyframes, widths")
    least: int = Field(default=16, ge=3, description="keyframes per shot at least, if it has as many frames")
    most: int = Field(default=64, ge=3, description="keyframes per shot at most, unless too little would overlap")
    max_fps: float = Field(default=8.0, gt=0, description="keyframes per second at most")
    min_fps: float = Field(default=1.0, gt=0, description="keyframes per second at least")


class FeaturesConfig(Section):
    """Features on keyframes and matches between them."""

    count: int = Field(
        default=2000,
        ge=100,
        description="features per keyframe of 640 x 360 at most; larger pictures get more, up to 3 times",
    )
    overlap: int = Field(default=4, ge=1, description="match each keyframe with this many following ones")
    loops: int = Field(default=2, ge=0, description="match each keyframe with this many similar ones further away")
    photo_loops: int = Field(default=10, ge=0, description="the same, where the keyframes are photos of a folder")
    ratio: float = Field(default=0.8, gt=0, le=1, description="best over second-best descriptor distance at most")
    min_matches: int = Field(default=16, ge=8, description="verified matches per pair of keyframes at least")


class MappingConfig(Section):
    """Structure from motion on the keyframes."""

    focal: float = Field(
        default=0.8, gt=0.1, lt=10, description="focal length where no metadata gives it, widths (0.8: 64 deg)"
    )
    enough: float = Field(
        default=0.9,
        gt=0,
        le=1,
        description="try the incremental mapper too if the global one poses a smaller share of the keyframes",
    )
    min_points: int = Field(default=30, ge=6, description="points of a model at least; smaller ones are discarded")
    track_points: int = Field(default=1000, ge=50, description="points tracked into each frame between keyframes")


class ScaleConfig(Section):
    """The common scale and the subsampling to the training speed."""

    training_speed: float = Field(default=0.2, gt=0, description="camera motion per training step, in the common scale")
    positions: int = Field(
        default=11, ge=2, description="leave at least this many positions after subsampling where possible"
    )


class DisparityConfig(Section):
    """Where disparity comes from and how it is fitted."""

    unkeyed: ClassVar[frozenset[str]] = frozenset({"device"})

    provider: Literal["sfm", "depth-anything-v2-small", "dpt-large", "midas"] = Field(
        default="sfm", description="the others are networks and need weights"
    )
    model: str | None = Field(
        default=None,
        description="folder or hub name (OWNER/NAME@COMMIT) of the network's weights; null: the provider's own",
    )
    device: str = Field(default="auto", description="where the network runs: auto, cpu, cuda")
    smoothing: float = Field(default=12.0, gt=0, description="sfm: how far a point's disparity spreads, grid pixels")
    edge: float = Field(
        default=0.03, gt=0, description="sfm: colour difference (0 to 1) across which disparity may break"
    )
    max_fit_error: float = Field(
        default=0.25, gt=0, description="networks: median relative error of the fit to the points"
    )
    max_refused: float = Field(
        default=0.1, ge=0, le=1, description="networks: share of frames whose fit may be refused"
    )


class SplitsConfig(Section):
    """Shares of the videos. Splits follow from a hash of the video, so they stay when videos are added."""

    validation: float = Field(default=0.1, ge=0, lt=1, description="share of videos for validation")
    test: float = Field(default=0.2, ge=0, lt=1, description="share of videos for test")
    near_duplicate_bits: int = Field(
        default=6, ge=0, description="videos that differ in at most this many of 64 hash bits share a split"
    )

    @model_validator(mode="after")
    def _leaves_some(self) -> SplitsConfig:
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must be below 1, or nothing is left to train on")
        return self


class SfmConfig(Section):
    """Camera poses, scale and disparity."""

    unkeyed: ClassVar[frozenset[str]] = frozenset({"images", "quality", "splits", "time_limit_s"})

    images: Path | None = Field(default=None, description="folder of photos taken as one shot, one second apart")
    seed: int = Field(default=0, ge=0, description="seed of every random choice")
    time_limit_s: float = Field(default=600.0, gt=0, description="a shot that takes longer is an error")
    frames: FramesConfig = FramesConfig()
    keyframes: KeyframesConfig = KeyframesConfig()
    features: FeaturesConfig = FeaturesConfig()
    mapping: MappingConfig = MappingConfig()
    quality: Rules = Field(default=Rules(), description="when a shot or a posed piece of it is dropped")
    scale: ScaleConfig = ScaleConfig()
    disparity: DisparityConfig = DisparityConfig()
    splits: SplitsConfig = Field(default=SplitsConfig(), description="train, validation, test")
