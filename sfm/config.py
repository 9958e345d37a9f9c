"""Settings of sfm/, a section a module."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from flythrough.stage import Section


class FramesConfig(Section):
    """Which frames of a shot are decoded, and at what size."""

    max_fps: float = Field(30.0, gt=0, description="decode at most this many frames a second of a shot")
    max_frames: int = Field(600, ge=3, description="decode at most this many frames of a shot, evenly spread")
    min_frames: int = Field(5, ge=3, description="drop shots and clips with fewer frames")
    rows: int = Field(384, ge=160, description="height of a clip's stored frames at most, pixels; the aspect is kept")
    work_px: int = Field(1280, ge=160, description="longer side of the pictures that are matched at most, pixels")


class KeyframesConfig(Section):
    """Choice of the frames that are matched and mapped, by how far the picture has moved."""

    motion: float = Field(0.04, gt=0, description="median motion of the picture between keyframes, widths")
    least: int = Field(16, ge=3, description="keyframes a shot at least, where it has as many frames")
    most: int = Field(64, ge=3, description="keyframes a shot at most")
    max_fps: float = Field(8.0, gt=0, description="keyframes a second at most (a cap)")
    min_fps: float = Field(1.0, gt=0, description="keyframes a second at least (a floor)")


class FeaturesConfig(Section):
    """Features on keyframes and matches between them."""

    kind: Literal["sift", "aliked"] = Field("sift", description="sift, or aliked where its weights are installed")
    count: int = Field(2000, ge=100, description="features a keyframe at most")
    overlap: int = Field(6, ge=1, description="match each keyframe with as many following ones")
    loops: int = Field(2, ge=0, description="match each keyframe with as many look-alikes further away")
    ratio: float = Field(0.85, gt=0, le=1, description="best over second-best descriptor distance at most")
    min_matches: int = Field(20, ge=8, description="verified matches a pair of keyframes at least")


class MappingConfig(Section):
    """Structure from motion on the keyframes."""

    focal: float = Field(
        0.8, gt=0.1, lt=10, description="focal length where no metadata gives it, widths (0.8: 64 deg)"
    )
    enough: float = Field(
        0.9,
        gt=0,
        le=1,
        description="share of keyframes in the global model below which the incremental mapper is tried too",
    )
    track_points: int = Field(250, ge=50, description="points tracked into each frame between keyframes")


class QualityConfig(Section):
    """When a trajectory is dropped."""

    min_registered: float = Field(0.5, ge=0, le=1, description="posed share of a shot's frames, all its clips together")
    max_error_px: float = Field(2.0, gt=0, description="mean reprojection error at 640 pixels of width")
    min_track: float = Field(2.5, ge=2, description="mean number of keyframes that see a point")
    min_points: int = Field(30, ge=6, description="median number of points a frame")
    min_angle_deg: float = Field(0.75, ge=0, description="median largest angle between two rays of a point")
    min_fov_deg: float = Field(30.0, gt=0, lt=180, description="field of view across the wider side")
    max_fov_deg: float = Field(110.0, gt=0, lt=180, description="field of view across the wider side")
    max_jump: float = Field(3.0, gt=0, description="distance from the smoothed path, median steps of the path")
    static: float = Field(0.01, ge=0, description="picture motion over the shot below which it is static, widths")
    rotation_share: float = Field(
        0.85,
        gt=0,
        le=1,
        description="share of matches that rotation and zoom explain, above which there is no parallax",
    )


class ScaleConfig(Section):
    """The common scale and the subsampling to the training speed."""

    training_speed: float = Field(0.2, gt=0, description="camera motion a training step, in the common scale")
    positions: int = Field(11, ge=2, description="leave at least this many positions after subsampling where possible")


class DisparityConfig(Section):
    """Where disparity comes from and how it is fitted."""

    provider: Literal["sfm", "depth-anything-v2", "dpt", "midas"] = Field(
        "sfm", description="sfm needs no weights; the others are networks"
    )
    model: str | None = Field(None, description="folder or hub name of the network's weights; null: the provider's own")
    device: str = Field("auto", description="where the network runs: auto, cpu, cuda")
    smoothing: float = Field(
        12.0, gt=0, description="sfm: how far a point's disparity spreads, pixels of the solving grid"
    )
    edge: float = Field(0.03, gt=0, description="sfm: colour difference (0 to 1) across which disparity may break")
    max_fit_error: float = Field(0.25, gt=0, description="networks: median relative error of the fit to the points")
    max_refused: float = Field(0.1, ge=0, le=1, description="networks: share of frames whose fit may be refused")


class SplitsConfig(Section):
    """Shares of the videos. Splits follow from a hash of the video, so they stay when videos are added."""

    validation: float = Field(0.1, ge=0, lt=1, description="share of videos for validation")
    test: float = Field(0.2, ge=0, lt=1, description="share of videos for test")
    near_duplicate_bits: int = Field(
        6, ge=0, description="videos whose perceptual hashes differ by at most so many of 64 bits share a split"
    )

    @model_validator(mode="after")
    def _leaves_some(self) -> SplitsConfig:
        if self.validation + self.test >= 1:
            raise ValueError("validation + test must be below 1, or nothing is left to train on")
        return self


class SfmConfig(Section):
    """Camera poses, scale and disparity. Fields kept out of the task keys: ``images`` and ``splits``."""

    images: Path | None = Field(
        None, exclude=True, description="folder of photos taken as one shot, one second apart, besides the shots table"
    )
    seed: int = Field(0, ge=0, description="seed of every random choice")
    time_limit_s: float = Field(600.0, gt=0, description="a shot that takes longer is an error")
    frames: FramesConfig = FramesConfig()
    keyframes: KeyframesConfig = KeyframesConfig()
    features: FeaturesConfig = FeaturesConfig()
    mapping: MappingConfig = MappingConfig()
    quality: QualityConfig = QualityConfig()
    scale: ScaleConfig = ScaleConfig()
    disparity: DisparityConfig = DisparityConfig()
    splits: SplitsConfig = Field(SplitsConfig(), exclude=True, description="train, validation, test")
