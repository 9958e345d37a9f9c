"""A rule: settings, limits and a verdict, declared as one class."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, SupportsFloat

from pydantic import Field
from pydantic.config import JsonDict

from ..errors import FlythroughError
from ..workspace.files import JsonObject
from ..workspace.stage import Section

Measures = Mapping[str, object]  # measured figures by name; absent or None: not measured
Mode = Literal["enforce", "score", "off"]
_MODES = "enforce: drop; score: only report what it would drop; off"


class MissingMeasure(FlythroughError):
    """A rule asks for a figure that could not be computed: an error of that item, never a verdict."""

    kind = "measure"


def number(measures: Measures, name: str) -> float:
    """A measured figure.

    Raises:
        MissingMeasure: it was not measured.
    """
    value = measures.get(name)
    # Plain numbers are asked for first: isinstance with a typing.Protocol such as SupportsFloat is slow.
    if not isinstance(value, (float, int)) and not isinstance(value, SupportsFloat):
        raise MissingMeasure(
            f"{name} could not be measured", remedy="Set the rule that needs it to off, or drop such items earlier"
        )
    return float(value)


@dataclass(frozen=True)
class Limit:
    """A threshold on one measure, as a rule's field declares it.

    Attributes:
        rule: name of the rule.
        setting: the rule's field; its default is ``default``.
        measure: what is compared with it, in ``unit`` (empty for a plain number).
        least: True: smaller values are dropped; False: larger ones.
        meaning: the measure, in words.
        why: where the default comes from.
        reason: the reason that a dropped item is given.
    """

    rule: str
    setting: str
    default: float
    measure: str
    unit: str
    least: bool
    meaning: str
    why: str
    reason: str

    def exceeded(self, measures: Measures, threshold: float) -> bool:
        """Whether the figure lies on the side that is dropped.

        Raises:
            MissingMeasure: it was not measured.
        """
        value = number(measures, self.measure)
        return value < threshold if self.least else value > threshold


def at_least(
    default: float, measure: str, unit: str, meaning: str, *, why: str, reason: str = "", **bounds: float
) -> Any:
    """Declare a field of a rule: the least value of a measure that is kept.

    Args:
        default: the threshold.
        measure: name of the figure.
        unit: of the figure; empty for a plain number.
        meaning: the figure, in words.
        why: where the default comes from.
        reason: the reason that a dropped item is given; by default the rule's name.
        bounds: limits of the setting, as ``pydantic.Field`` takes them (``ge``, ``le``, ...).
    """
    return _limit(default, measure, unit, meaning, True, why, reason, bounds)


def at_most(
    default: float, measure: str, unit: str, meaning: str, *, why: str, reason: str = "", **bounds: float
) -> Any:
    """As :func:`at_least`, for the greatest value that is kept."""
    return _limit(default, measure, unit, meaning, False, why, reason, bounds)


def _limit(
    default: float, measure: str, unit: str, meaning: str, least: bool, why: str, reason: str, bounds: JsonObject
) -> Any:
    side = "least" if least else "greatest"
    said = f"{side} {meaning}" + (f", {unit}" if unit else "") + f"; {why}"
    declared: JsonDict = {
        "measure": measure,
        "unit": unit,
        "meaning": meaning,
        "least": least,
        "why": why,
        "reason": reason,
    }
    return Field(default=default, description=said, json_schema_extra=declared, **bounds)


def mode(default: Mode) -> Any:
    """The field ``mode`` of a rule that by default only scores, or is off."""
    return Field(default=default, description=_MODES)


class Rule(Section):
    """Base of every rule. A subclass declares its settings as fields, and ``reject`` where limits are not enough."""

    mode: Mode = mode("enforce")

    @classmethod
    @cache
    def name(cls) -> str:
        """Its key in the config, and the reason it gives by default: ``NoParallax`` is ``no_parallax``."""
        return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()

    @classmethod
    @cache
    def limits(cls) -> tuple[Limit, ...]:
        """Its thresholds, in the order of its fields."""
        found = []
        for setting, field in cls.model_fields.items():
            if isinstance(said := field.json_schema_extra, dict) and "measure" in said:
                declared: JsonObject = {**said, "reason": said["reason"] or cls.name()}
                found.append(Limit(rule=cls.name(), setting=setting, default=field.default, **declared))
        return tuple(found)

    def keyed(self) -> JsonObject:
        """As :meth:`Section.keyed`; of a rule that is off, only that: its other settings change nothing."""
        return {"mode": "off"} if self.mode == "off" else super().keyed()

    def reject(self, measures: Measures) -> str | None:
        """Reason to drop an item, or None to keep it; by default that of the first limit exceeded.

        Raises:
            MissingMeasure: a figure that it needs was not measured.
        """
        for limit in self.limits():
            if limit.exceeded(measures, getattr(self, limit.setting)):
                return limit.reason
        return None
