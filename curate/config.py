"""Settings of this stage. Lengths in a picture are in picture widths, so that they mean the same at any resolution."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flythrough.workspace.stage import Section

Mode = Literal["enforce", "score", "off"]
MODES = "enforce: drop shots; score: only report what it would drop; off"


class Rule(Section):
    """What every rule has."""

    mode: Mode = Field(default="enforce", description=MODES)


class ShortRule(Rule):
    """Too little to reconstruct."""

    min_s: float = Field(default=1.0, ge=0, description="least length of a shot, seconds")
    min_frames: int = Field(default=8, ge=1, description="least length of a shot, frames")


class UntrackedRule(Rule):
    """Nothing that holds still: fog, black, open water, animation of flat colours."""

    min_tracked: float = Field(
        default=0.3, ge=0, le=1, description="least share of points that can be followed, median"
    )


class StillRule(Rule):
    """The camera stands (a tripod, a hover, a title card)."""

    min_travel_widths: float = Field(
        default=0.04, ge=0, description="least image motion over the whole shot, picture widths"
    )
    min_speed_widths_s: float = Field(
        default=0.006, ge=0, description="least median image motion, picture widths a second"
    )


class LostRule(Rule):
    """Points are lost before they have moved far enough to show geometry."""

    min_windows: int = Field(default=1, ge=0, description="least number of frame pairs that show geometry")


class ShakyRule(Rule):
    """Held in a hand, or a broken gimbal."""

    max_shake_widths_s2: float = Field(
        default=1.5, gt=0, description="greatest median acceleration of the image, picture widths a second squared"
    )


class ParallaxRule(Rule):
    """Pure rotation or zoom: no geometry can be had."""

    min_parallax: float = Field(
        default=0.13, ge=0, le=1, description="least share of points that no one homography carries along"
    )


class MovingRule(Rule):
    """Much in the picture moves by itself."""

    max_moving_area: float = Field(
        default=0.5, ge=0, le=1, description="greatest share of points off the epipolar geometry"
    )


class BlurRule(Rule):
    """Out of focus, or enlarged from something small."""

    max_blur: float = Field(
        default=0.72, ge=0, le=1, description="greatest blur, 0 sharp .. 1 no detail (Crete et al.)"
    )


class ExposureRule(Rule):
    """Too dark or too bright to see anything."""

    min_brightness: float = Field(default=0.08, ge=0, le=1, description="least mean luma, 0..1")
    max_brightness: float = Field(default=0.93, ge=0, le=1, description="greatest mean luma, 0..1")


class BarsRule(Rule):
    """Bars leave too little picture."""

    min_picture_area: float = Field(default=0.5, ge=0, le=1, description="least share of the frame inside the bars")


class OverlayRule(Rule):
    """Writing, logos or instruments over much of the picture; smaller ones are masked (shots.overlay_file)."""

    max_overlay_area: float = Field(default=0.06, ge=0, le=1, description="greatest share of the picture burnt over")


class SkyRule(Rule):
    """Hardly anything but sky."""

    mode: Mode = Field(default="score", description=MODES)
    max_sky: float = Field(default=0.75, ge=0, le=1, description="greatest share of sky")


class WaterRule(Rule):
    """Open water: hardly any land, and much that moves by itself."""

    min_land: float = Field(default=0.22, ge=0, le=1, description="least share of land in what is not sky")
    max_moving_area: float = Field(
        default=0.12, ge=0, le=1, description="greatest share of points off the epipolar geometry where land is less"
    )


class PeopleRule(Rule):
    """Small things that move by themselves: people, cars, birds."""

    mode: Mode = Field(default="score", description=MODES)
    max_small_movers: float = Field(
        default=6.0, ge=0, description="greatest mean number of points that move alone, a frame pair"
    )


class NatureRule(Rule):
    """Not nature seen from outdoors."""

    min_nature: float = Field(
        default=0.1, ge=0, le=1, description="least mean probability of ImageNet's coast, cliff, valley, ... classes"
    )


class DuplicateRule(Rule):
    """The same shot once more, in this or another video."""

    max_distance_bits: int = Field(default=6, ge=0, le=24, description="greatest distance of 64-bit perceptual hashes")


class Rules(Section):
    """The rules, in the order they are asked; the first that objects gives the reason."""

    short: ShortRule = ShortRule()
    exposure: ExposureRule = ExposureRule()
    bars: BarsRule = BarsRule()
    untracked: UntrackedRule = UntrackedRule()
    still: StillRule = StillRule()
    lost: LostRule = LostRule()
    blurred: BlurRule = BlurRule()
    shaky: ShakyRule = ShakyRule()
    no_parallax: ParallaxRule = ParallaxRule()
    moving: MovingRule = MovingRule()
    overlay: OverlayRule = OverlayRule()
    sky: SkyRule = SkyRule()
    water: WaterRule = WaterRule()
    people: PeopleRule = PeopleRule()
    not_nature: NatureRule = NatureRule()
    duplicate: DuplicateRule = DuplicateRule()


class Shots(Section):
    """How a video is cut into shots."""

    detector: Literal["cascade", "cheap", "transnet"] = Field(
        default="cascade",
        description="cascade: TransNetV2 only where the cheap detector is unsure; transnet: everywhere",
    )
    max_network_share: float = Field(
        default=0.02,
        ge=0,
        le=1,
        description="greatest share of frames that the cascade shows to TransNetV2; raise it, up to 1, on a GPU",
    )
    margin_frames: int = Field(
        default=1, ge=0, le=30, description="frames trimmed from a shot at each cut or transition"
    )
    max_s: float = Field(default=30.0, gt=1, description="longer shots are split, seconds")


class CurateConfig(Section):
    """Which shots are worth training on."""

    shots: Shots = Shots()
    rules: Rules = Rules()
    working_px: int = Field(
        default=256, ge=96, le=640, description="longer side of the frames that are measured, pixels"
    )
    track_hz: float = Field(default=15.0, gt=0, le=60, description="rate at which points are followed, frames a second")
    sample_every_s: float = Field(default=0.5, gt=0, description="seconds between frames measured at full size")
    nature_frames: int = Field(default=4, ge=1, le=32, description="frames of a shot that EfficientNet-Lite0 sees")
    time_limit_s: float | None = Field(default=None, gt=0, description="a video that takes longer is an error, seconds")
