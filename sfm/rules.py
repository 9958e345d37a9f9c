"""The rules on shots and on their posed pieces, in the order they apply."""

from __future__ import annotations

from flythrough.rules import Measures, Rule, RuleSection, at_least, at_most, number


class ClipRule(Rule):
    """A rule on the figures of a shot or of a posed piece of it. To add one, write a subclass here."""


class NoMotion(ClipRule):
    """The picture hardly moves between the keyframes furthest apart."""

    static: float = at_least(
        0.01, "travel", "widths", "motion of the picture over the shot", reason="static", ge=0,
        why="a choice: 6 pixels in 640",
    )  # fmt: skip


class Rotation(ClipRule):
    """Turning or zooming explains the motion of the picture, so it shows no depth."""

    rotation_share: float = at_most(
        0.85, "share", "", "share of the matches that a rotation and a zoom explain", gt=0, le=1,
        why="a choice: depth must show in 15 % of the matches",
    )  # fmt: skip

    def reject(self, measures: Measures) -> str | None:
        """``zoom`` if that is the larger part of the motion, else ``rotation``."""
        if number(measures, "share") < self.rotation_share:
            return None
        return "zoom" if number(measures, "zoom") > number(measures, "turn") else "rotation"


class FewFramesPosed(ClipRule):
    """Most of the shot's frames have no pose, all its pieces together."""

    min_registered: float = at_least(
        0.5, "registered", "", "posed share of a shot's frames", why="a choice: else most of it is lost", ge=0, le=1
    )


class FewPoints(ClipRule):
    """Too few points hold a frame."""

    min_points: int = at_least(
        30, "points", "", "median number of points a frame", why="a choice: a pose takes 12 at least", ge=6
    )


class ShortTracks(ClipRule):
    """Points are seen too briefly to be trusted."""

    min_track: float = at_least(
        2.5, "track", "keyframes", "mean number of keyframes that see a point", ge=2,
        why="a choice: two views alone cannot confirm a point",
    )  # fmt: skip


class NoParallax(ClipRule):
    """Rays are too parallel to determine depth."""

    min_angle_deg: float = at_least(
        0.75, "angle_deg", "deg", "median largest angle between two rays of a point", ge=0,
        why="a choice: a pixel in 640 is about a seventh of it",
    )  # fmt: skip


class FieldOfView(ClipRule):
    """A field of view that no drone's camera has."""

    min_fov_deg: float = at_least(
        30.0, "fov_deg", "deg", "field of view across the wider side", why="a choice: a long zoom", gt=0, lt=180
    )
    max_fov_deg: float = at_most(
        110.0, "fov_deg", "deg", "field of view across the wider side", why="a choice: a fisheye", gt=0, lt=180
    )


class ReprojectionError(ClipRule):
    """Points do not land where they were seen."""

    max_error_px: float = at_most(
        2.0, "error_px", "px", "mean reprojection error at 640 pixels of width", why="a choice", gt=0
    )


class Contradiction(ClipRule):
    """Pictures that had no say in the poses contradict them, and no repair helped."""

    min_agreeing: float = at_least(
        0.75, "agreeing", "", "share of the freshly matched pairs of which most matches obey the poses", ge=0, le=1,
        why="a choice: sound clips have 1, so a quarter is the margin",
    )  # fmt: skip
    max_epipolar_px: float = at_most(
        1.5, "epipolar_px", "px", "median distance of fresh matches to their epipolar lines", gt=0,
        why="a choice: half the error that a match may have",
    )  # fmt: skip


class Jump(ClipRule):
    """The camera leaps off its path, or flips. Photos need not follow one: they have no such figures."""

    max_jump: float = at_most(3.0, "jump", "median steps", "distance from the smoothed path", why="a choice", gt=0)
    max_swing_deg: float = at_most(
        10.0, "swing_deg", "deg", "turn away from the smoothed path", gt=0, why="a choice: no drone turns so in a frame"
    )


class Rules(RuleSection, family=ClipRule):
    """When a shot or a posed piece of it is dropped."""
