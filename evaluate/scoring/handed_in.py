"""Frames made by others: scored on request, stored beside the workspace's own results."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from flythrough.errors import InputError
from flythrough.results.schema import Result, read_result, rows_of, write_result
from flythrough.workspace.catalog import Row, Workspace

from ..generation.frames import check_png, loose_frames
from ..methods.registry import Spec
from ..metrics.cache import Rows, cached_features
from ..metrics.sets import RealSide, distances
from ..protocols.source import Source
from .score import extractors_of, result_of
from .tally import Settings, Tally

log = logging.getLogger("flythrough.evaluate")
FOLDER = "evaluate/handed_in"
FLIGHT_FRAMES = 100  # frames counted as one flight if they belong to none


def refuse_measured(workspace: Workspace, name: str) -> None:
    """Refuse the name of a method that the workspace has flown itself: its rows would be lost.

    Raises:
        InputError: it is such a name.
    """
    files = {row["results_file"] for row in workspace.rows("results") if row["method"] == name}
    if any(file and not file.startswith(f"{FOLDER}/") for file in files):
        raise InputError(
            f"{workspace.root} has results of a method {name} that was flown there",
            remedy="Choose another --name, or give --out to write the scores elsewhere",
        )


def keep(workspace: Workspace, result: Result) -> Path:
    """Write a result of handed-in frames into the workspace, and its rows into ``results``."""
    file = workspace / FOLDER / result.method.name / "results.json"
    write_result(result, file)
    name = result.method.name
    others = [row for row in workspace.rows("results") if row["method"] != name]
    workspace.write("results", [*others, *rows_of(result, _relative(file, workspace))])
    return file


def handed_in_rows(workspace: Workspace, measured: Iterable[Row]) -> list[Row]:
    """Rows of all handed-in results on the protocols of the measured rows; results on other protocols are left out.

    Results of another version of one of them, and those with the name of a measured method, are named in the log.
    """
    measured = list(measured)
    wanted = {row["protocol_hash"]: row["protocol"] for row in measured}
    flown = {row["method"] for row in measured}
    rows: list[Row] = []
    for file in sorted((workspace / FOLDER).glob("*/results.json")):
        result = read_result(file)
        if result.protocol.hash in wanted and result.method.name in flown:
            log.warning(
                "%s, handed in, is left out: a method of this name was flown here; hand its frames in under another "
                "name: flythrough evaluate score FRAMES --name OTHER",
                result.method.name,
            )
        elif result.protocol.hash in wanted:
            rows += rows_of(result, _relative(file, workspace))
        elif result.protocol.name in wanted.values():
            log.warning(
                "%s, handed in, is left out: it was scored on another %s (scoring version %d); make and score its "
                "frames again: flythrough evaluate score FRAMES --name %s",
                *(result.method.name, result.protocol.name, result.protocol.scoring_version, result.method.name),
            )
    return rows


def _relative(file: Path, workspace: Workspace) -> str:
    return file.relative_to(workspace.root).as_posix()


def score_loose(spec: Spec, source: Source, folder: Path, settings: Settings) -> Result:
    """Score frames that belong to no start of the protocol: set distances only, never ranked.

    Raises:
        InputError: the folder has no PNG frames.
        MethodFailure: a frame is not 8-bit RGB of the protocol's size.
    """
    protocol = source.protocol
    header = protocol.header
    frames = loose_frames(folder)
    for file in frames.files:
        check_png(file, header.height, header.width, str(file.relative_to(folder)))
    tally = Tally(settings, follow_note="frames handed in without starts")
    sha256 = frames.sha256()
    for extractor in extractors_of(protocol, tally):
        features = cached_features(extractor, sha256, frames.__getitem__, len(frames))
        made = Rows(np.array_split(features, max(1, len(frames) // FLIGHT_FRAMES)))
        found = distances(RealSide.of(source, extractor), made, header, settings.set_replicates)
        tally.values += found.values  # without flights of the protocol there is nothing to pair
    return result_of(spec, protocol, tally, {frames.id: frames})
