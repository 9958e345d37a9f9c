"""Commands of this stage: ``flythrough review``, ``flythrough curate boundaries`` and ``score``."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flythrough.cli.options import WorkspaceOption

if TYPE_CHECKING:
    from .review.listing import Review


def register(app: typer.Typer, stage: typer.Typer) -> None:
    """Add the stage's commands to the command line."""
    app.command()(review)
    stage.command()(boundaries)
    stage.command()(score)


def review(
    workspace: WorkspaceOption = Path("workspace"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on 127.0.0.1; 0 takes a free one.")] = 0,
    export: Annotated[Path | None, typer.Option(help="Write all verdicts to this CSV file and stop.")] = None,
    import_: Annotated[
        Path | None, typer.Option("--import", help="Take verdicts or labels from this CSV file and stop.")
    ] = None,
    export_labels: Annotated[
        Path | None, typer.Option(help="Write the verdicts as a label file (for curate score) and stop.")
    ] = None,
    open_: Annotated[bool, typer.Option("--open/--no-open", help="Open the page in a browser.")] = False,
) -> None:
    """Accept and reject shots on a local web page; your verdict overrides the rules."""
    from flythrough.errors import InputError
    from flythrough.workspace.config import load_config
    from flythrough.workspace.files import write_text

    from .config import CurateConfig
    from .review.listing import Review

    config = load_config(workspace / "flythrough.toml")["curate"]
    assert isinstance(config, CurateConfig)
    data = Review(workspace, config)
    if export is not None:
        write_text(export, data.to_csv())
        print(f"{len(data.items)} shots, {len(data.verdicts)} verdicts: {export}")
    elif export_labels is not None:
        write_text(export_labels, data.to_labels())
        print(f"{len(data.verdicts)} labels: {export_labels}")
    elif import_ is not None:
        if not import_.is_file():
            raise InputError(f"{import_} is not a file", remedy="Check --import")
        try:
            taken = data.from_csv(import_.read_text(encoding="utf-8"))
        except (csv.Error, UnicodeDecodeError) as error:
            raise InputError(f"{import_} is not a CSV file in UTF-8: {error}", remedy="Export one to see") from error
        print(f"{taken} new verdicts; apply them with: flythrough curate")
    else:
        _serve(data, port, open_)


def _serve(data: Review, port: int, open_browser: bool) -> None:
    import webbrowser

    from .review.server import serve

    def announce(url: str) -> None:
        print(f"Review {len(data.items)} shots at {url}", flush=True)
        print("Stop with Ctrl-C; then apply the verdicts with: flythrough curate", flush=True)
        if open_browser:
            webbrowser.open(url)

    serve(data, port, announce)


def boundaries(
    file: Annotated[Path, typer.Argument(help="Video file.")],
    detector: Annotated[str, typer.Option(help="cascade, cheap or transnet.")] = "cascade",
) -> None:
    """Print a video's shot boundaries as CSV: first frame, end frame (exclusive), start, end, kind."""
    from flythrough.errors import ConfigError

    from .config import CurateConfig
    from .scan import find_boundaries

    if detector not in ("cascade", "cheap", "transnet"):
        raise ConfigError(f"There is no detector {detector!r}", remedy="Use cascade, cheap or transnet")
    config = CurateConfig.model_validate({"shots": {"detector": detector}})
    found, times_us = find_boundaries(file, config)
    print("start_frame,end_frame,start_us,end_us,kind")
    for t in found:
        end_us = times_us[min(t.end, len(times_us) - 1)]
        print(f"{t.start},{t.end},{times_us[min(t.start, len(times_us) - 1)]},{end_us},{t.kind}")


def score(
    labels: Annotated[Path, typer.Option(help="CSV file: video, start, end (seconds), verdict (keep, drop, unsure).")],
    workspace: WorkspaceOption = Path("workspace"),
    thresholds: Annotated[
        bool, typer.Option(help="Also sweep the thresholds, leaving out each video in turn.")
    ] = False,
    sheet: Annotated[Path | None, typer.Option(help="Write an HTML page with frames of the differing shots.")] = None,
) -> None:
    """Print precision, recall and F1 of curation against labels, and what each rule dropped."""
    from flythrough.workspace.catalog import Workspace
    from flythrough.workspace.config import load_config

    from .config import CurateConfig
    from .score import labels as given
    from .score.figures import summary
    from .score.sheet import HEADERS, row, write_sheet
    from .score.spans import file_names, spans_of
    from .score.sweep import labelled, left_out_together, sweep

    config = load_config(workspace / "flythrough.toml")["curate"]
    assert isinstance(config, CurateConfig)
    told = given.read_labels(labels)
    matched = given.match(told, spans_of(workspace), file_names(Workspace(workspace)))
    unmet = given.unmet(told, matched)
    print("\n".join(summary(matched, unmet)))
    said = labelled(matched)
    swept = sweep(said, config.rules) if thresholds else []
    if thresholds:
        print("", " | ".join(HEADERS), *(" | ".join(row(one)) for one in swept), "", sep="\n")
        print("All of them chosen again, without the video that is judged:")
        print("\n".join(left_out_together(said, config.rules).lines()))
    if sheet is not None:
        write_sheet(sheet, matched, unmet, swept, workspace, config)
        print(f"Differing shots: {sheet}")
