"""``evaluate/report.html``: the scores with their intervals, over steps and by start, and the flights themselves."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup, escape

from flythrough.cli import page
from flythrough.errors import InputError
from flythrough.results.metrics import in_order
from flythrough.results.paired import TIED, replicates_by_key
from flythrough.results.ranking import Cell, board, primary
from flythrough.results.schema import Result, read_result, rows_of
from flythrough.workspace.catalog import Row, Workspace
from flythrough.workspace.files import content_key, sha256_of, write_text

from ..protocols.protocol import load_protocol
from ..protocols.source import Source
from . import pictures

REPORT = "evaluate/report.html"
STYLE = """<style>
p.subtitle { overflow-wrap: anywhere; }
table.scores td, table.scores small { white-space: nowrap; } table.scores td { text-align: right; }
table.scores td:nth-child(-n+2) { text-align: left; } table.scores th { text-align: right; vertical-align: bottom; }
table.scores th:nth-child(-n+2) { text-align: left; } table.scores small { display: block; color: var(--soft); }
.unranked { opacity: .55; }
</style>"""


def update_report(workspace: Workspace, rows: Iterable[Row]) -> Path:
    """Write the workspace's report, unless it already shows these results."""
    files = sorted({row["results_file"] for row in rows if row["results_file"]})
    key = content_key("report 4", [(file, sha256_of(workspace / file)) for file in files])
    path = workspace / REPORT
    if not (path.is_file() and f"<!-- {key} -->" in path.read_text(encoding="utf-8")[-200:]):
        found = [(read_result(workspace / file), (workspace / file).parent) for file in files]
        write_text(path, build_report(found, workspace) + f"<!-- {key} -->\n")
    return path


def _source(workspace: Workspace, found: list[tuple[Result, Path]]) -> Source | None:
    """The recorded frames behind the results; None if the protocol or one of its clips no longer exists."""
    wanted = found[0][0].protocol.hash
    for _, folder in found:
        for file in folder.glob("*.toml"):
            try:
                protocol = load_protocol(str(file))
                if protocol.hash == wanted:
                    return Source(protocol, workspace)
            except InputError:
                continue
    return None


def build_report(found: list[tuple[Result, Path]], workspace: Workspace | None = None) -> str:
    """The page, from results and their folders, each protocol apart; frames that are gone are left out.

    Args:
        found: at least one result, with its folder.
        workspace: where the recorded frames are.
    """
    parts: dict[str, list[tuple[Result, Path]]] = {}
    for each in found:
        parts.setdefault(each[0].protocol.hash, []).append(each)
    bodies = [_of_protocol(part, _source(workspace, part) if workspace else None) for part in parts.values()]
    heads = [_heads(part[0][0]) for part in parts.values()]
    (title, subtitle), more = heads[0], zip(heads[1:], bodies[1:], strict=True)
    below = [f"<h1>{escape(name)}</h1><p class='subtitle'>{escape(line)}</p>\n{body}" for (name, line), body in more]
    return page.page(title, "\n".join([STYLE, bodies[0], *below]), subtitle=subtitle)


def _heads(result: Result) -> tuple[str, str]:
    """Title and subtitle of a protocol's part."""
    protocol = result.protocol
    held_out = "held out" if protocol.held_out else "NOT held out: starts come from clips that may be trained on"
    size = f"{protocol.width} x {protocol.height}"
    line = f"{protocol.starts} starts, {size}, {held_out}. Protocol SHA-256 {protocol.hash}"
    return f"Scores on {protocol.name}", line


def _of_protocol(found: list[tuple[Result, Path]], source: Source | None) -> str:
    """What the page says about one protocol."""
    results = [result for result, _ in found]
    flown = [(r.method.name, folder / "frames") for r, folder in found if r.status == "scored"]
    flown = [(name, folder) for name, folder in flown if folder.is_dir()]
    body = [
        "<h2>View generation: flights into the unknown</h2>",
        "<p class='note'>Best first. Small: 95 % bootstrap interval over starts. Floor: real frames against other real "
        "frames. Distances fall with n, the number of images, so compare only within a column and with equal n. "
        "Pale: not ranked, for the reason below.</p>",
        _table(results, None),
        _notes(results),
    ]
    for step in sorted({v.step for r in results for v in r.values if v.step is not None}):
        body += [f"<h2>View synthesis: the recorded path, step {step}</h2>", _table(results, step)]
    body += [*pictures.flights(flown), *_plots(results), *pictures.cases(results, dict(flown), source)]
    return "\n".join(body)


def _table(results: list[Result], step: int | None) -> str:
    """One row per method, ranked ones first."""
    rows = [row for result in results for row in rows_of(result, None) if row["step"] == step]
    if all(row["value"] is None for row in rows):
        return "<p class='note'>No method has a value here.</p>"
    found = board("", primary(rows), in_order({row["metric"] for row in rows}), rows, replicates_by_key(results))
    # The ranking metric comes first.
    metrics = [found.primary, *(metric for metric in found.columns if metric != found.primary)]
    methods = [*found.ranked, *found.unranked]
    heads = [
        Markup("{}<small>{}</small>").format(
            Markup("_<wbr>").join(metric.split("_")),
            _basis([entry.cells[metric] for entry in methods if metric in entry.cells]),
        )
        for metric in metrics
    ]
    lines = [
        [entry.place, entry.method, *(_cell(entry.cells.get(metric)) for metric in metrics)]
        for entry in (*methods, *([found.floor] if found.floor else []))
    ]
    notes = [f"{TIED.capitalize()}: the 95 % interval of the paired difference contains 0."] * any(
        entry.tied for entry in found.ranked
    )
    notes += [f"{escape(found.pairing)}."] if found.pairing else []
    below = f"<p class='note'>{' '.join(notes)}</p>" if notes else ""
    return page.table(["rank", "method", *heads], lines, css="scores") + below


def _basis(values: list[Cell]) -> str:
    counts = [value.n for value in values if value.value is not None] or [0]
    floor = next((value.floor for value in values if value.floor is not None), None)
    n = f"n {min(counts)}" if len(set(counts)) == 1 else f"n {min(counts)} to {max(counts)}"
    return n if floor is None else f"{n}; floor {floor:.3g}"


def _cell(value: Cell | None) -> Markup:
    if value is None:
        return Markup("")
    tip = f"n {value.n}" + (f"; {value.note}" if value.note else "")
    if value.value is None:
        return Markup('<span class="unranked" title="{}">none</span>').format(tip)
    text = Markup("{:.4g}").format(value.value)
    if value.low is not None:
        text += Markup("<small>{:.3g} to {:.3g}</small>").format(value.low, value.high)
    return Markup('<span class="{}" title="{}">{}</span>').format(
        "unranked" if not value.ranked and value.note else "", tip, text
    )


def _notes(results: list[Result]) -> str:
    lines = []
    for result in results:
        name = result.method.name
        if result.failure:
            lines.append(Markup("<li><b>{}</b> failed: {}</li>").format(name, result.failure))
        elif result.follows_camera is False:
            lines.append(Markup("<li><b>{}</b> does not follow its commanded camera ({}), so its flights are not ranked"
                                "</li>").format(name, result.follow_note))  # fmt: skip
        elif result.follow_note:
            lines.append(Markup("<li><b>{}</b> is not ranked: {}</li>").format(name, result.follow_note))
    missing: dict[str, list[str]] = {}
    for metric, why in sorted({each for result in results for each in result.not_measured.items()}):
        missing.setdefault(why, []).append(metric)
    lines += [
        Markup("<li>Not measured: {}: {}</li>").format(", ".join(metrics), why) for why, metrics in missing.items()
    ]
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _plots(results: list[Result]) -> list[str]:
    from .plots import over_steps, per_start

    found = []
    for metric in in_order({name for result in results for name in result.curves}):
        if (lines := over_steps(results, metric)) is not None:
            found += [f"<h2>{escape(metric)} over steps</h2>", lines]
    names = {name for result in results for values in result.starts.values() for name in values}
    shown = [n for n in names if n.startswith(("psnr@", "lpips_alex@", "follow_correlation", "follow_sfm_deviation"))]
    for metric in sorted(shown, key=lambda name: (name.partition("@")[0], len(name), name)):
        if (figure := per_start(results, metric)) is not None:
            found += [f"<h2>{escape(metric)}, one point per start</h2>", page.svg(figure)]
    return found
