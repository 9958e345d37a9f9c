"""The table of a stage's rules for the docs."""

from __future__ import annotations

from ..errors import InputError
from ..workspace.stage import load_stage
from .rule import Rule
from .section import RuleSection


def sections(stage: str) -> list[type[RuleSection]]:
    """The rule sections in a stage's config.

    Raises:
        InputError: the stage has none.
    """
    annotations = [field.annotation for field in load_stage(stage).config.model_fields.values()]
    found = [kind for kind in annotations if isinstance(kind, type) and issubclass(kind, RuleSection)]
    if not found:
        raise InputError(f"{stage} has no rules", remedy="Stages with rules are acquire, curate and sfm")
    return found


def markdown_table(rules: type[RuleSection]) -> str:
    """One line per setting of each rule, in the order in which rules are asked."""
    lines = ["| rule | drops | measure | kept where | why | mode |", "|---|---|---|---|---|---|"]
    lines += [f"| {' | '.join(cells)} |" for kind in rules.kinds() for cells in _cells(kind)]
    return "\n".join(lines)


def _cells(kind: type[Rule]) -> list[list[str]]:
    limits = {limit.setting: limit for limit in kind.limits()}
    rows = []
    for setting, field in kind.model_fields.items():
        if setting == "mode":
            continue
        limit = limits.get(setting)
        if limit is None:
            rows.append(["", f"`{setting}` = {_shown(field.default)}", field.description or ""])
        else:
            sign, unit = ("≥" if limit.least else "≤"), f" {limit.unit}" if limit.unit else ""
            rows.append([f"`{limit.measure}`", f"`{setting}` {sign} {limit.default:g}{unit}", limit.why])
    title = " ".join((kind.__doc__ or "").split()).partition(". ")[0].rstrip(".")
    heads = [[f"`{kind.name()}`", title, kind.model_fields["mode"].default]]
    heads += [["", "", ""]] * (len(rows) - 1)
    return [[name, title, *row, mode] for (name, title, mode), row in zip(heads, rows or [[""] * 3], strict=True)]


def _shown(value: object) -> str:
    """A default as a reader would write it; a list as its length."""
    if isinstance(value, tuple):
        return f"{len(value)} words"
    return "not set" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
