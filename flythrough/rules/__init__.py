"""One rule system for acquire, curate and sfm.

A rule is one class: its docstring says what it drops, its fields are its settings with their defaults, and ``reject``
gives the reason to drop an item, or None. The rest follows from the class: the keys in ``flythrough.toml``, the order
in which rules are asked, the report's histograms, and the table in the docs (``python -m flythrough.rules STAGE``).

    class Dusty(ShotRule):
        \"\"\"Dust on the lens.\"\"\"

        max_specks: float = at_most(12, "specks", "a frame", "dark spots that stay", why="clean lenses show up to 5")
"""

from .rule import Limit, Measures, MissingMeasure, Mode, Rule, at_least, at_most, mode, number
from .section import RuleSection, Verdict

__all__ = [
    "Limit", "Measures", "MissingMeasure", "Mode", "Rule", "RuleSection", "Verdict", "at_least", "at_most", "mode",
    "number",
]  # fmt: skip
