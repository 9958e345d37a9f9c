"""``evaluate/report.html``: the scores with their intervals, over steps and by start, and the flights themselves."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup, escape

from flythrough import page
from flythrough.catalog import Row, Workspace
from flythrough.files import content_key, sha256_of, write_text

from .frames import read_png
from .generate import FLIGHT, VIEW, frame_name
from .results import Result, Value, read_result

FPS = 8
REPORT = "evaluate/report.html"
CAPTION_HEIGHT = 18


def update_report(workspace: Workspace, rows: Iterable[Row]) -> Path:
    """Write the workspace's report, unless it already shows these results."""
    files = sorted({row["results_file"] for row in rows if row["results_file"]})
    key = content_key("report 1", [(file, sha256_of(workspace / file)) for file in files])
    path = workspace / REPORT
    if not (path.is_file() and f"<!-- {key} -->" in path.read_text(encoding="utf-8")[-200:]):
        found = [(read_result(workspace / file), (workspace / file).parent / "frames") for file in files]
        write_text(path, build_report(found) + f"<!-- {key} -->\n")
    return path


def build_report(found: list[tuple[Result, Path]]) -> str:
    """The page, from results and their folders of frames (which may be gone)."""
    results = [result for result, _ in found]
    protocol = results[0].protocol
    held_out = "held out" if protocol["held_out"] else "NOT held out: starts come from clips that may be trained on"
    size = f"{protocol['width']} x {protocol['height']}"
    subtitle = f"{protocol['starts']} starts, {size}, {held_out}. SHA-256 {protocol['hash']}"
    body = [
        "<h2>Scores</h2>",
        "<p class='note'>Brackets: 95 % bootstrap interval over starts. Floor: real frames against other real frames. "
        "Distances fall with the number of images, so compare only within a column and with equal n. "
        "In grey: not ranked, with the reason.</p>",
        _table(results),
        _notes(results),
        *_plots(results),
        *_flights([(result, folder) for result, folder in found if result.status == "scored" and folder.is_dir()]),
    ]
    return page.page(f"Scores on {protocol['name']}", "\n".join(body), subtitle=subtitle)


def _table(results: list[Result]) -> str:
    columns = list(dict.fromkeys((v.metric, v.step) for r in results for v in r.values))
    headers = ["method", *(f"{metric} @ {step}" if step else metric for metric, step in columns)]
    rows = []
    for result in results:
        values = {(v.metric, v.step): v for v in result.values}
        rows.append([result.method["name"], *(_cell(values.get(column)) for column in columns)])
    return page.table(headers, rows)


def _cell(value: Value | None) -> Any:
    if value is None:
        return ""
    if value.value is None:
        return Markup('<span class="note" title="{}">none</span>').format(value.note or "")
    text = Markup("{:.4g}").format(value.value)
    if value.low is not None:
        text += Markup('<br><span class="note">[{:.3g}, {:.3g}]</span>').format(value.low, value.high)
    floor = "" if value.floor is None else f", floor {value.floor:.3g}"
    text += Markup('<br><span class="note">n {}{}</span>').format(value.n, floor)
    if not value.ranked and value.note:
        return Markup('<span style="opacity:.55" title="{}">{}</span>').format(value.note, text)
    return text


def _notes(results: list[Result]) -> str:
    lines = []
    for result in results:
        name = result.method["name"]
        if result.failure:
            lines.append(Markup("<li><b>{}</b> failed: {}</li>").format(name, result.failure))
        elif result.follows_camera is False:
            lines.append(Markup("<li><b>{}</b> does not follow its commanded camera ({}), so its flights are not ranked"
                                "</li>").format(name, result.follow_note))  # fmt: skip
        elif result.follows_camera is None and result.follow_note:
            lines.append(Markup("<li><b>{}</b>: {}</li>").format(name, result.follow_note))
    missing = {metric: why for result in results for metric, why in result.not_measured.items()}
    lines += [Markup("<li>{} not measured: {}</li>").format(metric, why) for metric, why in sorted(missing.items())]
    return f"<ul>{''.join(lines)}</ul>" if lines else ""


def _plots(results: list[Result]) -> list[str]:
    from .plots import over_steps, per_start

    found = []
    curves = sorted({name for result in results for name in result.curves})
    for metric in curves:
        if (figure := over_steps(results, metric)) is not None:
            found += [f"<h2>{escape(metric)} over steps</h2>", page.svg(figure)]
    scattered = sorted({name for result in results for values in result.starts.values() for name in values})
    for metric in [name for name in scattered if name.startswith(("psnr@", "follow_correlation"))]:
        if (figure := per_start(results, metric)) is not None:
            found += [f"<h2>{escape(metric)} by start</h2>", page.svg(figure)]
    return found


def _flights(found: list[tuple[Result, Path]]) -> list[str]:
    if not found:
        return []
    folder = found[0][1]
    starts = sorted(path.name for path in (folder / FLIGHT).glob("*") if path.is_dir()) if folder.is_dir() else []
    body = _cases(found)
    if starts:
        start = starts[0]
        steps = len(list((folder / FLIGHT / start).glob("*.png")))
        marks = [mark for mark in (1, 10, 25, 50, 100, 250, 500) if mark <= steps]
        body += [
            f"<h2>One start, all methods</h2><p class='note'>{escape(start)}, {steps} steps, {FPS} a second.</p>",
            _video([(r.method["name"], f / FLIGHT / start) for r, f in found], steps),
            f"<h2>Frames at steps {', '.join(map(str, marks))}</h2>",
            _grid([(r.method["name"], f / FLIGHT / start) for r, f in found], marks),
        ]
    return body


def _video(flights: list[tuple[str, Path]], steps: int) -> str:
    """All methods side by side, as a video that is part of the page."""
    from flythrough.video import VideoWriter

    first = read_png(flights[0][1] / frame_name(1))
    times = max(1, round(240 / first.shape[1]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "flights.mp4"
        tiles = [_tiles(flights, step, times) for step in range(1, steps + 1)]
        height, width = tiles[0].shape[:2]
        with VideoWriter(path, width=width, height=height, fps=FPS) as writer:
            for tile in tiles:
                writer.write(tile)
        uri = page.file_uri(path, "video/mp4")
    return f'<video controls loop muted playsinline src="{uri}"></video>'


def _tiles(flights: list[tuple[str, Path]], step: int, times: int, columns: int = 3) -> np.ndarray:
    tiles = [_captioned(read_png(folder / frame_name(step)), name, times) for name, folder in flights]
    tiles += [np.full_like(tiles[0], 255)] * (-len(tiles) % min(columns, len(tiles)))
    columns = min(columns, len(flights))
    return np.vstack([np.hstack(tiles[i : i + columns]) for i in range(0, len(tiles), columns)])


def _captioned(image: np.ndarray, name: str, times: int) -> np.ndarray:
    import cv2

    large = np.repeat(np.repeat(image, times, 0), times, 1)
    caption = np.full((CAPTION_HEIGHT, large.shape[1], 3), 255, np.uint8)
    cv2.putText(caption, name, (4, 13), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (30, 30, 30), 1, cv2.LINE_AA)
    return np.vstack([caption, large])


def _grid(flights: list[tuple[str, Path]], marks: list[int]) -> str:
    rows = []
    for name, folder in flights:
        cells = [Markup('<img alt="{} at step {}" width="192" src="{}">').format(
            name, mark, page.png_uri(read_png(folder / frame_name(mark)))) for mark in marks]  # fmt: skip
        rows.append([name, *cells])
    return page.table(["method", *(f"step {mark}" for mark in marks)], rows)


def _cases(found: list[tuple[Result, Path]]) -> list[str]:
    """The start where each method's picture is nearest to the real one, and the one where it is farthest."""
    rows: list[list[Any]] = []
    for result, folder in found:
        steps = sorted({v.step for v in result.values if v.metric == "psnr" and v.value is not None and v.step})
        if not steps:
            continue
        step = steps[0]
        scored = [(values.get(f"psnr@{step}"), start) for start, values in result.starts.items()]
        known = sorted((value, start) for value, start in scored if value is not None)
        cells = [_picture(folder / VIEW / start / frame_name(step), f"{start}, step {step}, {value:.1f} dB")
                 for value, start in (known[-1], known[0])]  # fmt: skip
        rows.append([result.method["name"], *cells])
    if not rows:
        return []
    table = page.table(["method", "best", "worst"], rows)
    return ["<h2>View synthesis: best and worst start of each method (PSNR)</h2>", table]


def _picture(file: Path, caption: str) -> Markup:
    text = '<img alt="{0}" width="192" src="{1}"><br><span class="note">{0}</span>'
    return Markup(text).format(caption, page.png_uri(read_png(file)))
