"""``curate/report.html``: what was kept, what was dropped and why, and histograms of the measures with thresholds."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from markupsafe import Markup, escape

from flythrough.cli.page import file_uri, page, table
from flythrough.rules.histogram import NOTE, STYLE, histograms
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import JsonObject, write_text
from flythrough.workspace.stage import Outcome

from .config import CurateConfig

FILE = "curate/report.html"
SHOWN = 24  # shots on a contact sheet

SHEET_STYLE = """<style>
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: .9rem; }
.sheet figure { margin: 0; } .sheet .three { display: grid; grid-template-columns: repeat(3, 1fr); gap: 2px; }
.sheet figcaption { overflow-wrap: anywhere; }
</style>"""
_STYLE = """<style>
.bar { display: inline-block; height: .7em; background: var(--accent); border-radius: 2px; min-width: 2px; }
</style>"""


def write_report(outcome: Outcome, workspace: Workspace, config: CurateConfig) -> Path:
    """Write the report on what :func:`decide` decided; returns its path.

    The shots are read several times, one at a time; only the figures that are plotted are held of all.
    """
    groups = _groups(outcome)
    total = sum(group.count for group in groups.values())
    kept = groups["kept"].count if "kept" in groups else 0
    items = ((measures, reason == "kept") for _, reason, measures in _shots(outcome))
    body = [
        _STYLE,
        SHEET_STYLE,
        f"<style>{STYLE}</style>",
        "<h2>Shots kept and dropped</h2>",
        _funnel(groups, total),
        _scored(groups.get("kept", _Group()).scored),
        "<h2>Measures and thresholds</h2>",
        f'<p class="note">{NOTE}</p>',
        histograms(config.rules, items, "shots"),
        *_sheets(outcome, groups, workspace, config),
    ]
    subtitle = f"{total} shots, {kept} kept, {len(outcome.errors)} in error"
    path = workspace / FILE
    write_text(path, page("Curation", "".join(body), subtitle=subtitle))
    return path


def _shots(outcome: Outcome) -> Iterator[tuple[str, str, JsonObject]]:
    """Id, reason ("kept" if there is none) and measures of each shot."""
    for row in outcome.rows:
        yield row["id"], "kept", json.loads(row["measures"])
    for drop in outcome.drops:
        yield drop["id"], drop["reason"], drop["values"]


@dataclass
class _Group:
    """The shots of one outcome: how many, how long together, and how often a rule that only scores would drop one."""

    count: int = 0
    seconds: float = 0.0
    scored: Counter[str] = field(default_factory=Counter)


def _groups(outcome: Outcome) -> dict[str, _Group]:
    """By reason: what was kept first, then the most frequent reasons."""
    groups: dict[str, _Group] = defaultdict(_Group)
    for _, reason, measures in _shots(outcome):
        group = groups[reason]
        group.count += 1
        group.seconds += measures.get("length_s", 0.0)
        group.scored.update(measures.get("scored", []))
    order = sorted(groups, key=lambda reason: (reason != "kept", -groups[reason].count, reason))
    return {reason: groups[reason] for reason in order}


def _funnel(groups: Mapping[str, _Group], total: int) -> str:
    rows = []
    for reason, group in groups.items():
        percent = 100 * group.count / max(1, total)
        bar = Markup(f'<span class="bar" style="width:{percent:.1f}px"></span>')
        rows.append([reason, group.count, round(percent, 1), round(group.seconds, 1), bar])
    return table(["outcome", "shots", "%", "seconds", ""], rows)


def _scored(counts: Mapping[str, int]) -> str:
    """Rules that only score, and how many kept shots they would drop."""
    if not counts:
        return ""
    rows = [[reason, count] for reason, count in sorted(counts.items())]
    return "<h3>Rules that only score</h3>" + table(["rule", "kept shots it would drop"], rows)


def _sheets(outcome: Outcome, groups: Mapping[str, _Group], workspace: Workspace, config: CurateConfig) -> list[str]:
    """For each outcome: first, middle and last frame of some of its shots, spread evenly over them."""
    chosen = {
        reason: set(np.linspace(0, group.count - 1, SHOWN).round().astype(int).tolist())
        for reason, group in groups.items()
    }
    met: Counter[str] = Counter()
    figures: dict[str, list[str]] = defaultdict(list)
    for id, reason, measures in _shots(outcome):
        if met[reason] in chosen[reason]:
            figures[reason].append(figure(id, measures, workspace.root, config))
        met[reason] += 1
    return [_sheet(reason, group.count, figures[reason]) for reason, group in groups.items()]


def _sheet(reason: str, count: int, figures: Sequence[str]) -> str:
    shown = f" ({len(figures)} of {count} shown)" if len(figures) < count else f" ({count})"
    return f'<h2>{escape(reason)}{shown}</h2><div class="sheet">{"".join(figures)}</div>'


def figure(title: str, measures: JsonObject, root: Path, config: CurateConfig) -> str:
    """First, middle and last frame of a shot, from the pictures in its workspace, with its figures below."""
    stem = measures.get("pictures", "")
    images = "".join(
        f'<img src="{file_uri(file, "image/jpeg")}" alt="{name} frame">'
        for number, name in enumerate(("first", "middle", "last"))
        if (file := root / f"{stem}.{number}.jpg").is_file()
    )
    caption = f"{escape(title)}<br>{escape(_figures(measures, config))}"
    return f'<figure><div class="three">{images}</div><figcaption>{caption}</figcaption></figure>'


def _figures(measures: JsonObject, config: CurateConfig) -> str:
    named = {limit.measure: measures.get(limit.measure) for limit in config.rules.limits()}
    said = [f"{name} {value:.3g}" for name, value in named.items() if value is not None]
    verdict = f"; reviewer: {measures['verdict']}" if "verdict" in measures else ""
    return ", ".join(said) + verdict
