"""The rule system: a rule is declared once, and everything follows."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from flythrough.curate.config import CurateConfig
from flythrough.curate.decide import decide
from flythrough.curate.report import write_report
from flythrough.curate.rules import Rules, ShotRule
from flythrough.errors import InputError
from flythrough.rules import Measures, MissingMeasure, Mode, Rule, RuleSection, at_least, at_most, mode, number
from flythrough.rules.table import markdown_table, sections
from flythrough.workspace.catalog import Workspace, to_json
from flythrough.workspace.config import describe
from flythrough.workspace.stage import Outcome
from tests.curate.test_curate_rules import GOOD

ROOT = Path(__file__).parents[3]


class StoneRule(Rule):
    """A family of its own."""


class TooSmall(StoneRule):
    """Pebbles.

    Only the first sentence is the table's.
    """

    min_kg: float = at_least(2.0, "weight", "kg", "weight of a stone", why="a hand lifts less", ge=0)
    max_kg: float = at_most(9.0, "weight", "kg", "weight of a stone", why="a hand lifts no more", reason="too_heavy")


class Wet(StoneRule):
    """Stones from the sea."""

    mode: Mode = mode("score")
    words: tuple[str, ...] = ("sea", "surf")

    def reject(self, measures: Measures) -> str | None:
        return self.name() if number(measures, "salt") > 0 else None


class Stones(RuleSection, family=StoneRule):
    """Which stones are kept."""


def test_limits_give_their_reason_and_the_first_enforced_rule_decides() -> None:
    stones = Stones()
    assert stones.judge({"weight": 5, "salt": 0}) == (None, [])
    assert stones.judge({"weight": 1, "salt": 1}) == ("too_small", [])
    assert stones.judge({"weight": 10.0, "salt": 1}) == ("too_heavy", [])
    assert stones.judge({"weight": 5, "salt": 1}) == (None, ["wet"])
    assert stones.only(Wet).judge({"weight": 1, "salt": 0}) == (None, [])
    assert stones.only(Wet).keyed() == {"too_small": {"mode": "off"}, "wet": stones[Wet].keyed()}
    assert Stones.model_validate({"too_small": {"min_kg": 0.5}}).judge({"weight": 1, "salt": 0}).reason is None


def test_a_missing_figure_is_an_error_only_where_something_depends_on_it() -> None:
    assert Stones().judge({"weight": 5}) == (None, [])  # wet only scores
    assert Stones().judge({"weight": 5, "salt": None}) == (None, [])
    with pytest.raises(MissingMeasure, match="weight"):
        Stones().judge({"salt": 0})
    assert Stones().judge({"salt": 0}, partial=True) == (None, [])
    with pytest.raises(MissingMeasure, match="salt"):
        Stones.model_validate({"wet": {"mode": "enforce"}}).judge({"weight": 5})


def test_a_value_at_the_threshold_is_kept() -> None:
    for at, beyond in ((2.0, 1.99), (9.0, 9.01)):
        assert Stones().judge({"weight": at}).reason is None
        assert Stones().judge({"weight": beyond}).reason is not None


def test_any_number_is_a_figure() -> None:
    for one in (1, 1.0, np.float32(1), np.int64(1), np.array(1.0), Fraction(1), True):
        assert number({"weight": one}, "weight") == 1.0
    for none in (None, "1", [1.0]):
        with pytest.raises(MissingMeasure, match="weight"):
            number({"weight": none}, "weight")


def test_rules_after_one_that_is_off_or_lacks_its_figure_are_still_asked() -> None:
    enforced = {"wet": {"mode": "enforce"}}
    assert Stones.model_validate({**enforced, "too_small": {"mode": "off"}}).judge({"salt": 1}).reason == "wet"
    assert Stones.model_validate(enforced).judge({"salt": 1}, partial=True).reason == "wet"
    only_scored = Stones.model_validate({"too_small": {"mode": "score"}, "wet": {"mode": "score"}})
    assert only_scored.judge({"salt": 1}) == (None, ["wet"])
    assert only_scored.judge({"salt": 1, "weight": 1}) == (None, ["too_small", "wet"])
    assert only_scored.only(TooSmall).judge({"salt": 1, "weight": 1}) == (None, ["too_small"])


def test_a_short_setting_joins_the_others_of_its_rule() -> None:
    both = Stones.model_validate({"min_kg": 3, "too_small": {"max_kg": 4}, "words": ["lake"]})
    assert (both[TooSmall].min_kg, both[TooSmall].max_kg, both[Wet].words) == (3, 4, ("lake",))
    assert both[Wet].mode == "score"
    assert Stones.model_validate({"words": ["lake"]})[Wet].words == ("lake",)  # the rule before has none


def test_limits_say_what_the_fields_declare() -> None:
    least, most = TooSmall.limits()
    assert (least.rule, least.measure, least.unit, least.default) == ("too_small", "weight", "kg", 2.0)
    assert (least.least, least.reason, most.least, most.reason) == (True, "too_small", False, "too_heavy")
    assert Stones.model_validate({"max_kg": 4}).threshold(most) == 4.0
    assert list(TooSmall.model_fields) == ["mode", "min_kg", "max_kg"]
    assert TooSmall.model_fields["min_kg"].description == "least weight of a stone, kg; a hand lifts less"
    assert TooSmall(mode="off").keyed() == {"mode": "off"}
    assert TooSmall(mode="score").keyed() != TooSmall(mode="score", min_kg=1.0).keyed()


def test_the_section_has_the_rules_in_the_order_of_their_declarations() -> None:
    assert [kind.name() for kind in Stones.kinds()] == ["too_small", "wet"]
    assert [limit.setting for limit in Stones.limits()] == ["min_kg", "max_kg"]
    assert Stones()[TooSmall].min_kg == 2.0
    for wrong in ({"too_small": {"min_kg": -1}}, {"too_small": {"kg": 1}}, {"dry": {}}, {"wet": {"mode": "maybe"}}):
        with pytest.raises(ValidationError):
            Stones.model_validate(wrong)


def test_a_setting_may_stand_without_its_rule() -> None:
    assert Stones.model_validate({"min_kg": 3}) == Stones.model_validate({"too_small": {"min_kg": 3}})
    twice, no_table = {"min_kg": 3, "too_small": {"min_kg": 3}}, {"min_kg": 3, "too_small": 5}
    for wrong in (twice, no_table, {"mode": "off"}):  # the last: of which rule?
        with pytest.raises(ValidationError):
            Stones.model_validate(wrong)


def test_the_docs_table_has_a_line_a_setting() -> None:
    assert markdown_table(Stones).splitlines()[2:] == [
        "| `too_small` | Pebbles | `weight` | `min_kg` ≥ 2 kg | a hand lifts less | enforce |",
        "|  |  | `weight` | `max_kg` ≤ 9 kg | a hand lifts no more |  |",
        "| `wet` | Stones from the sea |  | `words` = 2 words |  | score |",
    ]


def test_the_docs_table_shows_rules_and_defaults_of_every_kind() -> None:
    class PlainRule(Rule):
        """A family of its own."""

    class Hollow(PlainRule):
        """Hollow stones."""

    class Odd(PlainRule):
        """Odd stones, two in one. Rare.

        Not the table's.
        """

        strict: bool = True
        name_of: str | None = None
        share: float = at_least(0.25, "share", "", "share", why="a guess")

    class Plain(RuleSection, family=PlainRule):
        """Two rules."""

    head, line, *rows = markdown_table(Plain).splitlines()
    assert head.count("|") == line.count("|") == 7
    assert rows == [
        "| `hollow` | Hollow stones |  |  |  | enforce |",
        "| `odd` | Odd stones, two in one |  | `strict` = true |  | enforce |",
        "|  |  |  | `name_of` = not set |  |  |",
        "|  |  | `share` | `share` ≥ 0.25 | a guess |  |",
    ]


def test_a_stage_without_rules_has_no_table() -> None:
    with pytest.raises(InputError, match="train has no rules"):
        sections("train")


@pytest.mark.parametrize("stage", ["acquire", "curate", "sfm"])
def test_the_table_in_the_docs_is_that_of_the_declarations(stage: str) -> None:
    page = (ROOT / "docs" / f"{stage}.md").read_text(encoding="utf-8")
    (rules,) = sections(stage)
    found = page.partition(f"flythrough.rules {stage} -->")[2].partition("<!-- /rules -->")[0].strip()
    assert found == markdown_table(rules), f"Update it with: python -m flythrough.rules {stage}"


@pytest.mark.usefixtures("unchecked")  # the stage's section is not the one that its signatures name
def test_a_made_up_rule_is_one_class_and_appears_everywhere(tmp_path: Path) -> None:
    """In the config with its help, in the docs' table, in the verdicts and in the report, without another edit."""

    class Dusty(ShotRule):
        """Dust on the lens."""

        max_specks: float = at_most(12, "specks", "a frame", "dark spots that stay", why="clean lenses show 5", ge=0)

    class MoreRules(RuleSection, family=ShotRule):
        """As the stage's own, which are collected in the same way."""

    class MoreConfig(CurateConfig):
        rules: MoreRules = MoreRules()  # type: ignore[assignment]

    config = MoreConfig()
    text = describe({"curate": config})
    assert "[curate.rules.dusty]" in text
    assert "# greatest dark spots that stay, a frame; clean lenses show 5\nmax_specks = 12" in text
    assert list(MoreRules.model_fields) == [*Rules.model_fields, "dusty"]
    line = "| `dusty` | Dust on the lens | `specks` | `max_specks` ≤ 12 a frame | clean lenses show 5 | enforce |"
    assert line in markdown_table(MoreRules)
    rows = [
        {
            "id": f"v-{i}-{i + 1}", "video_id": "v", "start_frame": 0, "end_frame": 9, "start_us": i, "end_us": i + 1,
            "camera_file": None, "measures": to_json({**GOOD, "hash": f"{id:x}", "specks": specks}),
        }
        for i, (id, specks) in enumerate([(0, 3), (2**63 - 1, 40)])
    ]  # fmt: skip
    workspace = Workspace(tmp_path)
    decided = decide(Outcome(rows=rows), workspace, config)
    assert [(drop["id"], drop["reason"]) for drop in decided.drops] == [("v-1-2", "dusty")]
    assert json.loads(decided.rows[0]["measures"])["specks"] == 3
    page = write_report(decided, workspace, config).read_text(encoding="utf-8")
    assert "specks: histogram of 2 shots, threshold 12" in page
    assert "specks, a frame (dusty: enforce)" in page
