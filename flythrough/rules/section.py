"""A stage's rules as a section of its config, and what they say of an item."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, TypeVar

from ..workspace.stage import Section
from .rule import Limit, Measures, MissingMeasure, Rule

R = TypeVar("R", bound=Rule)


class Verdict(NamedTuple):
    """What the rules say of an item: why it is dropped (None: kept), and why rules that only score would drop it."""

    reason: str | None
    scored: list[str]


class RuleSection(Section):
    """Rules, in the order they are asked: ``class Rules(RuleSection, family=ShotRule)`` has a field for each subclass
    of ``ShotRule`` defined so far, in the order of their definitions."""

    def __init_subclass__(cls, family: type[Rule] | None = None, **options: Any) -> None:
        super().__init_subclass__(**options)
        for rule in family.__subclasses__() if family else ():
            cls.__annotations__[rule.name()] = rule
            setattr(cls, rule.name(), rule())

    @classmethod
    def __pydantic_init_subclass__(cls, family: type[Rule] | None = None, **options: Any) -> None:
        super().__pydantic_init_subclass__(**options)

    def __getitem__(self, kind: type[R]) -> R:
        """The settings of one rule, typed."""
        found = getattr(self, kind.name())
        assert isinstance(found, kind)
        return found

    @classmethod
    def kinds(cls) -> Iterator[type[Rule]]:
        """The rules' classes, in the order they are asked."""
        for field in cls.model_fields.values():
            if isinstance(field.annotation, type) and issubclass(field.annotation, Rule):
                yield field.annotation

    @classmethod
    def limits(cls) -> list[Limit]:
        """Every threshold of every rule, in that order."""
        return [limit for kind in cls.kinds() for limit in kind.limits()]

    def threshold(self, limit: Limit) -> float:
        """The value a limit is set to."""
        return float(getattr(getattr(self, limit.rule), limit.setting))

    def judge(self, measures: Measures, *, without: tuple[type[Rule], ...] = ()) -> Verdict:
        """Ask every rule of one item; the first enforced one that objects gives the reason.

        Args:
            measures: what was measured of it.
            without: rules that are not asked.

        Raises:
            MissingMeasure: an enforced rule needs a figure that is not there.
        """
        scored: list[str] = []
        for kind in self.kinds():
            rule = self[kind]
            if rule.mode == "off" or kind in without:
                continue
            try:
                reason = rule.reject(measures)
            except MissingMeasure:
                if rule.mode == "enforce":
                    raise
                continue  # nothing depends on it
            if reason and rule.mode == "enforce":
                return Verdict(reason, scored)
            scored += [reason] if reason else []
        return Verdict(None, scored)
