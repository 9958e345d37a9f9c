"""``curate/report.html``: what was kept, what was dropped and why, and histograms of the measures with thresholds."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
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
    """Write the report on what :func:`decide` decided; returns its path."""
    shots = [(r["id"], "kept", json.loads(r["measures"])) for r in outcome.rows]
    shots += [(d["id"], d["reason"], d["values"]) for d in outcome.drops]
    groups: dict[str, list[tuple[str, JsonObject]]] = defaultdict(list)
    for id, reason, measures in shots:
        groups[reason].append((id, measures))
    order = sorted(groups, key=lambda reason: (reason != "kept", -len(groups[reason]), reason))
    body = [
        _STYLE,
        SHEET_STYLE,
        f"<style>{STYLE}</style>",
        "<h2>Shots kept and dropped</h2>",
        _funnel([(reason, groups[reason]) for reason in order], len(shots)),
        _scored(shots),
        "<h2>Measures and thresholds</h2>",
        f'<p class="note">{NOTE}</p>',
        histograms(config.rules, [(measures, why == "kept") for _, why, measures in shots], "shots"),
    ]
    for reason in order:
        body.append(_sheet(reason, groups[reason], workspace, config))
    subtitle = f"{len(shots)} shots, {len(groups.get('kept', []))} kept, {len(outcome.errors)} in error"
    path = workspace / FILE
    write_text(path, page("Curation", "".join(body), subtitle=subtitle))
    return path


def _funnel(groups: Sequence[tuple[str, Sequence[tuple[str, JsonObject]]]], total: int) -> str:
    rows = []
    for reason, members in groups:
        seconds = sum(m.get("length_s", 0.0) for _, m in members)
        width = 100 * len(members) / max(1, total)
        bar = Markup(f'<span class="bar" style="width:{width:.1f}px"></span>')
        rows.append([reason, len(members), round(100 * len(members) / max(1, total), 1), round(seconds, 1), bar])
    return table(["outcome", "shots", "%", "seconds", ""], rows)


def _scored(shots: Sequence[tuple[str, str, JsonObject]]) -> str:
    """Rules that only score, and how many kept shots they would drop."""
    counts = Counter(reason for _, outcome, m in shots if outcome == "kept" for reason in m.get("scored", []))
    if not counts:
        return ""
    rows = [[reason, count] for reason, count in sorted(counts.items())]
    return "<h3>Rules that only score</h3>" + table(["rule", "kept shots it would drop"], rows)


def _sheet(reason: str, members: Sequence[tuple[str, JsonObject]], workspace: Workspace, config: CurateConfig) -> str:
    """First, middle and last frame of shots of one outcome, spread evenly over them."""
    chosen = [members[i] for i in sorted(set(np.linspace(0, len(members) - 1, SHOWN).round().astype(int).tolist()))]
    shown = f" ({len(chosen)} of {len(members)} shown)" if len(chosen) < len(members) else f" ({len(members)})"
    figures = "".join(figure(id, measures, workspace.root, config) for id, measures in chosen)
    return f'<h2>{escape(reason)}{shown}</h2><div class="sheet">{figures}</div>'


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
