"""The rules on shots, in the order they are asked; the first that objects gives the reason.

Lengths in a picture are in picture widths, so that they are independent of resolution. "Good" below is footage to be
kept (the canyon clip, a generated flight, moving takes of the sample world): benchmarks/curate_sweep.py measures it.
"""

from __future__ import annotations

from pydantic import Field

from flythrough.rules import Measures, Mode, Rule, RuleSection, at_least, at_most, mode, number


class ShotRule(Rule):
    """A rule on one shot's measures. To add one, write a subclass here, where it is to be asked."""


class Short(ShotRule):
    """Too little to reconstruct."""

    min_s: float = at_least(
        1.0, "length_s", "s", "length of a shot", why="a choice; good takes have 3 s and more", ge=0
    )
    min_frames: int = at_least(8, "frames", "", "number of frames", why="a choice; sfm wants at least 5", ge=1)


class Exposure(ShotRule):
    """Too dark or too bright to see anything."""

    min_brightness: float = at_least(
        0.08, "brightness", "", "mean luma", why="good footage 0.43-0.77, film from 0.07", reason="dark", ge=0, le=1
    )
    max_brightness: float = at_most(
        0.93, "brightness", "", "mean luma", why="good footage up to 0.77", reason="bright", ge=0, le=1
    )


class Bars(ShotRule):
    """Bars leave too little picture."""

    min_picture_area: float = at_least(
        0.5, "picture_area", "share", "part of the frame inside the bars", why="wide-screen film 0.76", ge=0, le=1
    )


class Untracked(ShotRule):
    """Nothing that holds still: fog, black, open water, animation of flat colours."""

    min_tracked: float = at_least(
        0.3, "tracked", "share", "points that can be followed, median", why="good footage 0.61 and more", ge=0, le=1
    )
    min_firm: float = at_least(
        0.25, "firm", "share", "points that look as they did half a second before", ge=0, le=1,
        why="good footage 0.30 and more; waves up to 0.20",
    )  # fmt: skip


class Still(ShotRule):
    """The camera stands (a tripod, a hover, a title card)."""

    min_shift_widths: float = at_least(
        0.014, "shift_widths", "widths", "way of the picture between two frames of the shot, of what keeps its look",
        why="slow flights of 2-3 s 0.019 and more; hand-held surf 0.010", ge=0,
    )  # fmt: skip


class Lost(ShotRule):
    """Points are lost before they have moved far enough to show geometry."""

    min_windows: int = at_least(
        1, "windows", "", "number of frame pairs that show geometry", why="later rules need one", ge=0
    )


class Blurred(ShotRule):
    """Out of focus, or enlarged from something small."""

    max_blur: float = at_most(
        0.72, "blur", "", "blur, 0 sharp .. 1 no detail (Crete et al.)", ge=0, le=1,
        why="good footage up to 0.31, film up to 0.66",
    )  # fmt: skip


class Shaky(ShotRule):
    """Held in a hand, or a broken gimbal."""

    max_shake_widths_s2: float = at_most(
        1.5, "shake_widths_s2", "widths/s²", "median acceleration of the image", gt=0,
        why="good footage up to 0.16, shaken takes 4.1",
    )  # fmt: skip


class NoParallax(ShotRule):
    """Pure rotation or zoom: no geometry can be had. What is flat, far or slow is left to sfm."""

    min_translation: float = at_least(
        0.07, "translation", "share", "image motion that no rotation and zoom explains", ge=0, le=1,
        why="flights 0.12 and more; turns and zooms up to 0.04, through a distorting lens too",
    )  # fmt: skip


class Moving(ShotRule):
    """Much in the picture moves by itself."""

    max_moving_area: float = at_most(
        0.5, "moving_area", "share", "points off the epipolar geometry", why="good footage up to 0.32", ge=0, le=1
    )


class Overlay(ShotRule):
    """Writing, logos or instruments over much of the picture; smaller ones are masked (shots.overlay_file)."""

    max_overlay_area: float = at_most(
        0.06, "overlay_area", "share", "part of the picture burnt over", why="good footage up to 0.002", ge=0, le=1
    )
    max_text_area: float = at_most(
        0.012, "text_area", "share", "part of the picture under writing, median", ge=0, le=1,
        why="good footage 0; a watermark 0.007, a word over the picture 0.020",
    )  # fmt: skip


class Sky(ShotRule):
    """Hardly anything but sky."""

    mode: Mode = mode("score")  # coasts are full of it
    max_sky: float = at_most(0.75, "sky", "share", "part that is sky", why="good footage up to 0.19", ge=0, le=1)


class Water(ShotRule):
    """Open water: hardly any land, and much that moves by itself."""

    min_land: float = at_least(
        0.22,
        "land",
        "share",
        "land in what is not sky",
        why="good footage 0.42 and more, open sea 0.12-0.16",
        ge=0,
        le=1,
    )
    max_moving_area: float = Field(
        default=0.12, ge=0, le=1, description="greatest share of points off the epipolar geometry where land is less"
    )

    def reject(self, measures: Measures) -> str | None:
        """Without the motion, snow in the shade would look the same."""
        if number(measures, "land") >= self.min_land:
            return None
        return self.name() if number(measures, "moving_area") > self.max_moving_area else None


class People(ShotRule):
    """Small things that move by themselves: people, cars, birds."""

    mode: Mode = mode("score")  # coasts are full of them
    max_small_movers: float = at_most(
        6.0, "small_movers", "a frame pair", "mean number of points that move alone", why="good footage up to 6", ge=0
    )


class NotNature(ShotRule):
    """Not nature seen from outdoors. Expensive, so it comes last."""

    min_nature: float = at_least(
        0.1, "nature", "", "mean probability of ImageNet's coast, cliff, valley, sea animal, ... classes", ge=0, le=1,
        why="good footage 0.41 and more, a lighthouse 0.12; a city 0.10, rooms up to 0.01",
    )  # fmt: skip
    max_built: float = at_most(
        0.35, "built", "", "mean probability of ImageNet's buildings, bridges, cranes, streets and road vehicles", ge=0,
        le=1, why="good footage up to 0.10; a city at night 0.55, a street 0.88",
    )  # fmt: skip


class Duplicate(ShotRule):
    """The same shot once more, in this or another video; asked when all others have passed."""

    max_distance_bits: int = Field(default=6, ge=0, le=24, description="greatest distance of 64-bit perceptual hashes")

    def reject(self, measures: Measures) -> str | None:
        """``duplicate_of`` is found by :func:`find_duplicates`, over all shots."""
        return self.name() if measures.get("duplicate_of") else None


class Rules(RuleSection, family=ShotRule):
    """The rules, in the order they are asked; the first that objects gives the reason."""
