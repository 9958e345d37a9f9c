"""The rules: each a pure function from a shot's measures to a reason to drop it, or None to keep it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from flythrough.errors import FlythroughError

from . import config as c

Measures = Mapping[str, Any]


class MissingMeasure(FlythroughError):
    """A rule asks for a figure that could not be computed: an error of that shot, never a verdict."""

    kind = "measure"


def _get(measures: Measures, name: str) -> float:
    value = measures.get(name)
    if value is None:
        raise MissingMeasure(
            f"{name} could not be measured", remedy="Set the rule that needs it to off, or drop such shots earlier"
        )
    return float(value)


def reject_short(measures: Measures, rule: c.ShortRule) -> str | None:
    """Too few frames or seconds."""
    short = _get(measures, "length_s") < rule.min_s or _get(measures, "frames") < rule.min_frames
    return "short" if short else None


def reject_exposure(measures: Measures, rule: c.ExposureRule) -> str | None:
    """Too dark or too bright."""
    brightness = _get(measures, "brightness")
    return "dark" if brightness < rule.min_brightness else "bright" if brightness > rule.max_brightness else None


def reject_bars(measures: Measures, rule: c.BarsRule) -> str | None:
    """Mostly bars."""
    return "bars" if _get(measures, "picture_area") < rule.min_picture_area else None


def reject_untracked(measures: Measures, rule: c.UntrackedRule) -> str | None:
    """Nothing to follow."""
    return "untracked" if _get(measures, "tracked") < rule.min_tracked else None


def reject_lost(measures: Measures, rule: c.LostRule) -> str | None:
    """Points are lost before they have moved far enough to show geometry."""
    return "lost" if _get(measures, "windows") < rule.min_windows else None


def reject_still(measures: Measures, rule: c.StillRule) -> str | None:
    """A camera that stands."""
    slow = _get(measures, "speed_widths_s") < rule.min_speed_widths_s
    return "still" if slow or _get(measures, "travel_widths") < rule.min_travel_widths else None


def reject_blurred(measures: Measures, rule: c.BlurRule) -> str | None:
    """Not sharp."""
    return "blurred" if _get(measures, "blur") > rule.max_blur else None


def reject_not_nature(measures: Measures, rule: c.NatureRule) -> str | None:
    """No landscape."""
    return "not_nature" if _get(measures, "nature") < rule.min_nature else None


def reject_shaky(measures: Measures, rule: c.ShakyRule) -> str | None:
    """Shaken."""
    return "shaky" if _get(measures, "shake_widths_s2") > rule.max_shake_widths_s2 else None


def reject_no_parallax(measures: Measures, rule: c.ParallaxRule) -> str | None:
    """Only rotation or zoom."""
    return "no_parallax" if _get(measures, "parallax") < rule.min_parallax else None


def reject_moving(measures: Measures, rule: c.MovingRule) -> str | None:
    """Too much moves."""
    return "moving" if _get(measures, "moving_area") > rule.max_moving_area else None


def reject_overlay(measures: Measures, rule: c.OverlayRule) -> str | None:
    """Writing or instruments over much of the picture."""
    return "overlay" if _get(measures, "overlay_area") > rule.max_overlay_area else None


def reject_sky(measures: Measures, rule: c.SkyRule) -> str | None:
    """Hardly anything but sky."""
    return "sky" if _get(measures, "sky") > rule.max_sky else None


def reject_water(measures: Measures, rule: c.WaterRule) -> str | None:
    """Open water; without the motion, snow in the shade would look the same."""
    if _get(measures, "land") >= rule.min_land:
        return None
    return "water" if _get(measures, "moving_area") > rule.max_moving_area else None


def reject_people(measures: Measures, rule: c.PeopleRule) -> str | None:
    """Small things that move by themselves."""
    return "people" if _get(measures, "small_movers") > rule.max_small_movers else None


RULES: dict[str, Callable[[Measures, Any], str | None]] = {
    "short": reject_short,
    "exposure": reject_exposure,
    "bars": reject_bars,
    "untracked": reject_untracked,
    "still": reject_still,
    "lost": reject_lost,
    "blurred": reject_blurred,
    "shaky": reject_shaky,
    "no_parallax": reject_no_parallax,
    "moving": reject_moving,
    "overlay": reject_overlay,
    "sky": reject_sky,
    "water": reject_water,
    "people": reject_people,
    "not_nature": reject_not_nature,  # the dear one, so it comes last and is not measured where another objects
}  # in the order of config.Rules; duplicates look across shots and are in duplicates.py


@dataclass(frozen=True)
class Limit:
    """A threshold of a rule, for histograms and for how sure a decision is."""

    rule: str
    measure: str
    setting: str
    least: bool  # True: smaller is dropped


LIMITS = (
    Limit("short", "length_s", "min_s", True),
    Limit("exposure", "brightness", "min_brightness", True),
    Limit("exposure", "brightness", "max_brightness", False),
    Limit("bars", "picture_area", "min_picture_area", True),
    Limit("untracked", "tracked", "min_tracked", True),
    Limit("still", "speed_widths_s", "min_speed_widths_s", True),
    Limit("still", "travel_widths", "min_travel_widths", True),
    Limit("blurred", "blur", "max_blur", False),
    Limit("shaky", "shake_widths_s2", "max_shake_widths_s2", False),
    Limit("no_parallax", "parallax", "min_parallax", True),
    Limit("moving", "moving_area", "max_moving_area", False),
    Limit("overlay", "overlay_area", "max_overlay_area", False),
    Limit("sky", "sky", "max_sky", False),
    Limit("water", "land", "min_land", True),
    Limit("people", "small_movers", "max_small_movers", False),
    Limit("not_nature", "nature", "min_nature", True),
)


def judge(measures: Measures, rules: c.Rules) -> tuple[str | None, list[str]]:
    """Ask every rule of one shot.

    Returns:
        The first reason of an enforced rule, or None; and the reasons of rules that only score.

    Raises:
        MissingMeasure: an enforced rule needs a figure that is not there.
    """
    scored = []
    for name, reject in RULES.items():
        rule = getattr(rules, name)
        if rule.mode == "off":
            continue
        if rule.mode == "score":
            try:
                reason = reject(measures, rule)
            except MissingMeasure:
                continue  # nothing hangs on it
            scored += [reason] if reason else []
        elif reason := reject(measures, rule):
            return reason, scored
    return None, scored
