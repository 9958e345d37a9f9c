"""``curate/report.html``: what was kept, what was dropped and why, and how the figures lie about the thresholds."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from flythrough.cli.page import file_uri, page, table
from flythrough.workspace.catalog import Workspace
from flythrough.workspace.files import write_text
from flythrough.workspace.stage import Outcome

from .config import CurateConfig
from .rules import LIMITS, Limit

FILE = "curate/report.html"
SHOWN = 24  # shots on a contact sheet
BINS = 40

_STYLE = """<style>
.bar { display: inline-block; height: .7em; background: var(--accent); border-radius: 2px; min-width: 2px; }
.sheet { display: grid; grid-template-columns: repeat(auto-fill, minmax(22rem, 1fr)); gap: .9rem; }
.sheet figure { margin: 0; } .sheet .three { display: grid; grid-template-columns: repeat(3, 1fr); gap: 2px; }
.sheet figcaption { overflow-wrap: anywhere; } .plots { display: grid;
grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); gap: 1rem; }
.plots svg { width: 100%; height: auto; background: var(--card); border: 1px solid var(--line); border-radius: 6px; }
svg text { fill: var(--soft); font: 11px system-ui, "Liberation Sans", sans-serif; }
svg .kept { fill: var(--accent); } svg .dropped { fill: #d08770; } svg .limit { stroke: #b23a2e; stroke-width: 1.5; }
</style>"""


def write_report(outcome: Outcome, workspace: Workspace, config: CurateConfig) -> Path:
    """Write the report on what :func:`decide` decided; returns its path."""
    shots = [(r["id"], "kept", json.loads(r["measures"])) for r in outcome.rows]
    shots += [(d["id"], d["reason"], d["values"]) for d in outcome.drops]
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for id, reason, measures in shots:
        groups[reason].append((id, measures))
    order = sorted(groups, key=lambda reason: (reason != "kept", -len(groups[reason]), reason))
    body = [
        _STYLE,
        "<h2>What became of the shots</h2>",
        _funnel([(reason, groups[reason]) for reason in order], len(shots)),
        _scored(shots),
        "<h2>Measures and thresholds</h2>",
        '<p class="note">Blue: kept; orange: dropped, for whatever reason; red line: threshold, and the side that is '
        "dropped. A measure that needs an earlier rule's consent is missing for shots which that rule dropped.</p>",
        f'<div class="plots">{"".join(_histogram(limit, shots, config) for limit in LIMITS)}</div>',
    ]
    for reason in order:
        body.append(_sheet(reason, groups[reason], workspace))
    subtitle = f"{len(shots)} shots, {len(groups.get('kept', []))} kept, {len(outcome.errors)} in error"
    path = workspace / FILE
    write_text(path, page("Curation", "".join(body), subtitle=subtitle))
    return path


def _funnel(groups: Sequence[tuple[str, Sequence[tuple[str, dict[str, Any]]]]], total: int) -> str:
    rows = []
    for reason, members in groups:
        seconds = sum(m.get("length_s", 0.0) for _, m in members)
        width = 100 * len(members) / max(1, total)
        bar = Markup(f'<span class="bar" style="width:{width:.1f}px"></span>')
        rows.append([reason, len(members), round(100 * len(members) / max(1, total), 1), round(seconds, 1), bar])
    return table(["outcome", "shots", "%", "seconds", ""], rows)


def _scored(shots: Sequence[tuple[str, str, dict[str, Any]]]) -> str:
    """Rules that only score, and how many kept shots they would drop."""
    counts = Counter(reason for _, outcome, m in shots if outcome == "kept" for reason in m.get("scored", []))
    if not counts:
        return ""
    rows = [[reason, count] for reason, count in sorted(counts.items())]
    return "<h3>Rules that only score</h3>" + table(["rule", "kept shots it would drop"], rows)


def _histogram(limit: Limit, shots: Sequence[tuple[str, str, dict[str, Any]]], config: CurateConfig) -> str:
    """Stacked bars of one measure, as SVG."""
    values = [(float(m[limit.measure]), why == "kept") for _, why, m in shots if m.get(limit.measure) is not None]
    threshold = float(getattr(getattr(config.rules, limit.rule), limit.setting))
    mode = getattr(config.rules, limit.rule).mode
    figures = [v for v, _ in values]
    low = min([*figures, threshold, 0.0])
    high = max(float(np.quantile(figures, 0.98)) if figures else 0.0, threshold * 1.25, low + 1e-6)
    edges = np.linspace(low, high, BINS + 1)
    kept, _ = np.histogram(np.clip([v for v, k in values if k], low, high), edges)
    dropped, _ = np.histogram(np.clip([v for v, k in values if not k], low, high), edges)
    tallest = max(1, int((kept + dropped).max()))
    width, height, base = 320, 130, 104
    step = (width - 20) / BINS
    parts = []
    for i, (k, d) in enumerate(zip(kept.tolist(), dropped.tolist(), strict=True)):
        x, y = 10 + i * step, float(base)
        for count, css in ((k, "kept"), (d, "dropped")):
            size = 74 * count / tallest
            y -= size
            if count:
                parts.append(
                    f'<rect class="{css}" x="{x:.1f}" y="{y:.1f}" width="{step - 1:.1f}" height="{size:.1f}"/>'
                )
    at = 10 + (threshold - low) / (high - low) * (width - 20)
    arrow = "&#8592;" if limit.least else "&#8594;"
    anchor = "start" if at < 90 or (not limit.least and at < 230) else "end"
    parts.append(f'<line class="limit" x1="{at:.1f}" y1="24" x2="{at:.1f}" y2="{base}"/>')
    parts.append(
        f'<text x="{at:.1f}" y="34" text-anchor="{anchor}">{arrow if limit.least else ""} {threshold:g} '
        f"{'' if limit.least else arrow}</text>"
    )
    parts.append(f'<text x="10" y="14">{escape(limit.measure)} ({escape(limit.rule)}: {escape(mode)})</text>')
    parts.append(f'<text x="10" y="{height - 10}">{low:.3g}</text>')
    parts.append(f'<text x="{width - 10}" y="{height - 10}" text-anchor="end">{high:.3g}</text>')
    parts.append(f'<text x="{width / 2}" y="{height - 10}" text-anchor="middle">{len(values)} shots</text>')
    title = f"{limit.measure}: histogram of {len(values)} shots, threshold {threshold:g}"
    return f'<svg viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">{"".join(parts)}</svg>'


def _sheet(reason: str, members: Sequence[tuple[str, dict[str, Any]]], workspace: Workspace) -> str:
    """First, middle and last frame of shots of one outcome, spread evenly over them."""
    chosen = [members[i] for i in sorted(set(np.linspace(0, len(members) - 1, SHOWN).round().astype(int).tolist()))]
    shown = f" ({len(chosen)} of {len(members)} shown)" if len(chosen) < len(members) else f" ({len(members)})"
    figures = []
    for id, measures in chosen:
        stem = measures.get("pictures", "")
        files = [workspace / f"{stem}.{n}.jpg" for n in range(3)]
        images = "".join(
            f'<img src="{file_uri(file, "image/jpeg")}" alt="{name} frame">'
            for name, file in zip(("first", "middle", "last"), files, strict=True)
            if file.is_file()
        )
        caption = f"{escape(id)}<br>{escape(_figures(measures))}"
        figures.append(f'<figure><div class="three">{images}</div><figcaption>{caption}</figcaption></figure>')
    return f'<h2>{escape(reason)}{shown}</h2><div class="sheet">{"".join(figures)}</div>'


def _figures(measures: dict[str, Any]) -> str:
    named = {limit.measure: measures.get(limit.measure) for limit in LIMITS}
    said = [f"{name} {value:.3g}" for name, value in named.items() if value is not None]
    verdict = f"; reviewer: {measures['verdict']}" if "verdict" in measures else ""
    return ", ".join(said) + verdict
