"""Mutation testing: change one operator or number of a module at a time, and see whether its tests notice.

    python benchmarks/mutants.py [GROUP ...] [--sample 200] [-o docs/data/mutants.json]

A group's mutants are drawn by a seed. What was tried is in build/mutants: a run resumes from there, and tries the
survivors again if their tests have changed.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mutating import Mutant

ROOT = Path(__file__).parents[1]
TRIED = ROOT / "build" / "mutants"
LEAST = 0.85  # share killed, of each group

# Every module with the tests that cover it; those most likely to notice come first.
_GROUND = "tests/flythrough"
_RANKED = tuple(f"{_GROUND}/results/test_{name}.py" for name in ("ranking", "paired", "wandering", "standings"))
_RENDER = f"{_GROUND}/rendering/test_render.py::test_"
_CAMERA = ("tests/evaluate/test_camera_figures.py",)
_RULES = (f"{_GROUND}/rules/test_rules.py",)
GROUPS: dict[str, dict[str, tuple[str, ...]]] = {
    "geometry": {"flythrough/scene/geometry.py": (f"{_GROUND}/scene/test_geometry.py",)},
    "rendering": {
        "flythrough/rendering/projection.py": (f"{_GROUND}/rendering/test_projection.py",),
        "flythrough/rendering/render.py": tuple(
            f"{_RENDER}{name}"
            for name in (
                "bad_input_is_refused_at_the_door",
                "one_camera_serves_a_whole_batch",
                "the_smallest_picture_has_two_rows_and_columns",
                "a_higher_limit_on_slopes_trusts_what_is_stretched",
                "autocast_leaves_the_geometry_alone",
            )
        ),
    },
    "metrics": {
        "flythrough/results/metrics.py": (f"{_GROUND}/results/test_metrics.py", f"{_GROUND}/results/test_wandering.py"),
        "evaluate/following/figures.py": _CAMERA,
        "evaluate/following/published.py": _CAMERA,
        "evaluate/following/path.py": _CAMERA,
        "evaluate/following/similarity.py": _CAMERA,
        "evaluate/metrics/monge.py": ("tests/evaluate/test_monge.py",),
    },
    "ranking": {
        "flythrough/results/ranking.py": _RANKED,
        "flythrough/results/paired.py": _RANKED,
        "flythrough/results/differences.py": (
            f"{_GROUND}/results/test_ranking.py",
            f"{_GROUND}/results/test_compare.py",
        ),
        "flythrough/results/standings.py": _RANKED,
    },
    "rules": {
        "flythrough/rules/rule.py": _RULES,
        "flythrough/rules/section.py": _RULES,
        "flythrough/rules/table.py": _RULES,
    },
}


def try_group(group: str, sample: int, again: bool) -> dict[str, Any]:
    """Try a group's mutants; returns the counts, and the survivors."""
    from mutating import Mutant, changes, notices, preload  # needs cosmic-ray

    known, found = _Tried(group), {module: changes(module) for module in GROUPS[group]}
    every = [change for each in found.values() for change in each]
    drawn = sorted(random.Random(f"{group} 0").sample(every, min(sample, len(every))))
    survivors, loaded = [], set()
    for count, mutant in enumerate((Mutant.of(*change) for change in drawn), 1):
        tests = GROUPS[group][mutant.module]
        killed = known.outcome(mutant, tests, again)
        if killed is None:
            if tests not in loaded:
                preload(tests)
                loaded.add(tests)
            killed = known.note(mutant, tests, notices(mutant, tests))
        if not killed:
            survivors.append({"module": mutant.module, "was": mutant.was, "now": mutant.now})
            print(f"{count}/{len(drawn)} {mutant.module}:{mutant.line}: {mutant.was}\n    -> {mutant.now}")
    killed = len(drawn) - len(survivors)
    print(f"{group}: {killed} of {len(drawn)} killed, of {len(every)} mutants")
    modules = [
        {"module": module, "tests": tests, "mutants": len(found[module])} for module, tests in GROUPS[group].items()
    ]
    return {"group": group, "modules": modules, "made": len(every), "tried": len(drawn), "killed": killed,
            "survivors": survivors}  # fmt: skip


class _Tried:
    """A group's mutants that were tried. One killed stays so; one that survived is tried again on other tests."""

    def __init__(self, group: str) -> None:
        self.file = TRIED / f"{group.replace(' ', '-')}.jsonl"
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        self.known = {key: (killed, tests) for key, killed, tests in map(json.loads, lines)}

    def outcome(self, mutant: Mutant, tests: tuple[str, ...], again: bool) -> bool | None:
        killed, of_tests = self.known.get(mutant.key, (False, ""))
        as_before = of_tests == _content(tests) if again else bool(of_tests)
        return killed if killed or as_before else None

    def note(self, mutant: Mutant, tests: tuple[str, ...], killed: bool) -> bool:
        self.known[mutant.key] = killed, _content(tests)
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as file:
            file.write(json.dumps([mutant.key, *self.known[mutant.key]]) + "\n")
        return killed


def _content(tests: tuple[str, ...]) -> str:
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    texts = "".join((ROOT / file).read_text(encoding="utf-8") for file in files)
    return hashlib.sha256(f"{tests}{texts}".encode()).hexdigest()[:20]


def with_reasons(found: dict[str, Any], before: list[dict[str, Any]]) -> dict[str, Any]:
    """The survivors with the reasons that they had, which are written by hand; "" for a new one."""
    had = {(s["module"], s["was"], s["now"]): s["reason"] for each in before for s in each["survivors"]}
    for each in found["survivors"]:
        each["reason"] = had.get((each["module"], each["was"], each["now"]), "")
    return found


def table(groups: list[dict[str, Any]]) -> str:
    """The groups as the table of docs/reliability.md."""
    lines = ["| group | modules | mutants | tried | killed | share killed |", "|---|---|---|---|---|---|"]
    for each in groups:
        files = ", ".join(f"`{row['module']}`" for row in each["modules"])
        share = f"{100 * each['killed'] / each['tried']:.1f} %"
        lines.append(f"| {each['group']} | {files} | {each['made']} | {each['tried']} | {each['killed']} | {share} |")
    return "\n".join(lines)


def survivors_table(groups: list[dict[str, Any]]) -> str:
    """The survivors, with why no test is to kill them."""
    lines = ["| module | line | survives as | why |", "|---|---|---|---|"]
    for each in (survivor for group in groups for survivor in group["survivors"]):
        was, now = (each[key].replace("|", "\\|") for key in ("was", "now"))
        lines.append(f"| `{each['module']}` | `{was}` | `{now}` | {each['reason']} |")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; all by default")
    parser.add_argument("--sample", type=int, default=200, help="most mutants of a group (default: %(default)s)")
    parser.add_argument("--count", action="store_true", help="try no survivor again although its tests have changed")
    parser.add_argument("-o", "--out", type=Path, help="JSON to update; reasons in it are kept")
    given = parser.parse_args()
    if unknown := sorted(set(given.groups) - set(GROUPS)):
        parser.error(f"no group {', '.join(unknown)}")
    before = json.loads(given.out.read_text()) if given.out and given.out.exists() else []
    results = {each["group"]: each for each in before}
    for group in given.groups or GROUPS:
        results[group] = with_reasons(try_group(group, given.sample, not given.count), before)
        if given.out:
            ordered = [results[name] for name in GROUPS if name in results]
            given.out.write_text(json.dumps(ordered, indent=1, ensure_ascii=False) + "\n")
    found = [results[name] for name in GROUPS if name in results]
    print(table(found))
    return int(any(each["killed"] < LEAST * each["tried"] for each in found))


if __name__ == "__main__":
    sys.exit(main())
