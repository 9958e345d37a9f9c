"""The rule system: a rule is declared once, and everything follows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from flythrough.curate.config import CurateConfig
from flythrough.curate.decide import decide
from flythrough.curate.report import write_report
from flythrough.curate.rules import Rules, ShotRule
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


def test_the_section_has_the_rules_in_the_order_of_their_declarations() -> None:
    assert [kind.name() for kind in Stones.kinds()] == ["too_small", "wet"]
    assert [limit.setting for limit in Stones.limits()] == ["min_kg", "max_kg"]
    assert Stones()[TooSmall].min_kg == 2.0
    for wrong in ({"too_small": {"min_kg": -1}}, {"too_small": {"kg": 1}}, {"dry": {}}, {"wet": {"mode": "maybe"}}):
        with pytest.raises(ValidationError):
            Stones.model_validate(wrong)


def test_a_setting_may_stand_without_its_rule() -> None:
    assert Stones.model_validate({"min_kg": 3}) == Stones.model_validate({"too_small": {"min_kg": 3}})
    for wrong in ({"min_kg": 3, "too_small": {"min_kg": 3}}, {"mode": "off"}):  # given twice; of which rule?
        with pytest.raises(ValidationError):
            Stones.model_validate(wrong)


def test_the_docs_table_has_a_line_a_setting() -> None:
    assert markdown_table(Stones).splitlines()[2:] == [
        "| `too_small` | Pebbles | `weight` | `min_kg` ≥ 2 kg | a hand lifts less | enforce |",
        "|  |  | `weight` | `max_kg` ≤ 9 kg | a hand lifts no more |  |",
        "| `wet` | Stones from the sea |  | `words` = 2 words |  | score |",
    ]


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
