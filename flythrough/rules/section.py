"""A stage's rules as a section of its config, and their verdict on an item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple, Self, TypeVar

from pydantic import model_validator

from ..workspace.stage import Section
from .rule import Limit, Measures, MissingMeasure, Rule

R = TypeVar("R", bound=Rule)


class Verdict(NamedTuple):
    """The rules' verdict on an item: why it is dropped (None: kept), and why rules that only score would drop it."""

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

    @model_validator(mode="before")
    @classmethod
    def _place(cls, values: object) -> object:
        """A setting that only one rule has may stand without the rule's name: ``quality.min_points = 30``."""
        if not isinstance(values, dict):
            return values
        homes = Counter(setting for kind in cls.kinds() for setting in kind.model_fields)
        placed = dict(values)
        for kind in cls.kinds():
            table = placed.get(kind.name(), {})
            short = [key for key in kind.model_fields if key in values and homes[key] == 1]
            if not short or not isinstance(table, dict):
                continue
            if twice := sorted(set(table) & set(short)):
                raise ValueError(f"{', '.join(twice)} is given twice, with its rule ({kind.name()}) and without")
            placed[kind.name()] = table | {key: placed.pop(key) for key in short}
        return placed

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

    def only(self, *kinds: type[Rule]) -> Self:
        """The same settings with all other rules off."""
        others = [kind for kind in self.kinds() if kind not in kinds]
        return self.model_copy(update={kind.name(): self[kind].model_copy(update={"mode": "off"}) for kind in others})

    def judge(self, measures: Measures, *, partial: bool = False) -> Verdict:
        """Apply every rule to one item; the first enforced rule that rejects it gives the reason.

        Args:
            measures: the item's figures.
            partial: some figures are not measured (yet): a rule that lacks one is skipped.

        Raises:
            MissingMeasure: not ``partial``, and an enforced rule lacks a figure.
        """
        scored: list[str] = []
        for kind in self.kinds():
            rule = self[kind]
            if rule.mode == "off":
                continue
            try:
                reason = rule.reject(measures)
            except MissingMeasure:
                if rule.mode == "enforce" and not partial:
                    raise
                continue
            if reason and rule.mode == "enforce":
                return Verdict(reason, scored)
            scored += [reason] if reason else []
        return Verdict(None, scored)
